/** The hub: models and presets from configs, the bytes that are read, and what may be wrong. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { FormatError, NetworkError, UnsupportedError, ValueError } from '../../src/errors.ts';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { buildArchitecture } from '../../src/hub/architectures.ts';
import { type FromHubOptions, fromHub, openHub } from '../../src/hub/index.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { synthetic } from '../image/synthetic.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { COMMIT, type HubOptions, type HubServer, serveHub } from '../support/hub-server.ts';
import { timmConfig, timmFile, timmNames } from '../support/timm.ts';

const servers: HubServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: HubOptions): Promise<HubServer> {
  const server = await serveHub(options);
  servers.push(server);
  return server;
}

const namesOf = (architecture: string) =>
  timmNames.find((names) => names.architecture === architecture.replace(/^tf_/, '')) ?? null;

/** An architecture's weights as timm writes them. */
function weightsOf(architecture: string, classes = 1000): Uint8Array {
  const { model } = buildArchitecture('fromHub', architecture, classes);
  return timmFile(model, namesOf(architecture));
}

const resnet18 = weightsOf('resnet18');

/** A hub of one repository. */
const served = (config: object | string, files: object = { 'model.safetensors': resnet18 }) =>
  serve({ repos: { 'timm/model.tag': { 'config.json': config, ...files } } });

const REPO = 'timm/model.tag';
const eager = { retries: 0, retryDelayMs: 0, onWarning: null } as const;

const digest = ({ data }: Tensor) => createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');

async function thrown(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing thrown');
}

