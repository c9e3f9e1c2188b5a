/** What the formats are that `npm run fuzz` and the tests mutate, and what may come of a mutated file. */

import { readFileSync } from 'node:fs';
import { CommandError } from '../cli/src/failures.js';
import { decodePhoto } from '../cli/src/photo.js';
import { mutator } from './mutate.mjs';

/** @typedef {typeof import('../dist/index.js') & typeof import('../dist/hub/index.js')} Library */
/**
 * @typedef {{ layertap: Library, format: string, runs: number, seed: number,
 *   onRun?: (run: number, outcomes: Record<string, number>, slowestMs: number) => void }} Fuzzing
 */
/** @typedef {ReturnType<typeof mutator>} Mutator */

const GOLDENS = new URL('../test/goldens/', import.meta.url);
const pth = (/** @type {string} */ name) => new Uint8Array(readFileSync(new URL(`pth/${name}.pth`, GOLDENS)));

/** Tensors may have so many times a file's bytes, and so many bytes in any case. */
const MOST_TIMES = 4;
const LEAST_BYTES = 2 ** 20;

/** The longest that a file may take. */
const MOST_MS = 1000;

/** Processor time, since a busy machine is no hang. */
const timeOf = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Sizes of images and crops that filters break at. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 97, 200];

/** One of every hundred images has a side like this; the other one is small. */
const LONG = [1000, 4099, 65_537];

/** Arguments that are no sizes. */
const NO_SIZES = [0, -1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53, null, '8'];

/**
 * What is mutated of each format, and what is done with it.
 *
 * @type {Record<string, (layertap: Library) => Promise<{ files: Uint8Array[], use(bytes: Uint8Array, mutated: Mutator):
 *   Promise<void> }>>}
 */
export const subjects = {
  'pth-zip': async (layertap) => weights(layertap, ['state-dict.zip', 'checkpoint.zip', 'module.zip'].map(pth)),
  'pth-legacy': async (layertap) =>
    weights(layertap, ['state-dict.legacy', 'checkpoint.legacy', 'module.legacy'].map(pth)),
  safetensors: async (layertap) =>
    weights(layertap, [layertap.saveSafetensors(await layertap.loadWeights(pth('state-dict.zip')))]),
  index: async (layertap) => {
    const tensors = [...(await layertap.loadWeights(pth('state-dict.zip')))];
    const names = ['1.safetensors', '2.safetensors', '3.safetensors'];
    const shards = new Map(
      names.map((name, i) => [name, layertap.saveSafetensors(tensors.filter((_, at) => at % names.length === i))]),
    );
    const map = Object.fromEntries(tensors.map(([name], at) => [name, names[at % names.length]]));
    const index = { metadata: { total_size: 1234 }, weight_map: map };
    return weights(layertap, [bytesOf(index)], (name) => shards.get(name) ?? new Uint8Array(0));
  },
  'hub-config': async (layertap) => ({
    files: CONFIGS.map(bytesOf),
    use: (bytes, { random }) => useConfig(layertap, bytes, random(20) === 0),
  }),
  image: async (layertap) => {
    const { equal } = JSON.parse(readFileSync(new URL('pictures/pictures.json', GOLDENS), 'utf8'));
    const files = Object.values(equal).map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')));
    // The decoder's own start takes no file's time.
    await decodePhoto('photo', files[0]);
    return { files, use: (bytes, mutated) => useImage(layertap, bytes, mutated) };
  },
};

/** @param {object} value */
const bytesOf = (value) => new Uint8Array(Buffer.from(JSON.stringify(value)));

/** Configs of repositories as timm writes them now, and as it wrote them before 0.9. */
const PRETRAINED = {
  ...{ tag: 'a1_in1k', custom_load: false, input_size: [3, 224, 224], test_input_size: [3, 288, 288] },
  ...{ fixed_input_size: false, interpolation: 'bicubic', crop_pct: 0.95, test_crop_pct: 1, crop_mode: 'center' },
  ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], num_classes: 1000, pool_size: [7, 7] },
  ...{ first_conv: 'conv1', classifier: 'fc', license: 'apache-2.0' },
};
const CONFIGS = [
  {
    ...{
      architecture: 'resnet18',
      num_classes: 3,
      num_features: 512,
      global_pool: 'avg',
      label_names: ['a', 'b', 'c'],
    },
    ...{ model_args: { drop_rate: 0.1 }, pretrained_cfg: { ...PRETRAINED, num_classes: 3 } },
  },
  { architecture: 'mobilenetv3_small_100', num_features: 1024, ...PRETRAINED },
];

/**
 * A repository with a config, and a photo prepared as it says.
 *
 * @param {Library} layertap @param {Uint8Array} config @param {boolean} isPrepared
 */
