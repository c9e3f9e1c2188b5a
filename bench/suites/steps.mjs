/**
 * Where a model's time goes: every step of its plan in order, and what a run takes beside them, by processor time. By
 * the clock, steps of some milliseconds have what others had the CPU for.
 */

import { ceilingOf } from '../ceiling.mjs';
import { median, peakRssMB, warmUp } from '../measure.mjs';
import { gflops, modelOf } from '../models.mjs';
import { Process } from '../process.mjs';
import { compiledSteps } from '../steps.mjs';
import { inputOf } from '../weights.mjs';

const RUNS = 15;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, models, cpu, log }) {
  const rows = [];
  for (const model of models ?? ['resnet50']) {
    for (const engine of engines) {
      log(`steps of ${model}, node ${engine.major}`);
      const process = new Process(engine, cpu);
      rows.push(...(await process.call('suites/steps.mjs', 'measure', model)));
      process.end();
    }
  }
  return { rows, checks: [] };
}

/** Milliseconds of processor time of one call. @param {() => void} run @returns {number} */
function processorMs(run) {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** In a process of its own. @param {string} name @returns {Promise<import('../report.mjs').Row[]>} */
export async function measure(name) {
  const { build, shape } = modelOf(name);
  const module = build();
  const { model, steps, run } = compiledSteps(module, shape);
  const ceiling = (await ceilingOf(model.binary))();
  await warmUp(run);
  const x = inputOf(shape);
  await warmUp(() => module.call(x), 0);
  const times = steps.map(() => /** @type {number[]} */ ([]));
  /** @type {number[]} */
  const runs = [];
  /** @type {number[]} */
  const calls = [];
  for (let k = 0; k < RUNS; k++) {
    for (const [i, step] of steps.entries()) times[i].push(processorMs(step.run));
    runs.push(processorMs(run));
    calls.push(processorMs(() => void module.call(x)));
  }
  const engine = `node ${process.versions.node}`;
  const common = {
    suite: 'steps',
    runtime: 'layertap',
    engine,
    binary: model.binary,
    threads: 1,
    peakRssMB: peakRssMB(),
  };
  /** @param {string} label @param {readonly number[]} ms @param {number} macs @returns {import('../report.mjs').Row} */
  const row = (label, ms, macs) => {
    const medianMs = median(ms);
    const speed = macs > 0 ? gflops(macs, medianMs) : null;
    const figures = {
      medianMs,
      minMs: Math.min(...ms),
      gflops: speed,
      share: speed && speed / ceiling,
      maxAbsDiff: null,
    };
    return { ...common, model: `${name}: ${label}`, ...figures };
  };
  const macs = steps.reduce((sum, step) => sum + step.macs, 0);
  const sums = runs.map((_, k) => times.reduce((sum, ms) => sum + ms[k], 0));
  return [
    ...steps.map((step, i) => row(step.name, times[i], step.macs)),
    row('all steps', sums, macs),
    row('the plan, with input and outputs copied', runs, macs),
    row('module.call', calls, macs),
  ];
}
