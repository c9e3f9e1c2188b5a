/**
 * Cold starts: fresh processes, from the import of the runtime to the first result, with files in the system's cache;
 * and the most memory that a process has had by then.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { difference } from '../difference.mjs';
import { median } from '../measure.mjs';
import { modelOf } from '../models.mjs';
import { PEERS } from '../peers.mjs';
import { Process, pinned } from '../process.mjs';
import { withBundle } from '../write-bundle.mjs';

/**
 * @typedef {{ starts: number, time?: { peer: string, bound: number }, memory?: number }} Subject bounds on layertap's
 * over a peer's
 */

/** The most milliseconds of processor time that importing may take in a plain process, on this kind of machine. */
const IMPORT_MS = 15;

/**
 * Bounds on time over one peer's, and on memory over the leanest WASM peer's. @type {Readonly<Record<string, Subject>>}
 */
const SUBJECTS = {
  resnet50: { starts: 5, time: { peer: 'tfjs-wasm', bound: 0.5 }, memory: 0.6 },
  mobilenet_v3_large: { starts: 7, time: { peer: 'tfjs-wasm', bound: 0.75 } },
  mobilenet_v3_small: { starts: 7, time: { peer: 'tfjs-wasm', bound: 0.75 } },
  deeplabv3_resnet50: { starts: 1, memory: 0.65 },
};

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, models, peers, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const model of models ?? Object.keys(SUBJECTS)) {
    const subject = SUBJECTS[model] ?? { starts: 3 };
    await withBundle(modelOf(model), peers, {}, async ({ folder, outputs, unsupported }) => {
      const runtimes = ['layertap', ...peers.filter((peer) => !unsupported.has(peer))];
      for (const engine of engines) {
        /** @type {Map<string, import('../subject.mjs').Description[]>} */
        const starts = new Map(runtimes.map((runtime) => [runtime, []]));
        /** @type {Map<string, number>} */
        const differences = new Map();
        /** @type {Record<string, number>[]} */
        const phases = [];
        for (let i = 0; i < subject.starts; i++) {
          log(`start of ${model}, node ${engine.major}, ${i + 1} of ${subject.starts}`);
          phases.push(phasesOf(engine, cpu, model, folder));
          for (const [runtime, described] of starts) {
            const process = new Process(engine, cpu);
            const bundle = { model, folder, threads: 1 };
            const one = await process.call('subject.mjs', 'load', runtime, bundle);
            if (!one.unsupported) {
              described.push(one);
              await process.call('subject.mjs', 'save', runtime, bundle);
              differences.set(runtime, difference(folder, outputs, runtime));
            }
            process.end();
          }
        }
        const rows = [...starts].flatMap(([runtime, described]) =>
          described.length > 0 ? [rowOf(model, runtime, described, differences.get(runtime) ?? 0)] : [],
        );
        const least = Object.fromEntries(
          Object.keys(phases[0]).map((name) => [name, Math.min(...phases.map((phase) => phase[name]))]),
        );
        const row = {
          ...rows[0],
          ...least,
          runtime: 'layertap, a plain process',
          medianMs: null,
          minMs: null,
          loadMs: null,
        };
        result.rows.push(...rows, { ...row, peakRssMB: null, maxAbsDiff: null });
        const name = `node ${engine.major}: ${model}, processor milliseconds of importing`;
        result.checks.push({ name, value: least.importCpuMs, bound: IMPORT_MS });
        result.checks.push(...checksOf(`node ${engine.major}: ${model}`, subject, rows));
      }
    });
  }
  return result;
}

/**
 * The phases of a start in a plain process: see phases.mjs.
 *
 * @param {import('../engines.mjs').Engine} engine @param {number} cpu @param {string} model @param {string} folder
 * @returns {Record<string, number>} milliseconds
 */
function phasesOf({ path }, cpu, model, folder) {
  const script = fileURLToPath(new URL('../phases.mjs', import.meta.url));
  const [command, ...args] = pinned(cpu, path, script, model, folder);
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`bench: expected a start to end well, got ${stderr}`);
  return JSON.parse(stdout);
}

/**
 * @param {string} model @param {string} runtime @param {import('../subject.mjs').Description[]} starts @param {number}
 * maxAbsDiff
 */
function rowOf(model, runtime, starts, maxAbsDiff) {
  const total = (/** @type {import('../subject.mjs').Description} */ { importMs, loadMs, firstMs }) =>
    importMs + loadMs + firstMs;
  const [fastest] = [...starts].sort((a, b) => total(a) - total(b));
  const { engine, binary, importMs, loadMs, firstMs } = fastest;
  return {
    ...{ suite: 'start', model, runtime, engine, binary, threads: 1, medianMs: median(starts.map(total)) },
    ...{ minMs: total(fastest), importMs, loadMs, firstMs, gflops: null },
    ...{ peakRssMB: Math.min(...starts.map((start) => start.peakRssMB)), maxAbsDiff },
  };
}

/**
 * @param {string} name @param {Subject} subject @param {readonly import('../report.mjs').Timed[]} rows layertap's first
 * @returns {import('../report.mjs').Check[]}
 */
function checksOf(name, { time, memory }, [ours, ...theirs]) {
  const checks = [];
  const peer = theirs.find(({ runtime }) => runtime === time?.peer);
  if (time && peer) {
    const value = ours.minMs / peer.minMs;
    checks.push({ name: `${name}, cold start / ${time.peer}'s`, value, bound: time.bound });
  }
  const wasm = theirs.filter(({ runtime }) => !PEERS[runtime].isNative);
  if (memory && wasm.length > 0) {
    const value = ours.peakRssMB / Math.min(...wasm.map(({ peakRssMB }) => peakRssMB));
    checks.push({ name: `${name}, peak RSS / the leanest WASM peer's`, value, bound: memory });
  }
  return checks;
}
