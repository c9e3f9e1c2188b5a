/**
 * The command line over a folder: `embed` of photos of 640×480 pixels by ResNet-18's layer4, on one thread and on two,
 * on all CPUs. How much longer it takes than the network alone, whether memory stays flat, and whether a run that was
 * stopped goes on to the same bytes. The photos are seeded noise of several scales, the weights are noise as well.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { Process, pinned } from '../process.mjs';
import { inputOf, stateDictOf, uniform } from '../weights.mjs';

/** Photos after which `embed` saves. */
const SAVED = 256;

/** The network without the command line, as the table names it. */
const ALONE = 'forwardAsync';

/** Calls of the network alone. */
const CALLS = 200;

/** Most of the network's own time, least speedup of two threads, most growth of memory over the second half. */
const BOUNDS = { alone: 1.15, twoThreads: 1.7, memory: 1.1 };

const CLI = fileURLToPath(new URL('../../cli/bin/layertap.js', import.meta.url));

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ engines, photos, log }) {
  if (photos <= SAVED) throw new RangeError(`bench: expected more than ${SAVED} --photos, got ${photos}`);
  const cpus = `0-${availableParallelism() - 1}`;
  const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-cli-'));
  /** @type {import('../report.mjs').Result} */
  const result = { rows: [], checks: [] };
  try {
    log(`${photos} photos`);
    await writePhotos(join(folder, 'photos'), photos);
    const { resnet18, saveSafetensors } = await import('../../dist/index.js');
    writeFileSync(join(folder, 'resnet18.safetensors'), saveSafetensors(stateDictOf(resnet18())));
    for (const engine of engines) {
      const node = `node ${engine.major}`;
      const row = { suite: 'cli', engine: '', binary: '', gflops: null, maxAbsDiff: null, threads: 1 };
      const model = 'resnet18 up to layer4';
      const of = (/** @type {number} */ ms) => ({ medianMs: ms, minMs: ms });
      // The network alone before and after the one thread's run, since the machine's speed changes meanwhile. Two at
      // once say what the machine gives: caches and memory are shared.
      const before = await aloneIn(1, { engine, cpus, log });
      const twice = await aloneIn(2, { engine, cpus, log });
      log(`${node}, embed on one thread`);
      const one = await embed({ engine, cpus, folder, threads: 1, output: '1.safetensors' });
      const after = await aloneIn(1, { engine, cpus, log });
      log(`${node}, embed on two threads`);
      const two = await embed({ engine, cpus, folder, threads: 2, output: '2.safetensors' });
      const aloneMs = (before.ms + after.ms) / 2;
      const { rssMB } = before;
      Object.assign(row, { engine: before.engine, binary: before.binary });
      result.rows.push(
        { ...row, medianMs: aloneMs, minMs: Math.min(before.ms, after.ms), model, runtime: ALONE, peakRssMB: rssMB },
        { ...row, ...of(twice.ms), model, runtime: `${ALONE}, in two processes at once`, peakRssMB: twice.rssMB },
        ...[one, two].map(({ ms, peakRssMB }, i) => {
          const runtime = `layertap embed, a photo of ${photos}`;
          return { ...row, ...of(ms / photos), model, runtime, threads: i + 1, peakRssMB };
        }),
      );
      log(`${node}, embed, stopped and gone on with`);
      const half = { engine, cpus, folder, threads: 2, output: 'resumed.safetensors' };
      await embed({ ...half, stops: true });
      const { skipped } = await embed(half);
      const same = ['2.safetensors', 'resumed.safetensors'].every((name) =>
        readFileSync(join(folder, name)).equals(readFileSync(join(folder, '1.safetensors'))),
      );
      const growth = Math.max(one.growth, two.growth);
      result.checks.push(
        { name: `${node}: embed / the network alone`, value: one.ms / photos / aloneMs, bound: BOUNDS.alone },
        {
          ...{ name: `${node}: embed, one thread / two`, value: one.ms / two.ms },
          ...{ bound: BOUNDS.twoThreads, isLeast: true },
        },
        { name: `${node}: resident memory, last quarter / second`, value: growth, bound: BOUNDS.memory },
        { name: `${node}: photos that a stopped run had saved`, value: skipped, bound: SAVED, isLeast: true },
        { name: `${node}: same bytes, of all three`, value: Number(same), bound: 1, isLeast: true },
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return result;
}

/**
 * Photos: noise of four scales, the coarse one the strongest, as in real photos.
 *
 * @param {string} folder
 * @param {number} count
 */
async function writePhotos(folder, count) {
  mkdirSync(folder);
  const [width, height] = [640, 480];
  for (let i = 0; i < count; i++) {
    const [base, ...finer] = await Promise.all(
      [40, 10, 4, 2].map((scale) => {
        const size = { width: width / scale, height: height / scale, channels: /** @type {const} */ (3) };
        const values = uniform(`photo ${i}, ${scale}`, size.width * size.height * 3, 0, 256);
        return sharp(Uint8Array.from(values), { raw: size }).resize(width, height).removeAlpha().raw().toBuffer();
      }),
    );
    const pixels = new Uint8ClampedArray(base);
    for (const [scale, one] of finer.entries()) {
      for (let at = 0; at < pixels.length; at++) pixels[at] += (one[at] - 128) / 2 ** (scale + 2);
    }
    const photo = sharp(pixels, { raw: { width, height, channels: 3 } }).jpeg({ quality: 85 });
    writeFileSync(join(folder, `${String(i).padStart(4, '0')}.jpg`), await photo.toBuffer());
  }
}

/**
 * What a photo takes without the command line, in so many processes at once.
 *
 * @param {number} count
 * @param {{ engine: import('../engines.mjs').Engine, cpus: string, log: (line: string) => void }} options
 */
async function aloneIn(count, { engine, cpus, log }) {
  log(`node ${engine.major}, the network alone${count === 1 ? '' : ', twice at once'}`);
  const processes = Array.from({ length: count }, () => new Process(engine, cpus));
  const each = await Promise.all(processes.map((process) => process.call('suites/cli.mjs', 'alone', CALLS)));
  for (const process of processes) process.end();
  return { ...each[0], ms: each.reduce((sum, { ms }) => sum + ms, 0) / count ** 2 };
}

/** In a process of its own: what one photo takes without the command line. @param {number} calls */
export async function alone(calls) {
  const { IntermediateLayerGetter, resnet18 } = await import('../../dist/index.js');
  const { peakRssMB, warmUp } = await import('../measure.mjs');
  const getter = new IntermediateLayerGetter(resnet18(), { layer4: 'layer4' }, { onWarning: null });
  getter.loadStateDict(stateDictOf(resnet18()));
  const x = inputOf([1, 3, 224, 224]);
  await warmUp(() => getter.forwardAsync(x));
  const start = performance.now();
  for (let i = 0; i < calls; i++) await getter.forwardAsync(x);
  const ms = (performance.now() - start) / calls;
  const engine = `node ${process.versions.node}`;
  return { ms, engine, binary: getter.compiled?.binary ?? '', rssMB: peakRssMB() };
}

/**
 * @typedef {object} Embedding
 * @property {number} ms of the whole process
 * @property {number} growth of resident memory: its median in the last quarter over that in the second
 * @property {number} peakRssMB
 * @property {number} skipped photos that were there
 */

/**
 * The command in a process of its own.
 *
 * @param {object} options
 * @param {import('../engines.mjs').Engine} options.engine
 * @param {string} options.cpus
 * @param {string} options.folder
 * @param {number} options.threads
 * @param {string} options.output
 * @param {boolean} [options.stops] whether it is ended by SIGINT once photos are saved
 * @returns {Promise<Embedding>}
 */
async function embed({ engine, cpus, folder, threads, output, stops }) {
  const what = ['embed', '--model', 'resnet18', '--weights', 'resnet18.safetensors', '--layers', 'layer4', 'photos'];
  const how = ['--output', output, '--threads', String(threads), '--skip-existing', '--quiet', '--json'];
  const [command, ...args] = pinned(cpus, engine.path, CLI, ...what, ...how);
  const start = performance.now();
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  /** @type {number | null | undefined} */
  let code;
  child.on('exit', (status) => {
    code = status;
  });
  /** @type {number[]} */
  const rss = [];
  while (code === undefined) {
    await setTimeout(100);
    const status = `/proc/${child.pid}/status`;
    const kilobytes = existsSync(status) ? /VmRSS:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1] : undefined;
    if (kilobytes) rss.push(Number(kilobytes) / 1024);
    if (stops && existsSync(join(folder, output))) child.kill('SIGINT');
  }
  const ms = performance.now() - start;
  if (!stops && code !== 0) throw new Error(`bench: expected embed to end with 0, got ${code}`);
  const quarter = Math.floor(rss.length / 4);
  const middle = (/** @type {number} */ from) => rss.slice(from, from + quarter).sort((a, b) => a - b)[quarter >> 1];
  return {
    ms,
    growth: middle(rss.length - quarter) / middle(quarter),
    peakRssMB: Math.round(Math.max(...rss)),
    skipped: stops ? 0 : JSON.parse(stdout).skipped,
  };
}
