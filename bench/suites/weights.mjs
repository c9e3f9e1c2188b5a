/**
 * Weights from a local file: what opening it, loading a model and compiling it take from `.pth` files of both layouts,
 * beside the same from safetensors, in fresh processes that take turns; and what reading the pickle of a whole model
 * takes.
 */

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pthLegacy, pthZip } from '../../scripts/pth.mjs';
import { median, medianRatio, peakRssMB } from '../measure.mjs';
import { modelOf } from '../models.mjs';
import { Process } from '../process.mjs';

/** Bounds on a `.pth` file's figures over those of safetensors, and on the milliseconds of reading a pickle. */
const BOUNDS = { time: 1.15, memory: 1.1, pickleMs: 10 };

/** The formats, safetensors first. */
const FORMATS = ['safetensors', 'zip.pth', 'legacy.pth'];

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, models, rounds, cpu, log }) {
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-'));
  try {
    for (const model of models ?? ['resnet50']) {
      const writer = new Process(engines[0], cpu);
      await writer.call('suites/weights.mjs', 'write', model, folder);
      writer.end();
      for (const engine of engines) {
        /** @type {Map<string, Awaited<ReturnType<typeof start>>[]>} */
        const starts = new Map(FORMATS.map((format) => [format, []]));
        for (let round = 0; round < Math.max(5, rounds); round++) {
          for (const [format, own] of starts) {
            log(`${model} from ${format}, node ${engine.major}, ${round + 1}`);
            const process = new Process(engine, cpu);
            own.push(await process.call('suites/weights.mjs', 'start', model, join(folder, `${model}.${format}`)));
            process.end();
          }
        }
        const [theirs] = starts.values();
        for (const [format, own] of starts) {
          const name = `node ${engine.major}: ${model} from ${format}`;
          const figure = (/** @type {'ms' | 'cpuMs' | 'peakRssMB'} */ key) => own.map((one) => one[key]);
          result.rows.push({
            ...{ suite: 'weights', model: `${model} from ${format}`, runtime: 'layertap', engine: own[0].engine },
            ...{ binary: own[0].binary, threads: 1, medianMs: median(figure('ms')), minMs: Math.min(...figure('ms')) },
            ...{ loadCpuMs: median(figure('cpuMs')), gflops: null, maxAbsDiff: null },
            ...{ peakRssMB: median(figure('peakRssMB')) },
          });
          if (own === theirs) continue;
          const ratio = (/** @type {'ms' | 'cpuMs' | 'peakRssMB'} */ key) =>
            medianRatio(
              figure(key),
              theirs.map((one) => one[key]),
            );
          result.checks.push({ name: `${name}, processor time`, value: ratio('cpuMs'), bound: BOUNDS.time });
          result.checks.push({ name: `${name}, peak RSS`, value: ratio('peakRssMB'), bound: BOUNDS.memory });
        }
        const process = new Process(engine, cpu);
        const value = await process.call('suites/weights.mjs', 'pickle', model, join(folder, `${model}.zip.pth`));
        process.end();
        const name = `node ${engine.major}: ${model}, processor milliseconds of reading the pickle`;
        result.checks.push({ name, value, bound: BOUNDS.pickleMs });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return result;
}

/** Writes a model's weights in each format. @param {string} model @param {string} folder */
export async function write(model, folder) {
  const { saveSafetensors } = await import('../../dist/index.js');
  const { stateDictOf } = await import('../weights.mjs');
  const state = stateDictOf(modelOf(model).build());
  const tensors = new Map(
    [...state].map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
    ]),
  );
  const pieces = [[saveSafetensors(state)], pthZip(tensors), pthLegacy(tensors)];
  for (const [i, format] of FORMATS.entries()) {
    const file = openSync(join(folder, `${model}.${format}`), 'w');
    for (const piece of pieces[i]) writeSync(file, piece);
    closeSync(file);
  }
}

/** Opens a file, loads and compiles the model. @param {string} name @param {string} path */
export async function start(name, path) {
  const { openSafetensors, openWeights } = await import('../../dist/index.js');
  const { build, shape } = modelOf(name);
  const module = build().eval();
  const before = process.cpuUsage();
  const begin = performance.now();
  const handle = await open(path);
  const file = await (path.endsWith('.pth') ? openWeights(handle) : openSafetensors(handle));
  await module.loadStateDictAsync(file, { inputShapes: [shape] });
  const ms = performance.now() - begin;
  const { user, system } = process.cpuUsage(before);
  await handle.close();
  const engine = `node ${process.versions.node}`;
  return { engine, binary: module.compiled?.binary ?? '', ms, cpuMs: (user + system) / 1000, peakRssMB: peakRssMB() };
}

/** Openings of which the fastest counts. */
const OPENINGS = 10;

/**
 * Processor milliseconds of opening, which reads the directory and the pickle. @param {string} _name @param {string}
 * path
 */
export async function pickle(_name, path) {
  const { openWeights } = await import('../../dist/index.js');
  const handle = await open(path);
  let least = Infinity;
  for (let i = 0; i < OPENINGS; i++) {
    const before = process.cpuUsage();
    await openWeights(handle);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  await handle.close();
  return least;
}
