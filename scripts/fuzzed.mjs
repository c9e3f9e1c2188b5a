/** What the formats are that `npm run fuzz` and the tests mutate, and what may come of a mutated file. */

import { readFileSync } from 'node:fs';
import { CommandError } from '../cli/src/failures.js';
import { decodePhoto } from '../cli/src/photo.js';
import { mutator } from './mutate.mjs';

/** @typedef {typeof import('../dist/index.js')} Library */
/** @typedef {{ layertap: Library, format: string, runs: number, seed: number }} Fuzzing */
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
  image: async (layertap) => {
    const { equal } = JSON.parse(readFileSync(new URL('pictures/pictures.json', GOLDENS), 'utf8'));
    const files = Object.values(equal).map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')));
    // The decoder's own start takes no file's time.
    await decodePhoto('photo', files[0]);
    return { files, use: (bytes, mutated) => useImage(layertap, bytes, mutated) };
  },
};

/** @param {Library} layertap @param {Uint8Array[]} files */
function weights({ openWeights }, files) {
  return {
    files,
    /** @param {Uint8Array} bytes @param {Mutator} mutated */
    async use(bytes, { random }) {
      const tensors = await (await openWeights(bytes, random(3) === 0 ? { key: 'model' } : {})).load();
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
export async function fuzzed({ layertap, format, runs, seed }) {
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
  }
  return { outcomes, slowestMs };
}
