/** Pictures and weights whose results are known. */

import { crc32, deflateSync } from 'node:zlib';
import { lraspp_mobilenet_v3_large, saveSafetensors, shufflenet_v2_x0_5, Tensor } from 'layertap';
import { createModel } from 'layertap/models';

/**
 * A picture as PNG.
 *
 * @param {number} width @param {number} height
 * @param {(x: number, y: number) => readonly number[]} colorAt
 */
export function png(width, height, colorAt) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(colorAt(x, y), y * (1 + width * 3) + 1 + x * 3);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([signature, ...parts]);
}

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

/** The left half black, the right half white, in the size of the digits network's scenes. */
export const halves = png(160, 128, (x) => (x < 80 ? [0, 0, 0] : [255, 255, 255]));

/** Stripes across, of two colours. */
export const stripes = png(160, 128, (_, y) => (y % 32 < 16 ? [200, 40, 40] : [40, 40, 200]));

/** The stripes with another red, which nobody tells from them by sight. */
export const likeStripes = png(160, 128, (_, y) => (y % 32 < 16 ? [198, 42, 40] : [40, 40, 200]));

/** The classes of {@link classifier}. */
export const CLASSES = 7;

/** The class that {@link classifier} always sees, by its bias. */
export const SEEN = 2;

/** Its probability where all other scores are 0: e³ / (e³ + 6). */
export const PROBABILITY = Math.exp(3) / (Math.exp(3) + CLASSES - 1);

/**
 * A small network's weights: seeded noise, and a last layer that always says the same.
 *
 * @param {{ score?: number, prefix?: string }} options the score of {@link SEEN}, and what names begin with
 */
export function classifier({ score = 3, prefix = '' } = {}) {
  return weightsOf(shufflenet_v2_x0_5({ numClasses: CLASSES }), { prefix, values: { 'fc.bias': { [SEEN]: score } } });
}

/** Weights of a network of torchvision: seeded noise. @param {string} name */
export const noise = (name) => weightsOf(createModel(name));

/** Weights of a network of one class, whose score is the same for all pixels. @param {number} score */
export function oneClass(score) {
  const values = { 'classifier.low_classifier.bias': { 0: score } };
  return weightsOf(lraspp_mobilenet_v3_large({ numClasses: 1 }), { values, isZero: /^classifier\..*_classifier\./ });
}

/**
 * A file with seeded noise for a network.
 *
 * @param {import('layertap').AnyModule} model
 * @param {{ prefix?: string, values?: Record<string, Record<number, number>>, isZero?: RegExp }} options
 */
function weightsOf(model, { prefix = '', values = {}, isZero = /^$/ } = {}) {
  const random = mulberry32(1);
  const tensors = new Map();
  for (const [key, shape] of model.stateShapes()) {
    const count = shape.reduce((product, size) => product * size, 1);
    const bound = Math.sqrt((6 * (shape[0] ?? 1)) / count);
    const data = new Float32Array(count);
    if (values[key]) Object.assign(data, values[key]);
    else if (isZero.test(key)) data.fill(0);
    else if (shape.length === 4) for (let i = 0; i < count; i++) data[i] = (random() * 2 - 1) * bound;
    else if (shape.length === 1 && /(weight|running_var)$/.test(key)) data.fill(1);
    tensors.set(`${prefix}${key}`, new Tensor(data, shape));
  }
  return Buffer.from(saveSafetensors(tensors));
}

/** @param {number} seed */
function mulberry32(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
