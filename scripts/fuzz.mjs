/**
 * Mutates files of a format, and looks at what comes of them:
 *
 *     npm run fuzz -- --format pth-zip|pth-legacy|safetensors|index|hub-config|image --runs 1000000 --seed 1
 *
 * A mutated weight file or index of shards gives tensors of at most four times its bytes. A mutated config of a hub's
 * repository gives a model and a preset. A mutated photo or an image of a strange size gives pixels and a network's
 * input. Or each gives an error of the library. Anything else ends the run with 1: another exception, more bytes, a
 * file that takes longer than a second. The mutations (mutate.mjs) know the formats. A line comes every 100,000 files.
 */

import { parseArgs } from 'node:util';
import * as hub from '../dist/hub/index.js';
import * as library from '../dist/index.js';
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
const EVERY = 100_000;

/** @param {number} run @param {Record<string, number>} outcomes @param {number} slowestMs */
function tell(run, outcomes, slowestMs) {
  if (run % EVERY !== 0 && run !== runs) return;
  console.log(`${run} mutated files of ${format}, seed ${seed}:`, outcomes, `slowest ${slowestMs.toFixed(1)} ms`);
}

await fuzzed({ layertap: { ...library, ...hub }, format, runs, seed, onRun: tell });
