/**
 * POST /tap?width=W&height=H with RGBA bytes: RGBA bytes of the picture under the heat map of the network's last layer.
 */

import { IntermediateLayerGetter, imageFromRgba, loadWeights, semanticSegmentation } from 'layertap';
import { heatmap, overlay } from 'layertap/tools';
import { digitsNetwork } from '../../digits/network.mjs';

export const runtime = 'edge';

const LAYER = 'backbone.layer4';

/** The most pixels on a side, and with it the memory and the time that a request takes. */
const MAX_SIDE = 256;

/** The network with its weights, made by the first request; made again where that failed. */
let getter = null;

export async function POST(request) {
  const { searchParams } = new URL(request.url);
  const [width, height] = ['width', 'height'].map((name) => Number(searchParams.get(name)));
  const isSide = (side) => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE;
  if (!isSide(width) || !isSide(height)) {
    return refuse(400, `tap: expected width and height from 1 to ${MAX_SIDE}, got ${searchParams}`);
  }
  const pixels = await bytesOf(request.body, width * height * 4);
  if (!pixels) return refuse(400, `tap: expected ${width * height * 4} bytes of RGBA, got more or less`);

  getter ??= create().catch((error) => {
    getter = null;
    throw error;
  });
  const image = imageFromRgba(pixels, width, height);
  const feature = (await getter).forward(semanticSegmentation(image, { resizeSize: null })).get(LAYER);
  const { data } = overlay(image, heatmap(feature, { width, height }));
  return new Response(data, {
    headers: { 'content-type': 'application/octet-stream', 'x-shape': `[${feature.shape.join(', ')}]` },
  });
}

async function create() {
  // The bundler makes an asset of the file, and the edge runtime's fetch reads assets.
  const response = await fetch(new URL('../../digits/weights.safetensors', import.meta.url));
  const model = new IntermediateLayerGetter(digitsNetwork(), { [LAYER]: LAYER });
  model.loadStateDict(await loadWeights(await response.arrayBuffer()), { strict: false });
  return model;
}

/** The bytes of a body, or null where there are more or fewer than expected: a stranger's has no end. */
async function bytesOf(body, length) {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const piece of body ?? []) {
    if (at + piece.length > length) return null;
    bytes.set(piece, at);
    at += piece.length;
  }
  return at === length ? bytes : null;
}

const refuse = (status, message) => new Response(message, { status });
