/**
 * Mutates files of a format, and looks at what comes of them:
 *
 *     npm run fuzz -- --format pth-zip|pth-legacy|safetensors|image --runs 1000000 --seed 1
 *
 * A mutated weight file gives tensors of at most four times its bytes, a mutated photo or an image of a strange size
 * gives pixels and a network's input, or an error of the library. Anything else ends the run with 1: another exception,
 * more bytes, a file that takes longer than a second. The mutations (mutate.mjs) know the formats.
 */

import { parseArgs } from 'node:util';
import * as layertap from '../dist/index.js';
import { fuzzed, subjects } from './fuzzed.mjs';

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: 'pth-zip' },
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
});
const { format } = values;
const [runs, seed] = [values.runs, values.seed].map(Number);
const formats = Object.keys(subjects);
if (!formats.includes(format) || !(runs >= 1) || !Number.isSafeInteger(seed)) {
  throw new RangeError(`fuzz: expected --format of ${formats.join(', ')}, and whole numbers of runs and seed`);
}
const { outcomes, slowestMs } = await fuzzed({ layertap, format, runs, seed });
console.log(`${runs} mutated files of ${format}, seed ${seed}:`, outcomes, `slowest ${slowestMs.toFixed(1)} ms`);