describe('fromHub', () => {
  it.each([
    ['resnet18', 'layer2', [1, 3, 64, 64]],
    ['densenet121', 'features.denseblock1', [1, 3, 64, 64]],
    ['inception_v3', 'Mixed_5b', [1, 3, 96, 96]],
    ['mobilenetv2_050', 'features.6', [1, 3, 64, 64]],
    ['mobilenetv3_small_100', 'features.8', [1, 3, 64, 64]],
    ['tf_efficientnet_b0', 'features.4', [1, 3, 75, 98]],
    ['convnext_tiny', 'features.3', [1, 3, 64, 64]],
    ['regnetx_004_tv', 'trunk_output.block3', [1, 3, 64, 64]],
  ] as const)(
    "%s in timm's keys gives the features of torchvision's, bit for bit",
    async (architecture, layer, shape) => {
      const { model } = buildArchitecture('fromHub', architecture, 1000);
      const expected = fillParameters(new IntermediateLayerGetter(model, { [layer]: 'out' }));
      const weights = timmFile(model, namesOf(architecture), expected.stateShapes());
      const { endpoint } = await served(timmConfig(architecture), { 'model.safetensors': weights });
      const { getter } = await fromHub(REPO, { ...eager, endpoint, returnLayers: { [layer]: 'out' } });
      const x = generatedTensor('input', shape);
      expect(digest(getter.forward(x).get('out')!)).toBe(digest(expected.forward(x).get('out')!));
    },
  );

  it('gives the whole model with its head where no layers are asked for', async () => {
    const { endpoint } = await served(timmConfig('mobilenetv3_small_100', { num_classes: 5 }, { num_classes: 5 }), {
      'model.safetensors': weightsOf('mobilenetv3_small_100', 5),
    });
    const { model, name } = await fromHub(REPO, { ...eager, endpoint });
    expect(name).toBe('mobilenet_v3_small');
    const expected = fillParameters(buildArchitecture('fromHub', 'mobilenetv3_small_100', 5).model);
    const x = generatedTensor('input', [1, 3, 64, 64]);
    expect(digest(model.call(x))).toBe(digest(expected.call(x)));
  });

  it('reads the header and the bytes of kept layers alone, of one commit', async () => {
    const server = await served(timmConfig('resnet18'));
    const progress: number[] = [];
    const onProgress = ({ loadedBytes }: { readonly loadedBytes: number }) => progress.push(loadedBytes);
    const { endpoint } = server;
    const { getter, revision } = await fromHub(REPO, {
      ...eager,
      endpoint,
      onProgress,
      returnLayers: { layer1: 'c2' },
    });
    const kept = [...getter.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'));
    const bytes = kept.reduce((sum, [, shape]) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
    expect(progress.at(-1)).toBe(bytes);
    // What is read at first, and gaps: keys in a file aren't in the order of layers.
    expect(server.served()).toBeLessThan(bytes + 2 ** 20);
    expect(server.served()).toBeLessThan(resnet18.length / 10);
    expect(revision).toBe(COMMIT);
    const hub = server.requests.filter(({ isElsewhere }) => !isElsewhere).map(({ path }) => path);
    expect(new Set(hub)).toEqual(
      new Set([`/${REPO}/resolve/main/config.json`, `/${REPO}/resolve/${COMMIT}/model.safetensors`]),
    );
  });

  it('sends the token to the hub, and not to where it redirects', async () => {
    const repos = { [REPO]: { 'config.json': timmConfig('resnet18'), 'model.safetensors': resnet18 } };
    const server = await serve({ repos, token: 'hf_sesame' });
    await fromHub(REPO, { ...eager, endpoint: server.endpoint, token: 'hf_sesame', returnLayers: { layer1: 'c2' } });
    const sent = (isElsewhere: boolean) =>
      new Set(server.requests.filter((one) => one.isElsewhere === isElsewhere).map((one) => one.authorization));
    expect(sent(false)).toEqual(new Set(['Bearer hf_sesame']));
    expect(sent(true)).toEqual(new Set([undefined]));
  });

  it.each([
    [401, 'hf_sesame'],
    [403, 'hf_sesame'],
    [403, undefined],
    [404, undefined],
    [503, undefined],
  ])('says that another host refused by %i, where the hub had led to one', async (status, token) => {
    const server = await serve({
      repos: { [REPO]: { 'config.json': timmConfig('resnet18'), 'model.safetensors': resnet18 } },
      ...(token !== undefined && { token }),
      faultElsewhere: (_, response) => Boolean(response.writeHead(status).end()),
    });
    const { endpoint, elsewhere } = server;
    const caches = [undefined, { match: async () => null, put: async () => {} }];
    for (const cache of caches) {
      const error = await openHub(REPO, { ...eager, endpoint, token, cache }).catch((reason: unknown) => reason);
      expect(error).toEqual(
        new NetworkError(
          `openHub: expected model.safetensors of ${REPO} from ${elsewhere}, where ${endpoint} redirects to, ` +
            `got ${status}`,
          { status },
        ),
      );
    }
  });

  it('takes a mirror below a path, which tells neither commits nor errors', async () => {
    const repos = { [REPO]: { 'config.json': timmConfig('resnet18'), 'model.safetensors': resnet18 } };
    const { endpoint } = await serve({ repos, tells: false });
    const asked: string[] = [];
    const fetch = (url: string, init: RequestInit) => {
      asked.push(url);
      return globalThis.fetch(url.replace('/mirror', ''), init);
    };
    const options = { ...eager, endpoint: `${endpoint}/mirror/`, fetch, returnLayers: { layer1: 'c2' } };
    const { revision } = await fromHub(REPO, options);
    expect(revision).toBe('main');
    expect(asked[0]).toBe(`${endpoint}/mirror/${REPO}/resolve/main/config.json`);
  });

  it('ends with the signal’s reason', async () => {
    const { endpoint } = await served(timmConfig('resnet18'));
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error('enough'));
    await expect(fromHub(REPO, { ...eager, endpoint, signal: controller.signal, onProgress })).rejects.toThrow(
      'enough',
    );
  });

  it('takes a model without a classifier for a getter alone', async () => {
    const { endpoint } = await served(timmConfig('resnet18', {}, { num_classes: 0 }));
    await fromHub(REPO, { ...eager, endpoint, returnLayers: { layer1: 'c2' } });
    await expect(fromHub(REPO, { ...eager, endpoint })).rejects.toThrow(
      new UnsupportedError(`fromHub: expected a model with a classifier, got ${REPO} without one; pass returnLayers`),
    );
  });
});

describe('openHub', () => {
  it('gives a model without weights, and weights with its names, for an extractor', async () => {
    const { endpoint } = await served(timmConfig('resnet18'));
    const { model, weights, close } = await openHub(REPO, { ...eager, endpoint });
    const extractor = createFeatureExtractor(model, { returnNodes: { 'layer1.0.add': 'sum' } });
    await extractor.loadStateDictAsync(weights);
    await close();
    expect(extractor.forward(generatedTensor('input', [1, 3, 64, 64])).get('sum')!.shape).toEqual([1, 64, 16, 16]);
  });

  it('reads the flat configs of before timm 0.9', async () => {
    const { endpoint } = await served({
      ...{ architecture: 'resnet18', num_classes: 3, num_features: 512, pool_size: [7, 7], first_conv: 'conv1' },
      ...{ input_size: [3, 160, 160], crop_pct: 0.9, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [1, 1, 1] },
      ...{ classifier: 'fc', labels: ['cat', 'dog', 'emu'] },
    });
    const { config, preset, labels, license, close } = await openHub(REPO, { ...eager, endpoint });
    await close();
    expect(config).toEqual({
      ...{
        architecture: 'resnet18',
        numClasses: 3,
        inputSize: 160,
        testInputSize: 160,
        cropPct: 0.9,
        testCropPct: 0.9,
      },
      ...{ cropMode: 'center', interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [1, 1, 1] },
      ...{ labels: ['cat', 'dog', 'emu'], license: null },
    });
    expect(preset).toEqual({
      ...{ resizeSize: 177, cropSize: 160, cropMode: 'center', interpolation: 'bilinear' },
      ...{ mean: [0.5, 0.5, 0.5], std: [1, 1, 1] },
    });
    expect([labels, license]).toEqual([['cat', 'dog', 'emu'], null]);
  });

  it("has timm's defaults for what a config doesn't say", async () => {
    const { endpoint } = await served({ architecture: 'resnet18' });
    const { preset, config, close } = await openHub(REPO, { ...eager, endpoint });
    await close();
    expect([preset.resizeSize, preset.cropSize, preset.interpolation, config.numClasses]).toEqual([
      256,
      224,
      'bicubic',
      1000,
    ]);
  });

  it('has the preset of the published accuracy, or of training', async () => {
    const config = timmConfig('resnet18', { test_input_size: [3, 288, 288], test_crop_pct: 1 });
    const { endpoint } = await served(config);
    const sizes = async (options: FromHubOptions) => {
      const { preset, close } = await openHub(REPO, { ...eager, endpoint, ...options });
      await close();
      return [preset.resizeSize, preset.cropSize];
    };
    expect(await sizes({})).toEqual([288, 288]);
    expect(await sizes({ useTestSize: false })).toEqual([235, 224]);
  });

  it('takes names of classes by their numbers, with gaps', async () => {
    const { endpoint } = await served(
      timmConfig('resnet18', {}, { num_classes: 4, label_names: { 0: 'cat', 3: 'dog' } }),
    );
    const { labels, close } = await openHub(REPO, { ...eager, endpoint });
    await close();
    expect(labels).toEqual(['cat', '', '', 'dog']);
  });
});

describe('presets', () => {
  const { images, presets } = JSON.parse(
    readFileSync(new URL('../goldens/hub/presets.json', import.meta.url), 'utf8'),
  ) as {
    readonly images: readonly ['waves' | 'noise', [number, number]][];
    readonly presets: readonly { readonly config: Record<string, unknown>; readonly sha256: readonly string[] }[];
  };

  it.each(presets)(
    "$config.crop_mode $config.input_size of $config.crop_pct, $config.interpolation, is timm's bit for bit",
    async ({ config, sha256 }) => {
      const { endpoint } = await served(timmConfig('resnet18', config));
      const { transforms, close } = await openHub(REPO, { ...eager, endpoint });
      await close();
      const digests = images.map(([kind, [width, height]]) => {
        return digest(transforms(synthetic(kind, width, height)));
      });
      expect(digests).toEqual(sha256);
    },
  );
});

describe('licenses', () => {
  const warning = (license: string) => `fromHub: ${REPO} is licensed under ${license}, which excludes commercial use`;

  it.each(['cc-by-nc-4.0', 'CC BY-NC-SA 4.0', 'apple-non-commercial'])(
    '%s is told before any weights are read, where a throw ends all',
    async (license) => {
      const server = await served(timmConfig('resnet18', { license }));
      const onWarning = (message: string) => {
        throw new Error(`no: ${message}`);
      };
      const error = await thrown(fromHub(REPO, { ...eager, endpoint: server.endpoint, onWarning }));
      expect(error.message).toBe(`no: ${warning(license)}`);
      expect(server.requests.map(({ path }) => path)).toEqual([`/${REPO}/resolve/main/config.json`]);
    },
  );

  it.each(['apache-2.0', 'bsd-3-clause', 'mit'])('%s is returned without a word', async (license) => {
    const { endpoint } = await served(timmConfig('resnet18', { license }));
    const told: string[] = [];
    const onWarning = (message: string) => told.push(message);
    const result = await fromHub(REPO, { ...eager, endpoint, onWarning, returnLayers: { layer1: 'c2' } });
    expect([result.license, told]).toEqual([license, []]);
  });

  it('of weights whose configs leave it out are known by their tags', async () => {
    const repo = 'timm/resnet18.fb_swsl_ig1b_ft_in1k';
    const files = { 'config.json': timmConfig('resnet18', { license: undefined }), 'model.safetensors': resnet18 };
    const { endpoint } = await serve({ repos: { [repo]: files } });
    const { license, close } = await openHub(repo, { ...eager, endpoint });
    await close();
    expect(license).toBe('cc-by-nc-4.0');
  });
});

describe('what the hub refuses', () => {
  const repos = { [REPO]: { 'config.json': timmConfig('resnet18') } };

  it.each([
    [
      'a private repository',
      { repos, token: 'right' },
      {},
      401,
      'timm/model.tag',
      '401: gated or private, or no repository; pass token',
    ],
    [
      'a wrong token',
      { repos, token: 'right' },
      { token: 'wrong' },
      401,
      'timm/model.tag',
      '401: gated or private, or no repository; the token may not read it',
    ],
    [
      'no such repository',
      { repos: {} },
      {},
      401,
      'timm/model.tag',
      '401: gated or private, or no repository; pass token',
    ],
    ['no such revision', { repos }, { revision: 'v2' }, 404, 'revision "v2" of timm/model.tag', '404: no such one'],
  ] as const)('%s', async (_, hub, options, status, expected, got) => {
    const { endpoint } = await serve(hub);
    const error = await thrown(fromHub(REPO, { ...eager, endpoint, ...options }));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toBe(`fromHub: expected ${expected} from ${endpoint}, got ${got}`);
    expect((error as NetworkError).status).toBe(status);
  });

  it('a gated repository, whose 403 says that it is there', async () => {
    const fault: HubOptions['fault'] = (_, response) =>
      Boolean(response.writeHead(403, { 'x-error-code': 'GatedRepo' }).end());
    const { endpoint } = await serve({ repos, fault });
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error.message).toBe(`fromHub: expected ${REPO} from ${endpoint}, got 403: gated or private; pass token`);
  });

  it('a 404 that tells no reason', async () => {
    const fault: HubOptions['fault'] = (_, response) => Boolean(response.writeHead(404).end());
    const { endpoint } = await serve({ repos, fault });
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error.message).toBe(
      `fromHub: expected config.json of ${REPO} at main from ${endpoint}, ` +
        'got 404; is there such a repository? A private one takes a token',
    );
  });

  it('a repository without safetensors', async () => {
    const { endpoint } = await serve({ repos: { [REPO]: { ...repos[REPO], 'pytorch_model.bin': resnet18 } } });
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(
      `fromHub: expected model.safetensors in ${REPO} at ${COMMIT}, got a repository without one; ` +
        'openWeights reads a pytorch_model.bin',
    );
  });

  it('a repository without config', async () => {
    const { endpoint } = await serve({ repos: { [REPO]: {} } });
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(`fromHub: expected config.json in ${REPO} at main, got one that timm didn't write`);
  });

  it('a server that can’t be reached is told without the token', async () => {
    const fetch = () => Promise.reject(new TypeError('down with hf_sesame'));
    const error = await thrown(fromHub(REPO, { ...eager, endpoint: 'http://127.0.0.1:9', token: 'hf_sesame', fetch }));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toMatch(/^fromHub: expected an answer from http:\/\/127\.0\.0\.1:9\//);
    expect(error.message).not.toContain('sesame');
  });
});

