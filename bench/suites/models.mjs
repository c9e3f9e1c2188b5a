/**
 * Whole models in layertap and in its peers: a process for each, on one CPU, run in turn; same weights, same input,
 * outputs compared before timing. Bounds are on the time of the fastest WASM peer over layertap's, by processor time:
 * on one CPU it is the time of a run, less what others had the CPU meanwhile.
 */

import { difference } from '../difference.mjs';
import { median, medianRatio } from '../measure.mjs';
import { gflops, modelOf } from '../models.mjs';
import { PEERS } from '../peers.mjs';
import { Process } from '../process.mjs';
import { withBundle } from '../write-bundle.mjs';

/**
 * The least that the fastest WASM peer's time over layertap's may be, by the engine. @type {Readonly<Record<string,
 * Readonly<Record<string, number>>>>}
 */
const BOUNDS = {
  resnet18: { 20: 2.4, 24: 2.2 },
  resnet50: { 20: 1.6, 24: 1.5 },
  'getter-resnet50': { 20: 1.6, 24: 1.5 },
  mobilenet_v2: { 20: 1.4, 24: 1.4 },
  mobilenet_v3_large: { 20: 1.4, 24: 1.4 },
  deeplabv3_resnet50: { 20: 2.2, 24: 2.2 },
};

/** The models that are measured unless others are named. */
export const MODELS = Object.keys(BOUNDS);

/** The least geometric mean over all of a suite's models. */
const MEAN_BOUND = 1.7;

/** A turn is long enough for a process to have its caches to itself. */
const TURN_MS = 200;

/** A round takes no more turns after this, but three. */
const ROUND_MS = 45_000;
const LEAST_TURNS = 3;

/** @typedef {{ model: string, engine: string, value: number }} Speedup the fastest WASM peer's time over layertap's */

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export const run = (context) => compareAll(context, 'models', BOUNDS);

/**
 * The named models, or a suite's own, beside the peers.
 *
 * @param {import('../run.mjs').Context} context @param {string} suite
 * @param {Readonly<Record<string, Readonly<Record<string, number>>>>} bounds of each model of the suite, by the engine
 * @returns {Promise<import('../report.mjs').Result>}
 */
export async function compareAll(context, suite, bounds) {
  /** @type {import('../report.mjs').Row[]} */
  const rows = [];
  /** @type {Speedup[]} */
  const speedups = [];
  /** @type {string[]} */
  const failures = [];
  for (const model of context.models ?? Object.keys(bounds)) {
    try {
      await withBundle(modelOf(model), context.peers, {}, async (bundle) => {
        for (const engine of context.engines) {
          const measured = await compare(context, engine, { suite, model, ...bundle });
          rows.push(...measured);
          const ratios = measured.flatMap(({ runtime, speedup }) =>
            speedup === undefined || PEERS[runtime].isNative ? [] : [/** @type {number} */ (speedup)],
          );
          if (ratios.length > 0) speedups.push({ model, engine: engine.major, value: Math.min(...ratios) });
        }
      });
    } catch (error) {
      // A model that fails doesn't take the others' minutes with it.
      failures.push(`${model}: ${/** @type {Error} */ (error).message}`);
    }
  }
  return { rows, failures, checks: context.engines.flatMap(({ major }) => checksOf(major, speedups, bounds)) };
}

/**
 * @param {string} engine @param {readonly Speedup[]} speedups @param {Parameters<typeof compareAll>[2]} bounds
 * @returns {import('../report.mjs').Check[]}
 */
function checksOf(engine, speedups, bounds) {
  const bounded = speedups.filter((one) => one.engine === engine && bounds[one.model]?.[engine]);
  const checks = bounded.map(({ model, value }) => ({
    name: `node ${engine}: ${model}, the fastest WASM peer's time / layertap's`,
    value,
    bound: bounds[model][engine],
    isLeast: true,
  }));
  if (bounded.length < Object.keys(bounds).length) return checks;
  const value = Math.exp(bounded.reduce((sum, one) => sum + Math.log(one.value), 0) / bounded.length);
  return [...checks, { name: `node ${engine}: geometric mean of these`, value, bound: MEAN_BOUND, isLeast: true }];
}

/**
 * @param {import('../run.mjs').Context} context @param {import('../engines.mjs').Engine} engine
 * @param {{
 *   suite: string, model: string, folder: string, macs: number, outputs: string[], unsupported: Map<string, string>,
 * }} measured
 * @returns {Promise<import('../report.mjs').Row[]>}
 */
async function compare({ peers, rounds, runs, cpu, log }, engine, measured) {
  const { suite, model, folder, macs, outputs, unsupported } = measured;
  const bundle = { model, folder, threads: 1 };
  for (const reason of unsupported.values()) log(`${model}: ${reason}`);
  /** Of each runtime that can run the model, what it is, its samples in each round, and their processor times. */
  let subjects = ['layertap', ...peers.filter((peer) => !unsupported.has(peer))].map((runtime) => ({
    runtime,
    ...{ description: { engine: '', binary: '' }, samples: /** @type {number[][]} */ ([]) },
    cpu: /** @type {number[]} */ ([]),
    ...{ peakRssMB: Infinity, maxAbsDiff: 0 },
  }));
  for (let round = 0; round < rounds; round++) {
    log(`${model}, node ${engine.major}, round ${round + 1} of ${rounds}`);
    const processes = new Map(subjects.map(({ runtime }) => [runtime, new Process(engine, cpu)]));
    /** @param {string} runtime @param {string} name @param {...unknown} args */
    const call = (runtime, name, ...args) =>
      /** @type {Process} */ (processes.get(runtime)).call('subject.mjs', name, ...args);
    try {
      for (const subject of subjects) {
        const { runtime } = subject;
        const { unsupported, engine, binary } = await call(runtime, 'load', runtime, bundle);
        if (unsupported) {
          log(`${model}: ${unsupported}`);
          subjects = subjects.filter((one) => one !== subject);
          continue;
        }
        subject.description = { engine, binary };
        await call(runtime, 'save', runtime, bundle);
        subject.maxAbsDiff = difference(folder, outputs, runtime);
      }
      const turns = new Map();
      for (const { runtime } of subjects) {
        turns.set(runtime, Math.max(1, Math.round(TURN_MS / (await call(runtime, 'settle')))));
      }
      for (const { samples } of subjects) samples.push([]);
      const start = performance.now();
      for (let k = 0; k < runs && (k < LEAST_TURNS || performance.now() - start < ROUND_MS); k++) {
        for (const { runtime, samples, cpu } of subjects) {
          const { ms, cpuMs } = await call(runtime, 'time', turns.get(runtime));
          samples[round].push(ms);
          cpu.push(cpuMs);
        }
      }
      for (const subject of subjects) {
        subject.peakRssMB = Math.min(subject.peakRssMB, await call(subject.runtime, 'memory'));
      }
    } finally {
      for (const process of processes.values()) process.end();
    }
  }

  return subjects.map(({ runtime, description, samples, cpu, peakRssMB, maxAbsDiff }) => {
    // Whole processes come out slower at times: the least disturbed one counts.
    const medianMs = Math.min(...samples.map(median));
    return {
      ...{ suite, model, runtime, ...description, threads: 1, medianMs, minMs: Math.min(...samples.flat()) },
      ...{ gflops: gflops(macs, medianMs), peakRssMB, maxAbsDiff },
      ...(runtime !== 'layertap' && { speedup: medianRatio(cpu, subjects[0].cpu) }),
    };
  });
}
