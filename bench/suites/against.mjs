/**
 * This build against another one, `npm run bench -- against COMMIT` (or a folder that has a dist/): whole models, a
 * process for each build, on one CPU, run in turn, every other turn backwards. The bound is on the median of the ratios
 * of neighbouring turns, by processor time.
 */

import { builtFrom } from '../built.mjs';
import { difference } from '../difference.mjs';
import { median, medianRatio } from '../measure.mjs';
import { gflops, modelOf } from '../models.mjs';
import { Process } from '../process.mjs';
import { withBundle } from '../write-bundle.mjs';
import { MODELS } from './models.mjs';

/** What this build's time over the other one's may be at most. */
const BOUND = 1.01;

/** A turn is long enough for a process to have its caches to itself. */
const TURN_MS = 200;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ against, engines, models, rounds, runs, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  const library = builtFrom(against);
  for (const model of models ?? MODELS) {
    await withBundle(modelOf(model), [], {}, async ({ folder, macs, outputs }) => {
      for (const engine of engines) {
        const builds = ['layertap', 'against'].map((runtime) => ({
          runtime,
          ...{ samples: /** @type {number[]} */ ([]), cpuMs: /** @type {number[]} */ ([]) },
          description: /** @type {any} */ (null),
        }));
        for (let round = 0; round < rounds; round++) {
          log(`${model}, node ${engine.major}, round ${round + 1} of ${rounds}`);
          const order = round % 2 === 0 ? builds : [...builds].reverse();
          const processes = new Map(order.map(({ runtime }) => [runtime, new Process(engine, cpu)]));
          const call = (/** @type {string} */ runtime, /** @type {string} */ name, /** @type {unknown[]} */ ...args) =>
            /** @type {Process} */ (processes.get(runtime)).call('subject.mjs', name, ...args);
          try {
            let turns = Infinity;
            for (const build of order) {
              const { runtime } = build;
              const bundle = { model, folder, threads: 1, ...(runtime === 'against' && { library }) };
              build.description = await call(runtime, 'load', 'layertap', bundle);
              await call(runtime, 'save', runtime, bundle);
              turns = Math.min(turns, Math.max(1, Math.round(TURN_MS / (await call(runtime, 'settle')))));
            }
            difference(folder, outputs, 'against');
            for (let turn = 0; turn < runs; turn++) {
              for (const { runtime, samples, cpuMs } of turn % 2 === 0 ? order : [...order].reverse()) {
                const sample = await call(runtime, 'time', turns);
                samples.push(sample.ms);
                cpuMs.push(sample.cpuMs);
              }
            }
          } finally {
            for (const process of processes.values()) process.end();
          }
        }
        const ratio = medianRatio(builds[0].cpuMs, builds[1].cpuMs);
        for (const { runtime, samples, description } of builds) {
          const { engine, binary, peakRssMB } = description;
          const medianMs = median(samples);
          result.rows.push({
            ...{
              suite: 'against',
              model,
              runtime: runtime === 'against' ? against : runtime,
              engine,
              binary,
              threads: 1,
            },
            ...{ medianMs, minMs: Math.min(...samples), gflops: gflops(macs, medianMs), peakRssMB, maxAbsDiff: null },
            ...(runtime === 'layertap' && { ratio }),
          });
        }
        const name = `node ${engine.major}: ${model}, time / ${against}'s`;
        result.checks.push({ name, value: ratio, bound: BOUND });
      }
    });
  }
  return result;
}