describe('configs that aren’t as they should be', () => {
  const where = `fromHub: config.json of ${REPO}`;

  it.each([
    ['<!DOCTYPE html>', `${where}: expected a JSON object, got a file that begins with "<!DOCTYPE html>"`],
    ['[1]', `${where}: expected a JSON object, got a file that begins with "[1]"`],
    [{ num_classes: 3 }, `${where}: expected architecture as timm's name of a model, got undefined`],
    [{ architecture: 5 }, `${where}: expected architecture as timm's name of a model, got 5`],
    [{ architecture: 'resnet18', pretrained_cfg: [] }, `${where}: expected pretrained_cfg as an object, got []`],
    [{ architecture: 'resnet18', model_args: 1 }, `${where}: expected model_args as an object, got 1`],
    [
      { architecture: 'resnet18', num_classes: 1e9 },
      `${where}: expected num_classes as a whole number from 0 to 100000, got 1000000000`,
    ],
    [
      { architecture: 'resnet18', input_size: [3, 1e6, 1e6] },
      `${where}: expected input_size as [3, side, side] with sides up to 2048, got [3, 1000000, 1000000]`,
    ],
    // A small image would be resized to gigabytes.
    [
      { architecture: 'resnet18', test_input_size: [3, 4096, 4096] },
      `${where}: expected test_input_size as [3, side, side] with sides up to 2048, got [3, 4096, 4096]`,
    ],
    [{ architecture: 'resnet18', crop_pct: 1e-9 }, `${where}: expected crop_pct as a number from 0.25 to 1, got 1e-9`],
    [{ architecture: 'resnet18', mean: [1, 2] }, `${where}: expected mean as three numbers, got [1, 2]`],
    [{ architecture: 'resnet18', std: [1, 0, 1] }, `${where}: expected std as three numbers above 0, got [1, 0, 1]`],
    [
      { architecture: 'resnet18', num_classes: 2, label_names: ['a', 'b', 'c'] },
      `${where}: expected label_names as names of 2 classes, got ["a", "b", "c"]`,
    ],
    [{ architecture: 'resnet18', license: ['mit'] }, `${where}: expected license as a short text, got ["mit"]`],
  ])('%j', async (config, message) => {
    const { endpoint } = await served(config);
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(message);
  });

  it.each([
    [{ input_size: [1, 28, 28] }, {}, `${where}: expected input_size of 3 channels and a square, got [1, 28, 28]`],
    [{ crop_mode: 'border' }, {}, `${where}: expected crop_mode "center" or "squash", got "border"`],
    [{ interpolation: 'lanczos' }, {}, `${where}: expected interpolation "bilinear" or "bicubic", got "lanczos"`],
    [
      {},
      { model_args: { stem_type: 'deep', drop_rate: 0.2 } },
      `${where}: expected a model built by its name alone, got stem_type "deep"`,
    ],
    [
      {},
      { global_pool: 'catavgmax' },
      `${where}: expected a model built by its name alone, got global_pool "catavgmax"`,
    ],
  ])('%j with %j asks for what layertap lacks', async (cfg, top, message) => {
    const { endpoint } = await served(timmConfig('resnet18', cfg, top));
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toBe(message);
  });

  it('of more lists than a config has', async () => {
    const { endpoint } = await served(`{"architecture":"resnet18","x":${'['.repeat(3e5)}${']'.repeat(3e5)}}`);
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error.message).toMatch(/: expected a JSON object, got a file that begins with /);
  });

  it('more than 4 MiB', async () => {
    const { endpoint } = await served(`{${' '.repeat(2 ** 22)}}`);
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error.message).toBe(`${where}: expected at most 4194304 bytes, got more`);
  });

  it('weights of another architecture than the config says are refused by their keys', async () => {
    const { endpoint } = await served(timmConfig('resnet50'));
    const error = await thrown(fromHub(REPO, { ...eager, endpoint }));
    expect(error.message).toMatch(
      /^Error\(s\) in loading state_dict for ResNet: another architecture, as "layer1\.0\.conv3\.weight"/,
    );
  });
});

