/**
 * What IntermediateLayerGetter costs beside its children: a getter to layer2 against a Sequential of exactly the same
 * children, and a getter to layer2 and layer3 that is called with `only`.
 */

import { IntermediateLayerGetter, models, Sequential } from '../../dist/index.js';
import { interleaved, median, medianRatio, peakRssMB, warmUp } from '../measure.mjs';
import { gflops, traced } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

const BOUND = 1.02;
const LAST = 'layer2';

/** Fresh instances lie elsewhere in memory, which alone is worth a percent: several are measured. */
const INSTANCES = 5;
const SAMPLES = 13;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const engine of engines) {
    log(`getter, node ${engine.major}`);
    const process = new Process(engine, cpu);
    const rows = await process.call('suites/getter.mjs', 'measure');
    process.end();
    result.rows.push(...rows);
    for (const { model, ratio } of rows.slice(1)) {
      result.checks.push({ name: `node ${engine.major}: ${model} / ${rows[0].model}`, value: ratio, bound: BOUND });
    }
  }
  return result;
}

/** In a process of its own. @returns {Promise<import('../report.mjs').Row[]>} */
export async function measure() {
  const backbone = models.resnet50();
  backbone.loadStateDict(stateDictOf(backbone));
  const x = inputOf([1, 3, 224, 224]);
  const children = [...backbone.namedChildren()];
  const kept = children.slice(0, children.findIndex(([name]) => name === LAST) + 1);
  const { macs } = traced(new Sequential(kept), x.shape);

  const names = ['the children to layer2', 'getter {layer2}', 'getter {layer2, layer3}, only layer2'];
  const samples = names.map(() => /** @type {number[]} */ ([]));
  let binary = '';
  for (let i = 0; i < INSTANCES; i++) {
    const part = new Sequential(kept);
    const getter = new IntermediateLayerGetter(backbone, { [LAST]: 'out' });
    const larger = new IntermediateLayerGetter(backbone, { [LAST]: 'out', layer3: 'aux' });
    const runs = [
      () => part.call(x),
      () => getter.forward(x).get('out'),
      () => larger.forward(x, { only: ['out'] }).get('out'),
    ];
    const expected = /** @type {Float32Array} */ (runs[0]().data);
    for (const [k, run] of runs.entries()) {
      if (!same(expected, run()?.data)) throw new Error(`bench: expected ${names[k]} to give the children's bits`);
      await warmUp(run, i === 0 ? 1500 : 0);
    }
    (await interleaved(runs, SAMPLES)).forEach((ms, k) => {
      samples[k].push(...ms);
    });
    binary = part.compiled?.binary ?? '';
  }
  return names.map((model, k) => {
    const medianMs = median(samples[k]);
    return {
      ...{
        suite: 'getter',
        model,
        runtime: 'layertap',
        engine: `node ${process.versions.node}`,
        binary,
        threads: 1,
        medianMs,
      },
      ...{ minMs: Math.min(...samples[k]), gflops: gflops(macs, medianMs), peakRssMB: peakRssMB(), maxAbsDiff: 0 },
      ...(k > 0 && { ratio: medianRatio(samples[k], samples[0]) }),
    };
  });
}

/** @param {Float32Array} a @param {Float32Array | undefined} b */
function same(a, b) {
  return b !== undefined && a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
