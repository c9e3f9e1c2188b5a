/**
 * Weights and inputs without files: each element is a function of its state-dict key and its index, so every process
 * and every runtime computes with the same numbers. Scaled as Kaiming does, with running statistics that are far from 0
 * and 1.
 */

import { Tensor } from '../dist/index.js';

/** The seed of a key. @see FNV-1a @param {string} key @returns {number} */
function seedOf(key) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash;
}

/**
 * Numbers spread evenly over [low, high).
 *
 * @see fmix32, the finaliser of MurmurHash3
 * @param {string} key @param {number} count @param {number} low @param {number} high
 * @returns {Float32Array<ArrayBuffer>}
 */
export function uniform(key, count, low, high) {
  const values = new Float32Array(count);
  const scale = (high - low) / 2 ** 32;
  const seed = seedOf(key);
  for (let i = 0; i < count; i++) {
    let h = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    values[i] = low + ((h ^ (h >>> 16)) >>> 0) * scale;
  }
  return values;
}

/**
 * A tensor of the numbers that belong to a state-dict key.
 *
 * @param {string} key @param {readonly number[]} shape @param {number} normScale of norms' weights
 */
function weight(key, shape, normScale) {
  const count = shape.reduce((product, size) => product * size, 1);
  if (key.endsWith('num_batches_tracked')) return new Tensor(new BigInt64Array(count), shape, 'int64');
  if (key.endsWith('running_var')) return new Tensor(uniform(key, count, 0.5, 2), shape);
  if (key.endsWith('running_mean') || key.endsWith('bias')) return new Tensor(uniform(key, count, -0.2, 0.2), shape);
  if (shape.length === 1) return new Tensor(uniform(key, count, 0.6 * normScale, 1.2 * normScale), shape);
  const bound = Math.sqrt((6 * shape[0]) / count);
  return new Tensor(uniform(key, count, -bound, bound), shape);
}

/**
 * A state dict for a module.
 *
 * @param {import('../dist/index.js').Module<any>} module
 * @param {number} [normScale] by which norms' weights are multiplied
 */
export function stateDictOf(module, normScale = 1) {
  return new Map([...module.stateShapes()].map(([key, shape]) => [key, weight(key, shape, normScale)]));
}

/** An input, as an image that was normalised. @param {readonly number[]} shape */
export function inputOf(shape) {
  return new Tensor(
    uniform(
      'input',
      shape.reduce((product, size) => product * size, 1),
      -2,
      2,
    ),
    shape,
  );
}