describe('arguments', () => {
  it.each([
    ['ftp://me:hunter2@host/x', '"…@host/x"'],
    ['me:hunter2@host', '"…@host"'],
    ['https://host/?token=hunter2', '"https://host/?…"'],
    ['huggingface.co', '"huggingface.co"'],
    ['', '""'],
    [5, '5'],
  ])('endpoint %s is refused, without what is secret of it', async (endpoint, got) => {
    const error = await thrown(fromHub(REPO, { endpoint: endpoint as string }));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(
      `fromHub: expected endpoint as an http:// or https:// address such as https://huggingface.co, got ${got}`,
    );
  });

  it.each([
    ['resnet50', {}, 'fromHub: expected a repository such as "timm/resnet50.a1_in1k", got "resnet50"'],
    ['timm/../x', {}, 'fromHub: expected a repository such as "timm/resnet50.a1_in1k", got "timm/../x"'],
    [
      'https://me:secret@hub/a/b?token=secret',
      {},
      'fromHub: expected a repository such as "timm/resnet50.a1_in1k", got "https://hub/a/b"',
    ],
    [REPO, { revision: '../main' }, 'fromHub: expected revision as a branch, tag or commit, got "../main"'],
    [REPO, { token: 'a b' }, 'fromHub: expected token as a text without spaces, got another'],
    [REPO, { cache: {} }, "fromHub: expected cache with match and put, such as folderCache's, got {}"],
    [REPO, { local: {} }, 'fromHub: expected local as { open }, got {}'],
  ])('%s with %j', async (repo, options, message) => {
    const error = await thrown(fromHub(repo, options as FromHubOptions));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(message);
  });

  it('headers aren’t an option: the token is', async () => {
    const error = await thrown(fromHub(REPO, { headers: {} } as FromHubOptions));
    expect(error.message).toMatch(/^fromHub: expected options of revision, .*, got "headers"$/);
  });
});

