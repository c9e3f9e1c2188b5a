/** The constants as tfjs has them, so that loading doesn't have to reorder them. */

import { join } from 'node:path';
import { constantsOf, readProgram, writeFloats } from '../../bundle.mjs';
import { oihwToHwio, transposed } from '../../layout.mjs';

/**
 * Writes tfjs.bin: weights `[H, W, I, O]`, depthwise `[H, W, O, 1]`, linear `[I, O]`. @param {string} folder a bundle's
 */
export function write(folder) {
  const program = readProgram(folder);
  const constants = constantsOf(folder, program);
  const block = new Float32Array(constants.reduce((sum, { data }) => sum + data.length, 0));
  constants.forEach(({ data, shape }, i) => {
    const ordered =
      shape.length === 4
        ? oihwToHwio(data, shape)
        : shape.length === 2
          ? transposed(data, 1, shape[0], shape[1])
          : data;
    block.set(ordered, program.constants[i].offset);
  });
  writeFloats(join(folder, 'tfjs.bin'), block);
}
