/** Single layers' kernels in one process: p50, p99, GFLOP/s, and their share of what the machine computes at most. */

import { Bench } from 'tinybench';
import { chooseBinary } from '../../dist/wasm/instantiate.js';
import { ceilingGflops } from '../ceiling.mjs';
import { LAYERS } from '../layers.mjs';
import { peakRssMB } from '../measure.mjs';
import { gflops } from '../models.mjs';
import { Process } from '../process.mjs';
import { compiledSteps } from '../steps.mjs';

/** Milliseconds for each layer. */
const SAMPLED_MS = 400;
const WARM_UP_MS = 250;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, log }) {
  const rows = [];
  for (const engine of engines) {
    log(`kernels, node ${engine.major}`);
    const process = new Process(engine, cpu);
    rows.push(...(await process.call('suites/kernels.mjs', 'measure')));
    process.end();
  }
  return { rows, checks: [] };
}

/** In a process of its own, for the binary that the engine gets. @returns {Promise<import('../report.mjs').Row[]>} */
export async function measure() {
  const binary = chooseBinary();
  const common = { suite: 'kernels', runtime: 'layertap', engine: `node ${process.versions.node}`, binary, threads: 1 };
  const ceiling = await ceilingGflops(binary);
  const rows = [];
  for (const { name, layer, shape } of LAYERS) {
    const { steps } = compiledSteps(layer, shape);
    const [step] = steps;
    const bench = new Bench({ time: SAMPLED_MS, iterations: 5, warmupTime: WARM_UP_MS, warmupIterations: 3 });
    bench.add(name, step.run);
    const [task] = await bench.run();
    if (task.result.state !== 'completed') throw new Error(`bench: expected ${name} to run, it ${task.result.state}`);
    const { p50, p99, min } = task.result.latency;
    const speed = step.macs > 0 ? gflops(step.macs, p50) : null;
    rows.push({
      ...{ ...common, model: name, medianMs: p50, minMs: min, p99Ms: p99, gflops: speed },
      ...{ share: speed && speed / ceiling, ceilingGflops: ceiling, peakRssMB: peakRssMB(), maxAbsDiff: null },
    });
  }
  return rows;
}