async function useConfig({ openHub, imageFromRgb, saveSafetensors }, config, isPrepared) {
  const commit = '0'.repeat(40);
  const empty = saveSafetensors(new Map());
  const hub = await openHub('timm/model.tag', {
    ...{ onWarning: null, retries: 0, fetch: () => Promise.reject(new Error('expected no request')) },
    local: {
      open: async (_repo, _revision, file) => ({
        source: file === 'config.json' ? config : empty,
        commit,
        close: async () => {},
      }),
    },
  });
  if (!isPrepared) return;
  const { shape } = hub.transforms(imageFromRgb(new Uint8Array(3 * 9 * 7), 9, 7));
  const side = hub.preset.cropSize;
  if (String(shape) !== String([1, 3, side, side])) throw new Error(`expected an input of side ${side}, got ${shape}`);
}

/** @param {Library} layertap @param {Uint8Array[]} files @param {(name: string) => Uint8Array} [shard] of an index */
function weights({ openWeights }, files, shard) {
  return {
    files,
    /** @param {Uint8Array} bytes @param {Mutator} mutated */
    async use(bytes, { random }) {
      const tensors = await (await openWeights(bytes, { shard, ...(random(3) === 0 && { key: 'model' }) })).load();
      let total = 0;
      for (const { data } of tensors.values()) total += data.byteLength;
      if (total > Math.max(LEAST_BYTES, MOST_TIMES * bytes.length)) {
        throw new Error(`expected tensors of ${MOST_TIMES} times ${bytes.length} bytes at most, got ${total}`);
      }
    },
  };
}

/**
 * A photo of mutated bytes, and every twentieth time not: pixels of a strange size, given to the presets.
 *
 * @param {Library} layertap @param {Uint8Array} bytes @param {Mutator} mutated
 */
async function useImage(layertap, bytes, { random, one }) {
  const size = () => /** @type {number} */ (random(20) === 0 ? one(NO_SIZES) : one(SIZES));
  let image;
  if (random(20) === 0) image = await decodePhoto('photo', bytes);
  else {
    const [width, height] = random(100) === 0 ? [one(LONG), 1 + random(3)] : [size(), size()];
    const channels = 3 + random(2);
    const wanted = width * height * channels;
    const pixels = new Uint8Array(wanted > 0 && wanted < 2 ** 20 ? wanted + (random(50) === 0 ? 1 : 0) : random(100));
    for (let i = 0; i < Math.min(pixels.length, 4096); i++) pixels[i] = random(256);
    image =
      channels === 3 ? layertap.imageFromRgb(pixels, width, height) : layertap.imageFromRgba(pixels, width, height);
  }
  const interpolation = /** @type {'bilinear'} */ (one(['bilinear', 'bicubic', 'bilinear', 'bicubic', 'nearest?']));
  const [resizeSize, cropSize] = [size(), size()];
  // Of an image of 1 x 65,537 pixels, the shorter side's 33 are two million of the other: that is no hang.
  const isLong = Math.max(image.width, image.height) > 50 * Math.min(image.width, image.height);
  const x =
    isLong || random(2) === 0
      ? layertap.imageClassification(image, { interpolation, resizeSize, cropSize })
      : layertap.semanticSegmentation(image, { interpolation, resizeSize: resizeSize === 200 ? 33 : resizeSize });
  for (const value of x.data) if (!Number.isFinite(value)) throw new Error(`expected numbers, got ${value}`);
}

/**
 * Mutates files, and counts what comes of them.
 *
 * @param {Fuzzing} fuzzing
 * @throws {Error} where a file ends in anything but its use or an error of the library; with the run and the seed
 */
export async function fuzzed({ layertap, format, runs, seed, onRun }) {
  const { files, use } = await subjects[format](layertap);
  const mutated = mutator(seed);
  /** @type {Record<string, number>} */
  const outcomes = {};
  let slowestMs = 0;
  for (let run = 0; run < runs; run++) {
    const bytes = mutated.file(format, files);
    const begin = timeOf();
    let outcome = 'used';
    try {
      await use(bytes, mutated);
    } catch (error) {
      if (!(error instanceof layertap.LayertapError) && !(error instanceof CommandError)) {
        throw new Error(`fuzz: run ${run} of ${format}, seed ${seed}: ${error}`, { cause: error });
      }
      outcome = error.constructor.name;
    }
    const ms = timeOf() - begin;
    slowestMs = Math.max(slowestMs, ms);
    if (ms > MOST_MS) throw new Error(`fuzz: run ${run} of ${format}, seed ${seed}: took ${ms.toFixed(0)} ms`);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    onRun?.(run + 1, outcomes, slowestMs);
  }
  return { outcomes, slowestMs };
}
