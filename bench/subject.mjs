/** One runtime with one model, in a process of its own: loaded, compared, warmed up and timed as the suite says. */

import { join } from 'node:path';
import { readProgram, Unsupported, writeFloats } from './bundle.mjs';
import { nhwcToNchw } from './layout.mjs';
import { peakRssMB, timed, warmUp } from './measure.mjs';

/** @typedef {{ model: string, folder: string, threads: number }} Bundle see bundle.mjs */
/** @typedef {{ data: Float32Array, layout: 'nchw' | 'nhwc' }} Output in the order of the program's outputs */

/**
 * What a file in peers/ exports as `load`. A run takes the input from JavaScript's memory and leaves the outputs there.
 *
 * @typedef {(bundle: Bundle) => Promise<{ readonly binary: string, run(): Output[] | Promise<Output[]> }>} Load
 */

/** @type {Awaited<ReturnType<Load>>} */
let subject;

/**
 * Loads the model and writes its first outputs, NCHW, to the bundle as `<runtime>.<name>.bin`.
 *
 * @param {string} runtime a file in peers/ @param {Bundle} bundle
 * @returns {Promise<{ engine: string, binary: string } | { unsupported: string }>}
 */
export async function load(runtime, bundle) {
  /** @type {{ load: Load }} */
  const peer = await import(`./peers/${runtime}.mjs`);
  let outputs;
  try {
    subject = await peer.load(bundle);
    outputs = await subject.run();
  } catch (error) {
    if (error instanceof Unsupported) return { unsupported: error.message };
    throw error;
  }
  const program = readProgram(bundle.folder);
  program.outputs.forEach(({ name, value }, i) => {
    const { data, layout } = outputs[i];
    const shape = program.shapes[value];
    const values = layout === 'nhwc' && shape.length === 4 ? nhwcToNchw(data, shape) : data;
    writeFloats(join(bundle.folder, `${runtime}.${name}.bin`), values);
  });
  return { engine: `node ${process.versions.node}`, binary: subject.binary };
}

/** Runs until the engine has settled. @returns the fastest run's milliseconds */
export const settle = () => warmUp(() => subject.run());

/** @param {number} count @returns {Promise<number[]>} milliseconds of each run */
export async function time(count) {
  const samples = [];
  for (let i = 0; i < count; i++) samples.push(await timed(() => subject.run()));
  return samples;
}

/** @returns {number} */
export const memory = () => peakRssMB();
