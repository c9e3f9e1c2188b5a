/** What `enableRevectorization` of layertap/node is worth: the same model with 128-bit and with 256-bit code, in two processes in turn. */

import { enableRevectorization } from '../../dist/node/index.js';
import { median, medianRatio, peakRssMB, timed, warmUp } from '../measure.mjs';
import { gflops, modelOf, traced } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, models, runs, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const engine of engines) {
    if (Number(engine.major) < 24) {
      log(`revectorize: node ${engine.major} has no 256-bit code`);
      continue;
    }
    for (const model of models ?? ['resnet50', 'resnet18', 'mobilenet_v3_large']) {
      log(`revectorize, node ${engine.major}, ${model}`);
      const sides = [false, true].map((isWide) => ({ isWide, process: new Process(engine, cpu) }));
      const [narrow, wide] = [[], []].map(() => /** @type {number[]} */ ([]));
      const loaded = [];
      for (const { isWide, process } of sides) {
        loaded.push(await process.call('suites/revectorize.mjs', 'load', model, isWide));
      }
      if (loaded[0].output !== loaded[1].output) throw new Error(`bench: expected the same bits of ${model}`);
      for (let i = 0; i < runs; i++) {
        narrow.push(await sides[0].process.call('suites/revectorize.mjs', 'time'));
        wide.push(await sides[1].process.call('suites/revectorize.mjs', 'time'));
      }
      for (const { process } of sides) process.end();
      [narrow, wide].forEach((samples, k) => {
        const { binary, engine: name, macs, peakMB } = loaded[k];
        const medianMs = median(samples);
        result.rows.push({
          ...{ suite: 'revectorize', model, runtime: `layertap, ${k === 0 ? 128 : 256}-bit`, engine: name, binary },
          ...{ threads: 1, medianMs, minMs: Math.min(...samples), gflops: gflops(macs, medianMs), peakRssMB: peakMB },
          ...{ maxAbsDiff: k === 0 ? null : 0, ...(k === 1 && { ratio: medianRatio(wide, narrow) }) },
        });
      });
    }
  }
  return result;
}

/** @type {() => unknown} */
let call;

/** In a process of its own: compiles, and runs until the engine has settled. @param {string} name @param {boolean} isWide */
export async function load(name, isWide) {
  if (isWide) enableRevectorization();
  const { build, shape } = modelOf(name);
  const module = build();
  module.loadStateDict(stateDictOf(module));
  const x = inputOf(shape);
  const output = /** @type {any} */ (module.call(x));
  call = () => module.call(x);
  await warmUp(call);
  const { macs } = traced(module, shape);
  const { binary } = /** @type {any} */ (module.compiled);
  const bits = output.data ? Buffer.from(output.data.buffer).toString('base64') : '';
  return { output: bits, binary, engine: `node ${process.versions.node}`, macs, peakMB: peakRssMB() };
}

/** In the same process: milliseconds of a run. */
export const time = () => timed(call);
