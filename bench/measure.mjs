/** Timing in one process: warm-up, samples, and the figures that are reported. */

import { existsSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** V8 compiles WASM twice; the first code is four times slower, and it is replaced in the background. */
const WARM_UP = { runs: 3, ms: 1500, mostMs: 6000 };

/** @param {readonly number[]} values @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The middle of each value's ratio to the other one at the same index: neighbours' noise, which both feel, falls out.
 *
 * @param {readonly number[]} values @param {readonly number[]} others @returns {number}
 */
export function medianRatio(values, others) {
  return median(values.map((value, i) => value / others[i]));
}

/** Milliseconds of one call. @param {() => unknown} run @returns {Promise<number>} */
export async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/**
 * Calls until the engine has settled; a single time what takes seconds, since it calls each kernel often.
 *
 * @param {() => unknown} run @param {number} [ms]
 * @returns {Promise<number>} the fastest call's milliseconds
 */
export async function warmUp(run, ms = WARM_UP.ms) {
  const start = performance.now();
  let fastest = Infinity;
  const elapsed = () => performance.now() - start;
  for (let i = 0; i === 0 || (elapsed() < WARM_UP.mostMs && (i < WARM_UP.runs || elapsed() < ms)); i++) {
    fastest = Math.min(fastest, await timed(run));
    // Lets the engine swap in code that it has compiled meanwhile.
    await new Promise(setImmediate);
  }
  return fastest;
}

/**
 * Samples of several calls in turn, so that whatever disturbs the machine disturbs all of them.
 *
 * @param {readonly (() => unknown)[]} runs @param {number} count samples of each
 * @returns {Promise<number[][]>} milliseconds, for each call
 */
export async function interleaved(runs, count) {
  /** @type {number[][]} */
  const samples = runs.map(() => []);
  for (let i = 0; i < count; i++) {
    // Every other round backwards: none always comes after the same one.
    const order = [...runs.keys()];
    if (i % 2 === 1) order.reverse();
    for (const k of order) samples[k].push(await timed(runs[k]));
  }
  return samples;
}

/**
 * This process's peak of resident memory. Where Linux tells, since it began: `maxRSS` counts what the process that
 * started it had, too.
 *
 * @returns {number}
 */
export function peakRssMB() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const kilobytes = /VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
  return Math.round(Number(kilobytes) / 1024);
}

/** Turns of a {@link cpuMs}, and milliseconds of each. */
const CPU_TURNS = { count: 10, ms: 30 };

/**
 * Processor time of a call in milliseconds, in the least disturbed of several turns: the time in which others had the
 * CPU doesn't count. For what stays on one thread, and after warming up.
 *
 * @param {() => void} run @returns {number}
 */
export function cpuMs(run) {
  let least = Infinity;
  for (let turn = 0; turn < CPU_TURNS.count; turn++) {
    const start = performance.now();
    const before = process.cpuUsage();
    let calls = 0;
    do {
      run();
      calls++;
    } while (performance.now() - start < CPU_TURNS.ms);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000 / calls);
  }
  return least;
}
