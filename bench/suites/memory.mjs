/**
 * WASM memory over many runs of one input shape, and over many input shapes; and what a process takes whose weights
 * come from a file one by one: all of V8's memory for a getter that is to fit an isolate of 128 MB, and resident memory
 * of whole models.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  IntermediateLayerGetter,
  models,
  numberToFloat16,
  openSafetensors,
  saveSafetensors,
  Tensor,
} from '../../dist/index.js';
import { median, peakRssMB, timed } from '../measure.mjs';
import { modelOf } from '../models.mjs';
import { Process } from '../process.mjs';
import { inputOf, stateDictOf } from '../weights.mjs';

const RUNS = 1000;
const SHAPES = 200;
const STREAMED_RUNS = 3;
const SIZES = { least: 33, most: 128 };

/** What a Cloudflare Worker's isolate may take: WASM memory, JavaScript heap and array buffers. */
const ISOLATE_MB = 128;

/** A sixth less than ResNet-50 takes without a budget. */
const BUDGET_MB = 120;

/**
 * Networks whose weights are streamed. `isolate` is true where all of V8's memory is bounded.
 *
 * @type {Readonly<Record<string, { build(): any, shape: readonly number[], options: object, half: boolean, isolate:
 *   boolean }>>}
 */
const STREAMED = {
  'getter resnet50 {layer4}, f16': {
    build: () => new IntermediateLayerGetter(models.resnet50(), { layer4: 'out' }),
    shape: [1, 3, 224, 224],
    ...{ options: { weightStorage: 'f16' }, half: true, isolate: true },
  },
  resnet50: { ...modelOf('resnet50'), options: {}, half: false, isolate: false },
  deeplabv3_resnet50: { ...modelOf('deeplabv3_resnet50'), options: {}, half: false, isolate: false },
  [`resnet50 within ${BUDGET_MB} MB`]: {
    ...modelOf('resnet50'),
    ...{ options: { memoryBudgetBytes: BUDGET_MB * 2 ** 20 }, half: false, isolate: false },
  },
};

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  for (const engine of engines) {
    log(`memory, node ${engine.major}`);
    for (const name of ['runs', 'shapes']) {
      const process = new Process(engine, cpu);
      const row = await process.call('suites/memory.mjs', name);
      process.end();
      result.rows.push(row);
      const { model, memoryMB, leastMemoryMB } = row;
      result.checks.push({
        name: `node ${engine.major}: ${model}, WASM memory`,
        value: memoryMB / leastMemoryMB,
        bound: 1,
      });
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-'));
  try {
    for (const [i, [name, { isolate, options }]] of Object.entries(STREAMED).entries()) {
      const file = join(folder, `${i}.safetensors`);
      const writer = new Process(engines[0], cpu);
      await writer.call('suites/memory.mjs', 'write', name, file);
      writer.end();
      for (const engine of engines) {
        log(`memory of ${name}, node ${engine.major}`);
        const process = new Process(engine, cpu);
        const row = await process.call('suites/memory.mjs', 'streamed', name, file);
        process.end();
        result.rows.push(row);
        if (isolate) {
          const what = `node ${engine.major}: ${name}, MB of WASM memory, heap and array buffers at the peak`;
          result.checks.push({ name: what, value: row.isolateMB, bound: ISOLATE_MB });
        }
        if (options.memoryBudgetBytes) {
          const what = `node ${engine.major}: ${name}, MB of WASM memory`;
          result.checks.push({ name: what, value: row.memoryMB, bound: options.memoryBudgetBytes / 2 ** 20 });
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return result;
}

/** Writes a network's weights, in a process of its own. @param {string} name @param {string} file */
export function write(name, file) {
  const { build, half } = STREAMED[name];
  /** @type {(readonly [string, Tensor])[]} */
  const tensors = [...stateDictOf(build())].map(([key, tensor]) => {
    if (!half || tensor.dtype !== 'float32') return [key, tensor];
    const halves = Uint16Array.from(/** @type {Float32Array} */ (tensor.data), numberToFloat16);
    return [key, new Tensor(halves, tensor.shape, 'float16')];
  });
  writeFileSync(file, saveSafetensors(new Map(tensors)));
}

/**
 * The memory of a process that loads a network's weights one by one and runs it. @param {string} name @param {string}
 * file
 */
export async function streamed(name, file) {
  const { build, shape, options } = STREAMED[name];
  const module = build().compile(options);
  let isolateMB = 0;
  const sample = () => {
    // External memory counts WASM memory and array buffers.
    const { heapTotal, external } = process.memoryUsage();
    isolateMB = Math.max(isolateMB, (heapTotal + external) / 2 ** 20);
  };
  const handle = await open(file);
  const opened = await openSafetensors(handle);
  await module.loadStateDictAsync(opened, { inputShapes: [shape], onProgress: sample });
  await handle.close();
  sample();
  const x = inputOf(shape);
  const samples = [];
  for (let i = 0; i < STREAMED_RUNS; i++) {
    samples.push(await timed(() => module.call(x)));
    sample();
  }
  return { ...row(name, module, megabytes(module), samples), isolateMB };
}

/** @returns {import('../../dist/index.js').Module} */
function loaded() {
  const module = models.resnet18();
  module.loadStateDict(stateDictOf(module));
  return module;
}

/** WASM memory after the first run and after the last. */
export async function runs() {
  const module = loaded();
  const x = inputOf([1, 3, 64, 64]);
  module.call(x);
  const first = megabytes(module);
  const samples = [];
  for (let i = 1; i < RUNS; i++) samples.push(await timed(() => module.call(x)));
  return row(`resnet18 at 64, ${RUNS} runs`, module, first, samples);
}

/** WASM memory after inputs of many sizes, and that of the largest one alone. */
export async function shapes() {
  const module = loaded();
  const { least, most } = SIZES;
  const samples = [];
  for (let i = 0; i < SHAPES; i++) {
    // Steps that have no factor in common with the range: every size comes, none in order; the largest one half-way.
    const size = (/** @type {number} */ step) => (i === SHAPES / 2 ? most : least + ((i * step) % (most - least)));
    const x = inputOf([1, 3, size(37), size(53)]);
    samples.push(await timed(() => module.call(x)));
  }
  const largest = loaded();
  largest.call(inputOf([1, 3, most, most]));
  return row(`resnet18, ${SHAPES} input shapes`, module, megabytes(largest), samples);
}

/** @param {any} module */
function megabytes(module) {
  return module.compiled.memoryBytes / 2 ** 20;
}

/** @param {string} model @param {any} module @param {number} leastMemoryMB @param {readonly number[]} samples */
function row(model, module, leastMemoryMB, samples) {
  return {
    ...{
      suite: 'memory',
      model,
      runtime: 'layertap',
      engine: `node ${process.versions.node}`,
      binary: module.compiled.binary,
    },
    ...{ threads: 1, medianMs: median(samples), minMs: Math.min(...samples), gflops: null, peakRssMB: peakRssMB() },
    ...{ maxAbsDiff: null, memoryMB: megabytes(module), leastMemoryMB },
  };
}
