/** Weights of the hub: the model and the preset follow from the config, and the environment is Python's. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { preparationBy, preparationOf, recipeText } from '../../cli/src/preparation.js';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { readSafetensors } from '../../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { buildArchitecture } from '../../src/hub/architectures.ts';
import { type HubPreset, prepareImage } from '../../src/hub/hub-preset.ts';
import { imageFromRgb } from '../../src/image/image.ts';
import { imageClassification } from '../../src/image/presets.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { FCN_ResNet50_Weights, ResNet18_Weights, type WeightsTransforms } from '../../src/weights/index.ts';
import { fillParameters } from '../support/generator.ts';
import { COMMIT, type HubOptions, type HubServer, serveHub } from '../support/hub-server.ts';
import { timmConfig, timmFile, timmNames } from '../support/timm.ts';

const BIN = fileURLToPath(new URL('../../cli/bin/layertap.js', import.meta.url));
const REPO = 'timm/tf_mobilenetv3_small_100.in1k';
const ARCHITECTURE = 'tf_mobilenetv3_small_100';

const folder = mkdtempSync(join(tmpdir(), 'layertap-cli-'));
const pixels = Uint8Array.from({ length: 90 * 70 * 3 }, (_, i) => (i * 37 + (i >> 5)) % 256);
let weights: Uint8Array;
beforeAll(async () => {
  const { model } = buildArchitecture('fromHub', ARCHITECTURE, 1000);
  weights = timmFile(model, timmNames.find(({ architecture }) => architecture === 'mobilenetv3_small_100')!);
  writeFileSync(
    join(folder, 'p.png'),
    await sharp(pixels, { raw: { width: 90, height: 70, channels: 3 } })
      .png()
      .toBuffer(),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const servers: HubServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: Partial<HubOptions> = {}, cfg: object = {}): Promise<HubServer> {
  const config = timmConfig(ARCHITECTURE, { input_size: [3, 96, 96], crop_pct: 0.8, ...cfg });
  const server = await serveHub({
    repos: { [REPO]: { 'config.json': config, 'model.safetensors': weights } },
    ...options,
  });
  servers.push(server);
  return server;
}

/** Runs a command while a server of this process answers. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  const clean = { PATH: process.env.PATH, HOME: mkdtempSync(join(folder, 'home-')), ...env };
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd: folder, env: clean }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

const EXTRACT = ['extract', '--weights', `hub:${REPO}`, '--layers', 'features.3=c', '--image', 'p.png'];
const OUTPUT = ['--output', 'f.safetensors', '--deterministic'];

describe('extract with weights of the hub', () => {
  it("takes model and preset from the config, with TensorFlow's padding", async () => {
    const { endpoint } = await serve();
    const { status, stderr, stdout } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^tapped mobilenet_v3_small on \[1, 3, 96, 96\]/);
    const { model } = buildArchitecture('fromHub', ARCHITECTURE, 1000);
    const getter = fillParameters(new IntermediateLayerGetter(model, { 'features.3': 'c' }));
    const image = imageFromRgb(pixels, 90, 70);
    const x = imageClassification(image, { resizeSize: 120, cropSize: 96, interpolation: 'bicubic' });
    const expected = getter.compile({ deterministic: true }).forward(x).get('c')!;
    expect(readSafetensors(readFileSync(join(folder, 'f.safetensors'))).get('c')).toEqual(expected);
  });

  it('takes a preset that is given, and a revision', async () => {
    const { endpoint, requests } = await serve();
    const args = EXTRACT.map((arg) => (arg === `hub:${REPO}` ? `${arg}@${COMMIT}` : arg));
    const { status, stdout } = await run([...args, ...OUTPUT, '--hub-endpoint', endpoint, '--preset', 'imagenet']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^tapped mobilenet_v3_small on \[1, 3, 224, 224\]/);
    expect(requests[0]!.path).toBe(`/${REPO}/resolve/${COMMIT}/config.json`);
  });

  it('takes the mirror and the token from the environment, as Python does', async () => {
    const { endpoint } = await serve({ token: 'hf_sesame' });
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT], { HF_ENDPOINT: endpoint, HF_TOKEN: 'hf_sesame' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('tells of a license that excludes commercial use', async () => {
    const { endpoint } = await serve({}, { license: 'cc-by-nc-4.0' });
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `layertap: warning: ${REPO} is licensed under cc-by-nc-4.0, which excludes commercial use\n`,
    });
  });
});

describe('an index of embed with weights of the hub', () => {
  const [embed, similar] = [
    ['embed', 'p.png', '--output', 'e.safetensors'],
    ['similar', 'e.safetensors', 'p.png'],
  ];
  const repo = async (architecture: string, bytes: Uint8Array, more: object = {}) => {
    const config = timmConfig(architecture, { input_size: [3, 96, 96], crop_pct: 0.8, ...more });
    const repos = { 'timm/own': { 'config.json': config, 'model.safetensors': bytes } };
    const server = await serveHub({ repos });
    servers.push(server);
    return ['--weights', 'hub:timm/own', '--hub-endpoint', server.endpoint];
  };

  it('takes the same weights as a file, and prepares photos as the index says', async () => {
    const bytes = timmFile(resnet18(), null);
    const hub = await repo('resnet18', bytes);
    writeFileSync(join(folder, 'w.safetensors'), bytes);
    expect(await run([...embed, '--layers', 'layer1', ...hub])).toMatchObject({ status: 0, stderr: '' });
    const own = await run([...similar, ...hub]);
    expect([own.status, own.stdout]).toEqual([0, 'p.png  1.0000\n']);
    expect(await run([...similar, '--weights', 'w.safetensors'])).toEqual(own);
    const [other, message] = [
      ['--weights', 'w.safetensors', '--preset', 'imagenet'],
      'expected what the index was made',
    ];
    const refused = await run([...similar, ...other]);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      `layertap: e.safetensors: ${message} with, preset hub:timm/own, got preset imagenet\n`,
    ]);
  });

  it('tells a preset by what it does, whatever it is called', async () => {
    const bytes = timmFile(resnet18(), null);
    const usual = { input_size: [3, 224, 224], crop_pct: 0.875, interpolation: 'bilinear' };
    expect((await run([...embed, '--layers', 'layer1', ...(await repo('resnet18', bytes, usual))])).status).toBe(0);
    writeFileSync(join(folder, 'w.safetensors'), bytes);
    const same = await run([...similar, '--weights', 'w.safetensors', '--preset', 'imagenet']);
    expect([same.stderr, same.stdout]).toEqual(['', 'p.png  1.0000\n']);
  });

  it('says what another preset of the same name does', async () => {
    const bytes = timmFile(resnet18(), null);
    const squash = { crop_mode: 'squash' };
    expect((await run([...embed, '--layers', 'layer1', ...(await repo('resnet18', bytes, squash))])).status).toBe(0);
    const more = ['--layers', 'layer1', '--skip-existing', ...(await repo('resnet18', bytes))];
    const { stderr } = await run([...embed, ...more]);
    const statistics = { mean: [0.485, 0.456, 0.406], resizeSize: 120, std: [0.229, 0.224, 0.225] };
    const text = JSON.stringify({ cropSize: 96, interpolation: 'bicubic', ...statistics });
    expect(stderr).toBe(
      'layertap: --output e.safetensors: expected what the index was made with, ' +
        `preset squash ${text}, got preset imageClassification ${text}\n`,
    );
  });

  it('squashes photos as the index says, whatever weights are given', async () => {
    const bytes = timmFile(resnet18(), null);
    writeFileSync(join(folder, 'w.safetensors'), bytes);
    const squash = { crop_mode: 'squash' };
    expect((await run([...embed, '--layers', 'layer1', ...(await repo('resnet18', bytes, squash))])).status).toBe(0);
    const own = { status: 0, stdout: 'p.png  1.0000\n', stderr: '' };
    expect(await run([...similar, ...(await repo('resnet18', bytes, squash))])).toEqual(own);
    expect(await run([...similar, '--weights', 'w.safetensors'])).toEqual(own);
    expect(await run([...similar, ...(await repo('resnet18', bytes))])).toEqual(own);
    const preset = {
      resizeSize: 120,
      cropSize: 96,
      interpolation: 'bicubic',
      mean: [0.5, 0.4, 0.3],
      std: [0.3, 0.2, 0.1],
    };
    const image = imageFromRgb(pixels, 90, 70);
    const prepared = preparationBy('squashed', { preset: 'squash', options: preset })?.prepare(image);
    expect(prepared?.data).toEqual(prepareImage(image, { ...preset, cropMode: 'squash' } as HubPreset).data);
  });

  it("refuses a network of other layers with the same weights, as one without TensorFlow's padding", async () => {
    const hub = await repo(ARCHITECTURE, weights);
    expect(await run([...embed, '--layers', 'features.3', ...hub])).toMatchObject({ status: 0, stderr: '' });
    const { model } = buildArchitecture('fromHub', ARCHITECTURE, 1000);
    const own = [...fillParameters(model).stateDict()];
    writeFileSync(join(folder, 'w.safetensors'), saveSafetensors(own));
    const { status, stderr } = await run([...similar, '--weights', 'w.safetensors']);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^layertap: e\.safetensors: expected what the index was made with, network \w{64}, got network \w{64}\n$/,
      ),
    ]);
  });
});

it('presets of the command line are those of torchvision’s weights', () => {
  const given = (name: 'imagenet' | 'segmentation') => recipeText(preparationOf(name, undefined).recipe!);
  const own = ({ preset, options }: WeightsTransforms) => recipeText({ preset, options });
  expect(given('imagenet')).toBe(own(ResNet18_Weights.IMAGENET1K_V1.transforms()));
  expect(given('segmentation')).toBe(own(FCN_ResNet50_Weights.DEFAULT.transforms()));
});

describe('what is wrong with weights of the hub', () => {
  describe.each([
    ['--hub-endpoint', 2],
    ['HF_ENDPOINT', 1],
  ] as const)('%s that is no server', (name, code) => {
    const url = `expected ${name} as an http:// or https:// URL, such as`;
    it.each([
      ['localhost', `${url} http://localhost, got localhost`],
      ['127.0.0.1:8080/hub', `${url} http://127.0.0.1:8080/hub, got 127.0.0.1:8080/hub`],
      ['hf-mirror.com', `${url} https://hf-mirror.com, got hf-mirror.com`],
      ['ftp://mirror', `${url} https://mirror, got ftp://mirror`],
      ['me:sesame@mirror?token=sesame', `${url} https://mirror, got mirror`],
      ['http://', `${url} https://huggingface.co, got http://`],
      ...(code === 2 ? [['', `${url} https://huggingface.co, got none`]] : []),
      [
        'https://me:sesame@mirror/hub?token=sesame',
        `expected ${name} without user, password and query, got https://mirror/hub with one of them; ` +
          'HF_TOKEN is the token',
      ],
      [
        'https:/me:sesame@mirror',
        `expected ${name} without user, password and query, got https://mirror/ with one of them; HF_TOKEN is the token`,
      ],
    ])('%j', async (text, message) => {
      const args = [...EXTRACT, ...OUTPUT];
      const { status, stderr } = await (code === 2 ? run([...args, name, text!]) : run(args, { [name]: text! }));
      const help = code === 2 ? '; see npx layertap-cli --help' : '';
      expect({ status, stderr }).toEqual({ status: code, stderr: `layertap: ${message}${help}\n` });
    });
  });

  it('a private repository says which variable has the token', async () => {
    const { endpoint } = await serve({ token: 'hf_sesame' });
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr:
        `layertap: --weights hub:${REPO}: expected ${REPO} from ${endpoint}, ` +
        'got 401: gated or private, or no repository; set HF_TOKEN\n',
    });
  });

  it('a repository without safetensors says what takes its place', async () => {
    const { endpoint } = await serve({ repos: { [REPO]: { 'config.json': timmConfig(ARCHITECTURE) } } });
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr:
        `layertap: --weights hub:${REPO}: expected model.safetensors in ${REPO} at ${COMMIT}, got a repository ` +
        'without one; --weights takes the URL of a pytorch_model.bin\n',
    });
  });

  it('another model than the config’s', async () => {
    const { endpoint } = await serve();
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint, '--model', 'resnet18']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `layertap: --model: expected mobilenet_v3_small, as hub:${REPO} is, or none, got resnet18\n`,
    });
  });

  it('a classifier for segment', async () => {
    const { endpoint } = await serve();
    const args = ['segment', '--weights', `hub:${REPO}`, '--image', 'p.png', '--output', 'm.png'];
    const { status, stderr } = await run([...args, '--hub-endpoint', endpoint]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'layertap: --model: expected a segmentation model such as deeplabv3_resnet50, got "mobilenet_v3_small"\n',
    });
  });

  it.each([
    [['--model-options', '{"numClasses":5}'], 'expected --model-options with a file, got them with hub:'],
    [
      ['--weights-key', 'model'],
      'expected --weights-key and --weights-prefix with a file or a URL, got them with a name',
    ],
  ])('%j', async (options, message) => {
    const { endpoint } = await serve();
    const { status, stderr } = await run([...EXTRACT, ...OUTPUT, '--hub-endpoint', endpoint, ...options]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: `layertap: ${message}; see npx layertap-cli --help\n` });
  });
});
