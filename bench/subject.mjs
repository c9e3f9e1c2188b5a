/** One runtime with one model, in a process of its own: loaded, compared, warmed up and timed as the suite says. */

import { join } from 'node:path';
import { readProgram, Unsupported, writeFloats } from './bundle.mjs';
import { nhwcToNchw } from './layout.mjs';
import { median, peakRssMB, timed, warmUp } from './measure.mjs';

/**
 * A model's files (see bundle.mjs), and how they are run: where `isResident`, the input stays in the runtime from run
 * to run, and outputs aren't copied out. `library` is the URL of another build of layertap, which is run in place of
 * this one.
 *
 * @typedef {{ model: string, folder: string, threads: number, isResident?: boolean, library?: string }} Bundle
 */
/** @typedef {{ data: Float32Array, layout: 'nchw' | 'nhwc' }} Output in the order of the program's outputs */

/**
 * What a file in peers/ exports as `load`. A run takes the input from JavaScript's memory and leaves the outputs there.
 *
 * @typedef {(bundle: Bundle) => Promise<{ readonly binary: string, run(): Output[] | Promise<Output[]> }>} Load
 */

/** @type {Awaited<ReturnType<Load>>} */
export let subject;
/** @type {Output[]} The first run's. */
let outputs;

/**
 * What a subject is, and how it came up: milliseconds of importing it, of everything to the model's being ready, and of
 * the first run, and the process's peak of memory by then.
 *
 * @typedef {{ engine: string, binary: string, importMs: number, loadMs: number, firstMs: number, peakRssMB: number }}
 *   Description
 */

/**
 * Loads the model and runs it once.
 *
 * @param {string} runtime a file in peers/ @param {Bundle} bundle
 * @returns {Promise<Description | { unsupported: string }>}
 */
export async function load(runtime, bundle) {
  const times = [performance.now()];
  /** @type {{ load: Load }} */
  const peer = await import(`./peers/${runtime}.mjs`);
  times.push(performance.now());
  try {
    subject = await peer.load(bundle);
    times.push(performance.now());
    outputs = await subject.run();
    times.push(performance.now());
  } catch (error) {
    if (error instanceof Unsupported) return { unsupported: error.message };
    throw error;
  }
  const [importMs, loadMs, firstMs] = times.slice(1).map((time, i) => time - times[i]);
  const engine = `node ${process.versions.node}`;
  return { engine, binary: subject.binary, importMs, loadMs, firstMs, peakRssMB: peakRssMB() };
}

/**
 * Writes the first run's outputs, NCHW, to the bundle as `<runtime>.<name>.bin`. @param {string} runtime @param
 * {Bundle} bundle
 */
export function save(runtime, { folder }) {
  const program = readProgram(folder);
  program.outputs.forEach(({ name, value }, i) => {
    const { data, layout } = outputs[i];
    const shape = program.shapes[value];
    const values = layout === 'nhwc' && shape.length === 4 ? nhwcToNchw(data, shape) : data;
    writeFloats(join(folder, `${runtime}.${name}.bin`), values);
  });
  outputs = [];
}

/** Runs until the engine has settled. @returns the fastest run's milliseconds */
export const settle = () => warmUp(() => subject.run());

/** @param {number} count @returns {Promise<{ ms: number, cpuMs: number }>} of a run: the middle of `count` runs */
export async function time(count) {
  const samples = [];
  const times = [];
  for (let i = 0; i < count; i++) {
    const before = process.cpuUsage();
    samples.push(await timed(() => subject.run()));
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return { ms: median(samples), cpuMs: median(times) };
}

/** @returns {number} */
export const memory = () => peakRssMB();
