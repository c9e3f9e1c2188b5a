/** Features as a file: safetensors, or numpy's. */

import { saveSafetensors } from 'layertap';
import { FORMATS } from './choices.js';
import { UsageError } from './failures.js';
import { npyBytes, npzBytes } from './npy.js';

/** @typedef {import('./choices.js').Format} Format */

/**
 * The format that a file's name asks for by its end, if any.
 *
 * @param {string} path
 * @returns {Format | undefined}
 */
export function formatOf(path) {
  return FORMATS.find((format) => path.toLowerCase().endsWith(`.${format}`));
}

/**
 * Fails what a format can't hold, before anything is computed.
 *
 * @param {Format} format
 * @param {number} features
 * @throws {UsageError}
 */
export function checkFormat(format, features) {
  if (format === 'npy' && features !== 1) {
    throw new UsageError(`expected one layer for .npy, got ${features}; .npz and .safetensors hold several`);
  }
}

/**
 * The file's bytes.
 *
 * @param {Format} format
 * @param {readonly [string, import('layertap').Tensor<Float32Array>][]} features in order of execution
 * @returns {Uint8Array}
 */
export function featureBytes(format, features) {
  if (format === 'npy') return npyBytes(features[0][1]);
  if (format === 'npz') return npzBytes(features);
  return saveSafetensors(features, [], { sorted: false });
}
