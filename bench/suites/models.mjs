/**
 * Whole models in layertap and in its peers: a process for each, on one CPU, run in turn; same weights, same input, outputs
 * compared before timing.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFloats } from '../bundle.mjs';
import { median, medianRatio } from '../measure.mjs';
import { gflops } from '../models.mjs';
import { Process } from '../process.mjs';
import { writeBundle } from '../write-bundle.mjs';

/** The largest difference of two runtimes' outputs, relative to the largest output. */
const TOLERANCE = 1e-4;

/** Bounds on layertap's time over a peer's. @type {Readonly<Record<string, Readonly<Record<string, number>>>>} */
const BOUNDS = { resnet50: { 'tfjs-wasm': 1 } };

/** A turn is long enough for a process to have its caches to itself. */
const TURN_MS = 200;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run(context) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const model of context.models ?? ['resnet50']) {
    const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-'));
    try {
      const bundle = writeBundle(model, folder);
      for (const engine of context.engines) {
        const { rows, checks } = await compare(context, engine, { model, folder, ...bundle });
        result.rows.push(...rows);
        result.checks.push(...checks);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return result;
}

/**
 * @param {import('../run.mjs').Context} context @param {import('../engines.mjs').Engine} engine
 * @param {{ model: string, folder: string, macs: number, outputs: string[] }} bundle
 */
async function compare({ peers, rounds, runs, cpu, log }, engine, { model, folder, macs, outputs }) {
  const bundle = { model, folder, threads: 1 };
  const runtimes = ['layertap'];
  for (const peer of peers) {
    const process = new Process(engine, cpu);
    const { unsupported } = await process.call('subject.mjs', 'load', peer, bundle);
    process.end();
    if (unsupported) log(`${model}: ${unsupported}`);
    else runtimes.push(peer);
  }
  /** Of each runtime, its samples in each round. */
  const samples = runtimes.map(() => /** @type {number[][]} */ ([]));
  const peaks = runtimes.map(() => Infinity);
  /** @type {{ engine: string, binary: string }[]} */
  const descriptions = [];
  /** @type {number[]} */
  let differences = [];
  for (let round = 0; round < rounds; round++) {
    log(`${model}, node ${engine.major}, round ${round + 1} of ${rounds}`);
    const processes = runtimes.map(() => new Process(engine, cpu));
    try {
      for (const [i, process] of processes.entries()) {
        descriptions[i] = await process.call('subject.mjs', 'load', runtimes[i], bundle);
      }
      differences = runtimes.map((runtime) => difference(folder, outputs, runtime));
      const turns = [];
      for (const process of processes) {
        turns.push(Math.max(1, Math.round(TURN_MS / (await process.call('subject.mjs', 'settle')))));
      }
      const times = runtimes.map(() => /** @type {number[]} */ ([]));
      for (let k = 0; k < runs; k++) {
        for (const [i, process] of processes.entries()) {
          times[i].push(median(await process.call('subject.mjs', 'time', turns[i])));
        }
      }
      for (const [i, process] of processes.entries()) {
        samples[i].push(times[i]);
        peaks[i] = Math.min(peaks[i], await process.call('subject.mjs', 'memory'));
      }
    } finally {
      for (const process of processes) process.end();
    }
  }

  const rows = runtimes.map((runtime, i) => {
    // Whole processes come out slower at times: the least disturbed one counts.
    const medianMs = Math.min(...samples[i].map(median));
    return {
      ...{
        suite: 'models',
        model,
        runtime,
        ...descriptions[i],
        threads: 1,
        medianMs,
        minMs: Math.min(...samples[i].flat()),
      },
      ...{ gflops: gflops(macs, medianMs), peakRssMB: peaks[i], maxAbsDiff: differences[i] },
      ...(i > 0 && { ratio: medianRatio(samples[0].flat(), samples[i].flat()) }),
    };
  });
  const checks = runtimes.slice(1).flatMap((peer, i) => {
    const bound = BOUNDS[model]?.[peer];
    if (bound === undefined) return [];
    const value = /** @type {number} */ (rows[i + 1].ratio);
    return [{ name: `${model}, node ${engine.major}: layertap's time / ${peer}'s`, value, bound }];
  });
  return { rows, checks };
}

/**
 * The largest absolute difference of a runtime's outputs from layertap's.
 *
 * @param {string} folder @param {readonly string[]} outputs @param {string} runtime
 * @throws {Error} where it is more than rounding
 */
function difference(folder, outputs, runtime) {
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
