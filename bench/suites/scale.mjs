/**
 * How a run's time grows with the images of a batch and with an image's pixels: the time of a multiply-accumulate
 * relative to that for one image of 224×224, both measured in turn. Nothing should grow faster than the work.
 */

import { median, medianRatio, peakRssMB, timed, warmUp } from '../measure.mjs';
import { gflops, modelOf, traced } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

const BATCHES = [1, 2, 4, 8, 16];
const SIZES = [128, 192, 256, 384, 512, 768, 1024];
const SIZE = 224;

const SAMPLES = 7;
const TURN_MS = 150;

/** A curve's largest time of a multiply-accumulate over its smallest. Small images leave more of their tiles empty. */
const BOUNDS = { batch: 1.25, pixels: 1.5 };

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, models, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  const curves = {
    batch: BATCHES.map((images) => [images, 3, SIZE, SIZE]),
    pixels: SIZES.map((size) => [1, 3, size, size]),
  };
  for (const model of models ?? ['resnet50']) {
    for (const engine of engines) {
      for (const [curve, shapes] of Object.entries(curves)) {
        /** @type {import('../report.mjs').Row[]} */
        const rows = [];
        for (const shape of shapes) {
          log(`scale: ${model} at ${shape.join('×')}, node ${engine.major}`);
          const process = new Process(engine, cpu);
          rows.push(await process.call('suites/scale.mjs', 'measure', model, shape));
          process.end();
        }
        result.rows.push(...rows.map((row) => ({ ...row, curve })));
        const ratios = rows.map(({ ratio }) => /** @type {number} */ (ratio));
        result.checks.push({
          name: `node ${engine.major}: ${model}, time of a MAC over ${curve}, largest / smallest`,
          value: Math.max(...ratios) / Math.min(...ratios),
          bound: BOUNDS[/** @type {keyof typeof BOUNDS} */ (curve)],
        });
      }
    }
  }
  return result;
}

/**
 * In a process of its own: runs for a shape and for one image of 224×224, in turn.
 *
 * @param {string} model @param {readonly number[]} shape @returns {Promise<import('../report.mjs').Row>}
 */
export async function measure(model, shape) {
  const subjects = [];
  for (const each of [shape, [1, 3, SIZE, SIZE]]) {
    const module = modelOf(model).build();
    module.loadStateDict(stateDictOf(module));
    const { macs } = traced(module, each);
    const x = inputOf(each);
    const run = () => module.call(x);
    const turn = Math.max(1, Math.round(TURN_MS / (await warmUp(run))));
    subjects.push({ module, macs, run, turn, times: /** @type {number[]} */ ([]) });
  }
  for (let i = 0; i < SAMPLES; i++) {
    for (const { run, turn, times } of subjects) {
      const samples = [];
      for (let k = 0; k < turn; k++) samples.push(await timed(run));
      times.push(median(samples));
    }
  }
  const [{ module, macs, times }, reference] = subjects;
  const medianMs = median(times);
  const [images, , height, width] = shape;
  return {
    ...{ suite: 'scale', model: `${model}, ${images} of ${height}×${width}`, runtime: 'layertap', images },
    ...{ pixels: height * width },
    ...{ engine: `node ${process.versions.node}`, binary: module.compiled?.binary ?? '', threads: 1 },
    ...{ medianMs, minMs: Math.min(...times), msPerImage: medianMs / images, gflops: gflops(macs, medianMs) },
    ...{
      ratio: (medianRatio(times, reference.times) * reference.macs) / macs,
      peakRssMB: peakRssMB(),
      maxAbsDiff: null,
    },
  };
}
