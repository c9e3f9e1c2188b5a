/** Makes a bundle of a model: apart from bundle.mjs, so that a peer's process doesn't load layertap. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { saveSafetensors } from '../dist/index.js';
import { writeFloats } from './bundle.mjs';
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
