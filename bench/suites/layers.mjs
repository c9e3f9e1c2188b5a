/**
 * Single layers in layertap and in its peers. A peer's time for a layer is the slope from a graph of one to a graph of
 * several such layers side by side, with the input resident and the outputs left where they are: what a call costs
 * around them falls out. layertap's is the time of the layer's kernels. Inputs are as after a ReLU.
 */

import { join } from 'node:path';
import { Module, ModuleList, Tensor } from '../../dist/index.js';
import { writeFloats } from '../bundle.mjs';
import { difference } from '../difference.mjs';
import { LAYERS } from '../layers.mjs';
import { median, peakRssMB, timed, warmUp } from '../measure.mjs';
import { gflops } from '../models.mjs';
import { Process } from '../process.mjs';
import { compiledSteps } from '../steps.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';
import { withBundle } from '../write-bundle.mjs';

/** As many layers side by side as take some 40 ms at 20 GFLOP/s. */
const EXPECTED_FLOPS = 8e8;
const MOST_REPEATS = 12;

const WARM_UP_MS = 300;
const SAMPLED_MS = 600;
const LEAST_SAMPLES = 5;

/** The same input for several layers, an output for each. */
class SideBySide extends Module {
  /** @param {readonly Module[]} layers */
  constructor(layers) {
    super();
    this.layers = new ModuleList(layers);
  }

  /** @param {any} x */
  forward(x) {
    return /** @type {any} */ (new Map([...this.layers].map((layer, i) => [`y${i}`, layer.call(x)])));
  }
}

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, peers, cpu, log }) {
  const rows = [];
  for (const [index, layer] of LAYERS.entries()) {
    const { data } = inputOf(layer.shape);
    const input = new Tensor(/** @type {Float32Array<ArrayBuffer>} */ (data).map(Math.abs), layer.shape);
    const repeated = (/** @type {number} */ count) => ({
      build: () => new SideBySide(Array.from({ length: count }, layer.build)),
      ...{ shape: layer.shape, input },
    });
    const resident = { isResident: true };
    await withBundle(repeated(1), peers, {}, async ({ folder, macs, outputs, unsupported }) => {
      const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.round(EXPECTED_FLOPS / (2 * Math.max(macs, 1)))));
      save(folder, repeated(1).build(), input);
      await withBundle(repeated(1), peers, resident, async (one) => {
        await withBundle(repeated(1 + repeats), peers, resident, async (several) => {
          for (const engine of engines) {
            log(`layers: ${layer.name}, node ${engine.major}`);
            /** @type {import('../report.mjs').Timed[]} */
            const measured = [await inProcess('layers', engine, cpu, 'kernels', index)];
            for (const runtime of peers.filter((peer) => !unsupported.has(peer))) {
              const folders = [one.folder, several.folder];
              const row = await inProcess('layers', engine, cpu, 'slope', runtime, folder, folders, repeats);
              if (row.unsupported) log(`${layer.name}: ${row.unsupported}`);
              else measured.push({ ...row, maxAbsDiff: difference(folder, outputs, runtime) });
            }
            for (const row of measured) {
              const { medianMs } = row;
              rows.push({ ...row, model: layer.name, gflops: macs > 0 ? gflops(macs, medianMs) : null });
            }
          }
        });
      });
    });
  }
  return { rows, checks: [] };
}

/**
 * What a function of a suite returns in a process of its own.
 *
 * @param {string} suite @param {import('../engines.mjs').Engine} engine
 * @param {number} cpu @param {string} name @param {...unknown} args */
async function inProcess(suite, engine, cpu, name, ...args) {
  const process = new Process(engine, cpu);
  try {
    return await process.call(`suites/${suite}.mjs`, name, ...args);
  } finally {
    process.end();
  }
}

/** @param {string} folder @param {SideBySide} module @param {Tensor} input */
function save(folder, module, input) {
  module.loadStateDict(stateDictOf(module));
  const output = /** @type {any} */ (module.call(input));
  writeFloats(join(folder, 'layertap.y0.bin'), output.get('y0').data);
}

/** layertap's kernels of a layer. @param {number} index in LAYERS */
export async function kernels(index) {
  const { build, shape } = LAYERS[index];
  const { model, steps } = compiledSteps(build(), shape);
  const [{ run, algorithm }] = steps;
  await warmUp(run, WARM_UP_MS);
  const samples = await sampled(() => timed(run));
  return { ...figures('layertap', model.binary, samples), algorithm, maxAbsDiff: 0 };
}

/**
 * A peer's time for one layer. Saves its output, to be compared.
 *
 * @param {string} runtime @param {string} whole the folder of a bundle of one layer
 * @param {readonly [string, string]} folders of resident bundles of one layer, and of `repeats` more
 * @param {number} repeats
 */
export async function slope(runtime, whole, folders, repeats) {
  const own = await import('../subject.mjs');
  const bundle = { model: runtime, threads: 1 };
  const described = await own.load(runtime, { ...bundle, folder: whole });
  if ('unsupported' in described) return described;
  own.save(runtime, { ...bundle, folder: whole });
  const subjects = [];
  for (const folder of folders) {
    await own.load(runtime, { ...bundle, folder, isResident: true });
    subjects.push(own.subject);
  }
  const [one, several] = subjects;
  await warmUp(() => one.run(), WARM_UP_MS);
  await warmUp(() => several.run(), WARM_UP_MS);
  /** @type {[number[], number[]]} */
  const times = [[], []];
  await sampled(async () => {
    times[0].push(await timed(() => one.run()));
    times[1].push(await timed(() => several.run()));
    return 0;
  });
  const [less, more] = times.map(median);
  const [least, most] = times.map((each) => Math.min(...each));
  const row = figures(runtime, described.binary, [(more - less) / repeats]);
  return { ...row, minMs: (most - least) / repeats };
}

/** @param {() => Promise<number>} sample @returns {Promise<number[]>} */
async function sampled(sample) {
  const samples = [];
  const start = performance.now();
  while (samples.length < LEAST_SAMPLES || performance.now() - start < SAMPLED_MS) samples.push(await sample());
  return samples;
}

/** @param {string} runtime @param {string} binary @param {readonly number[]} samples */
function figures(runtime, binary, samples) {
  const engine = `node ${process.versions.node}`;
  const times = { medianMs: median(samples), minMs: Math.min(...samples) };
  return { suite: 'layers', model: '', runtime, engine, binary, threads: 1, ...times, peakRssMB: peakRssMB() };
}
