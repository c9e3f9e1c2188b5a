/** WASM memory over many runs of one input shape, and over many input shapes. */

import { models } from '../../dist/index.js';
import { median, peakRssMB, timed } from '../measure.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

const RUNS = 1000;
const SHAPES = 200;
const SIZES = { least: 33, most: 128 };

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const engine of engines) {
    log(`memory, node ${engine.major}`);
    for (const name of ['runs', 'shapes']) {
      const process = new Process(engine, cpu);
      const row = await process.call('suites/memory.mjs', name);
      process.end();
      result.rows.push(row);
      const { model, memoryMB, leastMemoryMB } = row;
      result.checks.push({
        name: `node ${engine.major}: ${model}, WASM memory`,
        value: memoryMB / leastMemoryMB,
        bound: 1,
      });
    }
  }
  return result;
}

/** @returns {import('../../dist/index.js').Module} */
function loaded() {
  const module = models.resnet18();
  module.loadStateDict(stateDictOf(module));
  return module;
}

/** WASM memory after the first run and after the last. */
export async function runs() {
  const module = loaded();
  const x = inputOf([1, 3, 64, 64]);
  module.call(x);
  const first = megabytes(module);
  const samples = [];
  for (let i = 1; i < RUNS; i++) samples.push(await timed(() => module.call(x)));
  return row(`resnet18 at 64, ${RUNS} runs`, module, first, samples);
}

/** WASM memory after inputs of many sizes, and that of the largest one alone. */
export async function shapes() {
  const module = loaded();
  const { least, most } = SIZES;
  const samples = [];
  for (let i = 0; i < SHAPES; i++) {
    // Steps that have no factor in common with the range: every size comes, none in order; the largest one half-way.
    const size = (/** @type {number} */ step) => (i === SHAPES / 2 ? most : least + ((i * step) % (most - least)));
    const x = inputOf([1, 3, size(37), size(53)]);
    samples.push(await timed(() => module.call(x)));
  }
  const largest = loaded();
  largest.call(inputOf([1, 3, most, most]));
  return row(`resnet18, ${SHAPES} input shapes`, module, megabytes(largest), samples);
}

/** @param {any} module */
function megabytes(module) {
  return module.compiled.memoryBytes / 2 ** 20;
}

/** @param {string} model @param {any} module @param {number} leastMemoryMB @param {readonly number[]} samples */
function row(model, module, leastMemoryMB, samples) {
  return {
    ...{
      suite: 'memory',
      model,
      runtime: 'layertap',
      engine: `node ${process.versions.node}`,
      binary: module.compiled.binary,
    },
    ...{ threads: 1, medianMs: median(samples), minMs: Math.min(...samples), gflops: null, peakRssMB: peakRssMB() },
    ...{ maxAbsDiff: null, memoryMB: megabytes(module), leastMemoryMB },
  };
}