describe('files of a local hub', () => {
  const FILES = {
    'config.json': new TextEncoder().encode(JSON.stringify(timmConfig('resnet18'))),
    'model.safetensors': resnet18,
  };

  /** Opens a model whose files are on the disk; which of them were closed. */
  const opened = async (files: Readonly<Record<string, unknown>>, options: object = {}) => {
    const closed: string[] = [];
    const open = async (_repo: string, _revision: string, file: string) => ({
      source: files[file] as Uint8Array,
      commit: COMMIT,
      close: async () => void closed.push(file),
    });
    const result = await openHub(REPO, { ...eager, local: { open }, ...options }).catch((error: Error) => error);
    return { result, closed };
  };

  it('are closed once they are read, the weights with what was opened', async () => {
    const { result, closed } = await opened(FILES);
    expect(closed).toEqual(['config.json']);
    await (result as Awaited<ReturnType<typeof openHub>>).close();
    expect(closed).toEqual(['config.json', 'model.safetensors']);
  });

  it.each([
    ['no config', { ...FILES, 'config.json': new TextEncoder().encode('{') }, ['config.json']],
    ['no file', { ...FILES, 'config.json': 7 }, ['config.json']],
    ['no weights', { ...FILES, 'model.safetensors': new Uint8Array(9) }, ['config.json', 'model.safetensors']],
    [
      'a file that can not be looked at',
      { ...FILES, 'model.safetensors': { read: () => {}, stat: () => Promise.reject(new Error('gone')) } },
      ['config.json', 'model.safetensors'],
    ],
  ])('are closed where one is %s', async (_, files, expected) => {
    const { result, closed } = await opened(files);
    expect(result).toBeInstanceOf(Error);
    expect(closed).toEqual(expected);
  });

  it('are closed where the signal is aborted', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    const { result, closed } = await opened(FILES, { signal: controller.signal });
    expect(String(result)).toBe('Error: enough');
    expect(closed).toEqual(['config.json']);
  });
});
