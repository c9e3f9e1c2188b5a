/**
 * A model on disk, as each runtime loads it: written once by write-bundle.mjs, so that all compute with the same
 * numbers.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./lower.mjs').Lowered} Lowered */

/** What a runtime can't do; the benchmark goes on without it. */
export class Unsupported extends Error {}

/** @param {string} file @param {Float32Array} values */
export function writeFloats(file, values) {
  writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** @param {string} file @returns {Float32Array<ArrayBuffer>} */
export function readFloats(file) {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  const floats = new Float32Array(buffer, byteOffset, byteLength / 4);
  return /** @type {Float32Array<ArrayBuffer>} */ (floats);
}

/** @param {string} folder @returns {Lowered} */
export function readProgram(folder) {
  return JSON.parse(readFileSync(join(folder, 'program.json'), 'utf8'));
}

/**
 * The constants of a program, in its order.
 *
 * @param {string} folder @param {Lowered} program @param {string} [file] the block's; in PyTorch's order unless given
 * @returns {{ data: Float32Array<ArrayBuffer>, shape: readonly number[] }[]}
 */
export function constantsOf(folder, { constants }, file = 'constants.bin') {
  const block = readFloats(join(folder, file));
  return constants.map(({ offset, shape }) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { data: block.subarray(offset, offset + length), shape };
  });
}
