/** A model on disk, as each runtime loads it: written once, so that all compute with the same weights and input. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { saveSafetensors } from '../dist/index.js';
import { lower } from './lower.mjs';
import { modelOf, traced } from './models.mjs';
import { inputOf, stateDictOf } from './weights.mjs';

/**
 * Writes into `folder`: model.safetensors, program.json and constants.bin (see lower.mjs), and input.bin.
 *
 * @param {string} name a model @param {string} folder
 * @returns {{ macs: number, outputs: string[] }}
 */
export function writeBundle(name, folder) {
  const { build, shape } = modelOf(name);
  const module = build();
  const stateDict = stateDictOf(module);
  module.loadStateDict(stateDict);
  const { program, names, macs } = traced(module, shape);
  const { lowered, block } = lower(program, names);
  writeFileSync(join(folder, 'model.safetensors'), saveSafetensors(stateDict));
  writeFileSync(join(folder, 'program.json'), JSON.stringify(lowered));
  writeFloats(join(folder, 'constants.bin'), block);
  writeFloats(join(folder, 'input.bin'), inputOf(shape).data);
  return { macs, outputs: names };
}

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
