/**
 * Opens ten weight files where they really lie, for whoever has a network: `npm run try-sources [-- --json]`. Of each
 * it reads what names its tensors, and the smallest tensor, and says which layout it is in, how many bytes came, and
 * which headers a page of another origin would need. Tests don't run it: they ask 127.0.0.1 alone.
 */

import { parseArgs } from 'node:util';
import { LayertapError, openWeights } from 'layertap';
import { getWeight } from 'layertap/weights';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });

const HUB = 'https://huggingface.co';

/** Both layouts, half precision, and the first files of each kind; then safetensors of the hub. */
const SOURCES = [
  ...[
    'ResNet18_Weights.IMAGENET1K_V1',
    'ResNet50_Weights.IMAGENET1K_V2',
    'Wide_ResNet50_2_Weights.IMAGENET1K_V1',
    'DenseNet121_Weights.IMAGENET1K_V1',
    'EfficientNet_B0_Weights.IMAGENET1K_V1',
    'FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1',
    'SqueezeNet1_1_Weights.IMAGENET1K_V1',
  ].map((name) => ({ name, url: getWeight(name).url })),
  ...['timm/resnet18.tv_in1k', 'timm/resnet50.a1_in1k', 'timm/densenet121.ra_in1k'].map((name) => ({
    name,
    url: `${HUB}/${name}/resolve/main/model.safetensors`,
  })),
];

/** What was found at a URL. @param {{ name: string, url: string }} source */
async function tried({ name, url }) {
  let requests = 0;
  let bytes = 0;
  /** @type {Record<string, string | null>} */
  let headers = {};
  let layout = '';
  const origin = 'https://example.com';
  /** @param {string} asked @param {RequestInit} init */
  const fetch = async (asked, init) => {
    const own = new Headers(init.headers);
    own.set('origin', origin);
    const response = await globalThis.fetch(asked, { ...init, headers: own });
    requests++;
    headers = Object.fromEntries(
      ['accept-ranges', 'access-control-allow-origin', 'access-control-expose-headers', 'etag'].map((header) => [
        header,
        response.headers.get(header),
      ]),
    );
    if (!response.body) return response;
    const counted = new TransformStream({
      transform(chunk, controller) {
        if (bytes === 0)
          layout = chunk[0] === 0x50 && chunk[1] === 0x4b ? 'zip' : chunk[0] === 0x80 ? 'legacy' : 'header';
        bytes += chunk.length;
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(counted), response);
  };
  try {
    const file = await openWeights(url, { fetch });
    const sizes = [...file.tensors].map(([key, { shape }]) => [key, shape.reduce((size, one) => size * one, 1)]);
    const [[smallest]] = sizes.sort(([, a], [, b]) => Number(a) - Number(b));
    await file.load([String(smallest)]);
    await file.close();
    return { name, url, format: file.format, layout, tensors: file.tensors.size, requests, bytes, headers };
  } catch (error) {
    if (!(error instanceof LayertapError)) throw error;
    return { name, url, error: error.message };
  }
}

const results = [];
for (const source of SOURCES) {
  const result = await tried(source);
  results.push(result);
  if (options.json) continue;
  const { name, error, format, layout, tensors, requests, bytes, headers } = result;
  if (error) console.log(`FAILED  ${name}: ${error}`);
  else {
    console.log(`ok      ${name}: ${format} (${layout}), ${tensors} tensors; ${requests} requests, ${bytes} bytes`);
    for (const [header, value] of Object.entries(headers ?? {})) console.log(`          ${header}: ${value ?? 'none'}`);
  }
}
if (options.json) console.log(JSON.stringify(results, null, 2));
process.exit(results.some(({ error }) => error) ? 1 : 0);
