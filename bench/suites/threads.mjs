/**
 * One thread against several, on all CPUs: asynchronous calls without a pool, with a pool of one thread, and of two and
 * more.
 */

import { availableParallelism } from 'node:os';
import { ThreadPool } from '../../dist/threads/index.js';
import { interleaved, median, medianRatio, peakRssMB, warmUp } from '../measure.mjs';
import { gflops, modelOf, traced } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

/** Least speedup of two threads, and most that a pool of one thread may take of what none takes. */
const TWO_THREADS = 1.7;
const ONE_THREAD = 1.05;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, models, runs, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  const cpus = `0-${availableParallelism() - 1}`;
  for (const engine of engines) {
    for (const model of models ?? ['resnet50']) {
      log(`threads, node ${engine.major}, ${model}`);
      const process = new Process(engine, cpus);
      const rows = await process.call('suites/threads.mjs', 'measure', model, runs);
      process.end();
      result.rows.push(...rows);
      const ratioOf = (/** @type {string} */ runtime) =>
        rows.find((/** @type {any} */ row) => row.runtime === runtime)?.ratio ?? Number.NaN;
      const name = `node ${engine.major}: ${model}`;
      result.checks.push(
        { name: `${name}, a pool of one thread / no pool`, value: ratioOf('layertap, pool of 1'), bound: ONE_THREAD },
        {
          ...{ name: `${name}, one thread / two`, value: 1 / ratioOf('layertap, pool of 2') },
          ...{ bound: TWO_THREADS, isLeast: true },
        },
      );
    }
  }
  return result;
}

/**
 * In a process of its own. @param {string} name @param {number} count @returns {Promise<import('../report.mjs').Row[]>}
 */
export async function measure(name, count) {
  const { build, shape } = modelOf(name);
  const x = inputOf(shape);
  const most = Math.max(2, availableParallelism());
  const subjects = [];
  for (const threads of [0, 1, 2, ...(most > 2 ? [most] : [])]) {
    const module = build();
    module.loadStateDict(stateDictOf(module));
    if (threads > 0) module.compile({ pool: await ThreadPool.create(threads) });
    subjects.push({ threads, module, call: () => module.callAsync(x) });
  }
  const { macs } = traced(subjects[0].module, shape);
  for (const { call } of subjects) await warmUp(call);
  const samples = await interleaved(
    subjects.map(({ call }) => call),
    count,
  );
  return subjects.map(({ threads, module }, k) => {
    const medianMs = median(samples[k]);
    return {
      ...{ suite: 'threads', model: name, runtime: threads === 0 ? 'layertap' : `layertap, pool of ${threads}` },
      ...{ engine: `node ${process.versions.node}`, binary: module.compiled?.binary ?? '', threads: threads || 1 },
      ...{ medianMs, minMs: Math.min(...samples[k]), gflops: gflops(macs, medianMs) },
      ...{ peakRssMB: peakRssMB(), maxAbsDiff: null, ...(k > 0 && { ratio: medianRatio(samples[k], samples[0]) }) },
    };
  });
}
