/**
 * Single layers' kernels in one process: p50, p99, GFLOP/s, and their share of what the machine computes at most, by
 * processor time, both measured in turn.
 */

import { Bench } from 'tinybench';
import { chooseBinary } from '../../dist/internals.js';
import { ceilingOf } from '../ceiling.mjs';
import { LAYERS } from '../layers.mjs';
import { cpuMs, peakRssMB } from '../measure.mjs';
import { gflops } from '../models.mjs';
import { Process } from '../process.mjs';
import { compiledSteps } from '../steps.mjs';

/** Milliseconds for each layer. */
const SAMPLED_MS = 400;
const WARM_UP_MS = 250;

/** The least share of the ceiling where a convolution is one large matrix product. */
const GEMM_SHARE = 0.88;

/** The least GFLOP/s of depthwise convolution with fused multiply-adds: it reads too much to come near the ceiling. */
const DEPTHWISE_GFLOPS = 25;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, log }) {
  const rows = [];
  for (const engine of engines) {
    log(`kernels, node ${engine.major}`);
    const process = new Process(engine, cpu);
    rows.push(...(await process.call('suites/kernels.mjs', 'measure')));
    process.end();
  }
  return { rows, checks: rows.flatMap(checksOf) };
}

/** @param {import('../report.mjs').Row} row @returns {import('../report.mjs').Check[]} */
function checksOf({ model, engine, binary, algorithm, groups, share, cpuGflops }) {
  if (algorithm === 'indirect' && groups === 1) {
    const name = `${engine}: ${model}, share of the ceiling`;
    return [{ name, value: /** @type {number} */ (share), bound: GEMM_SHARE, isLeast: true }];
  }
  if (algorithm === 'depthwise' && binary === 'relaxed') {
    const name = `${engine}: ${model}, GFLOP/s by processor time`;
    return [{ name, value: /** @type {number} */ (cpuGflops), bound: DEPTHWISE_GFLOPS, isLeast: true }];
  }
  return [];
}

/** In a process of its own, for the binary that the engine gets. @returns {Promise<import('../report.mjs').Row[]>} */
export async function measure() {
  const binary = chooseBinary();
  const common = { suite: 'kernels', runtime: 'layertap', engine: `node ${process.versions.node}`, binary, threads: 1 };
  const ceilingGflops = await ceilingOf(binary);
  const rows = [];
  for (const { name, build, shape } of LAYERS) {
    const layer = build();
    const { steps } = compiledSteps(layer, shape);
    const [{ run, algorithm, macs }] = steps;
    const options = { time: SAMPLED_MS, iterations: 5, warmupTime: WARM_UP_MS, warmupIterations: 3 };
    const bench = new Bench(options);
    bench.add(name, run);
    const [task] = await bench.run();
    if (task.result.state !== 'completed') throw new Error(`bench: expected ${name} to run, it ${task.result.state}`);
    const { p50, p99, min } = task.result.latency;
    const ceiling = ceilingGflops();
    const cpuGflops = macs > 0 ? gflops(macs, cpuMs(run)) : null;
    rows.push({
      ...{ ...common, model: name, algorithm, groups: /** @type {any} */ (layer).groups, medianMs: p50, minMs: min },
      ...{ p99Ms: p99, gflops: macs > 0 ? gflops(macs, p50) : null, cpuGflops },
      ...{ share: cpuGflops && cpuGflops / ceiling, ceilingGflops: ceiling, peakRssMB: peakRssMB(), maxAbsDiff: null },
    });
  }
  return rows;
}
