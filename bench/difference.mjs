/** How far two runtimes' outputs are apart. */

import { join } from 'node:path';
import { readFloats } from './bundle.mjs';

/** The largest difference of two runtimes' outputs, relative to the largest output. */
const TOLERANCE = 1e-4;

/**
 * The largest absolute difference of a runtime's outputs from layertap's, which both saved.
 *
 * @param {string} folder a bundle's @param {readonly string[]} outputs @param {string} runtime
 * @returns {number}
 * @throws {Error} where it is more than rounding
 */
export function difference(folder, outputs, runtime) {
  let most = 0;
  for (const name of outputs) {
    const ours = readFloats(join(folder, `layertap.${name}.bin`));
    const theirs = readFloats(join(folder, `${runtime}.${name}.bin`));
    let scale = 0;
    let largest = ours.length === theirs.length ? 0 : Number.NaN;
    ours.forEach((value, i) => {
      scale = Math.max(scale, Math.abs(value));
      largest = Math.max(largest, Math.abs(value - theirs[i]));
    });
    if (!(largest <= TOLERANCE * scale)) {
      throw new Error(
        `bench: expected "${name}" of ${runtime} within ${TOLERANCE * scale} of layertap's, got ${largest}`,
      );
    }
    most = Math.max(most, largest);
  }
  return most;
}
