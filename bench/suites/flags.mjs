/**
 * What V8's flags by `layertap/node` are worth where they do something: the same model without and with one, in two
 * processes in turn.
 */

import { enableRelaxedSimd, enableRevectorization } from '../../dist/node/index.js';
import { median, medianRatio, peakRssMB, timed, warmUp } from '../measure.mjs';
import { gflops, modelOf, traced } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

const FLAGS = { enableRelaxedSimd, enableRevectorization };
/** @typedef {keyof typeof FLAGS} Flag */

/** The function that does something on an engine. @param {number} major @returns {Flag | undefined} */
function flagOf(major) {
  if (major === 20) return 'enableRelaxedSimd';
  return major >= 24 ? 'enableRevectorization' : undefined;
}

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, models, runs, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const engine of engines) {
    const flag = flagOf(Number(engine.major));
    if (!flag) {
      log(`flags: there is none for node ${engine.major}`);
      continue;
    }
    for (const model of models ?? ['resnet50', 'resnet18', 'mobilenet_v3_large']) {
      log(`flags, node ${engine.major}, ${model}`);
      const sides = [null, flag].map((used) => ({ used, process: new Process(engine, cpu) }));
      const [plain, flagged] = [[], []].map(() => /** @type {number[]} */ ([]));
      const loaded = [];
      for (const { used, process } of sides) loaded.push(await process.call('suites/flags.mjs', 'load', model, used));
      for (let i = 0; i < runs; i++) {
        plain.push(await sides[0].process.call('suites/flags.mjs', 'time'));
        flagged.push(await sides[1].process.call('suites/flags.mjs', 'time'));
      }
      for (const { process } of sides) process.end();
      const maxAbsDiff = largestDifference(loaded[0].output, loaded[1].output);
      // 256-bit code rounds as 128-bit code does.
      if (flag === 'enableRevectorization' && maxAbsDiff > 0)
        throw new Error(`bench: expected the same bits of ${model}`);
      [plain, flagged].forEach((samples, k) => {
        const { binary, engine: name, macs, peakMB } = loaded[k];
        const medianMs = median(samples);
        result.rows.push({
          ...{ suite: 'flags', model, runtime: k === 0 ? 'layertap' : `layertap, ${flag}`, engine: name, binary },
          ...{ threads: 1, medianMs, minMs: Math.min(...samples), gflops: gflops(macs, medianMs), peakRssMB: peakMB },
          ...(k === 0 ? { maxAbsDiff: null } : { maxAbsDiff, ratio: medianRatio(flagged, plain) }),
        });
      });
    }
  }
  return result;
}

/** @param {string} one base64 of float32s @param {string} other */
function largestDifference(one, other) {
  const [a, b] = [one, other].map((text) => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer));
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** @type {() => unknown} */
let call;

/**
 * In a process of its own: compiles, and runs until the engine has settled. @param {string} name @param {Flag | null}
 * flag
 */
export async function load(name, flag) {
  if (flag) FLAGS[flag]();
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
