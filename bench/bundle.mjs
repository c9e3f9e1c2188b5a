/** A model on disk, as each runtime loads it: written once by write-bundle.mjs, so that all compute with the same numbers. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a runtime can't do; the benchmark goes on without it. */
export class Unsupported extends Error {}

/** @param {string} file @param {Float32Array} values */
export function writeFloats(file, values) {
  writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** @param {string} file @returns {Float32Array<ArrayBuffer>} */
export function readFloats(file) {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength / 4);
}

/** @param {string} folder @returns {import('./lower.mjs').Lowered} */
export function readProgram(folder) {
  return JSON.parse(readFileSync(join(folder, 'program.json'), 'utf8'));
}
