/**
 * Inputs side by side: workers, each with the network and a plan of its own. They never wait for each other, as the
 * threads of one input do after each step. Each has one input more than it computes, so that it needn't wait for the
 * next one either.
 */

import { Worker } from 'node:worker_threads';
import { Tensor } from 'layertap';
import { CommandError } from './failures.js';

/**
 * What a worker makes its network of.
 *
 * @typedef {object} Recipe
 * @property {string | undefined} model torchvision's name
 * @property {Record<string, unknown>} modelOptions
 * @property {ReadonlyMap<string, string> | null} layers null for the whole network
 * @property {readonly number[]} shape of the first input
 * @property {boolean} deterministic
 * @property {readonly (readonly [string, Tensor])[]} state
 */

/** A tensor as a message holds it. @typedef {{ data: any, shape: readonly number[], dtype: any }} Sent */

/** An input that is computed. @typedef {{ resolve(output: any): void, reject(error: Error): void }} Waiting */

/** A worker and the inputs that it has. @typedef {{ worker: Worker, waiting: Map<number, Waiting> }} Lane */

/** Inputs that a worker has at once. */
const INPUTS = 2;

/** Workers with one network each. */
export class Lanes {
  /** @type {Lane[]} */
  #lanes;
  #next = 0;

  /** @param {number} count @param {Recipe} recipe */
  constructor(count, recipe) {
    const workerData = { ...recipe, state: recipe.state.map(([name, tensor]) => [name, sent(tensor)]) };
    this.#lanes = Array.from({ length: count }, () => {
      const worker = new Worker(new URL('./lane-worker.js', import.meta.url), { workerData });
      /** @type {Lane} */
      const lane = { worker, waiting: new Map() };
      const rejectAll = (/** @type {Error} */ error) => {
        for (const { reject } of lane.waiting.values()) reject(error);
        lane.waiting.clear();
      };
      worker.on('message', ({ id, output, message, isExpected }) => {
        const waiting = lane.waiting.get(id);
        lane.waiting.delete(id);
        if (message === undefined) waiting?.resolve(received(output));
        else waiting?.reject(isExpected ? new CommandError(message) : new Error(message));
      });
      worker.on('error', rejectAll);
      worker.on('exit', () => rejectAll(new Error('a thread of the network has ended')));
      return lane;
    });
  }

  /** How many inputs keep all workers at work. */
  get width() {
    return this.#lanes.length * INPUTS;
  }

  /**
   * The network's output, or a Map of its features.
   *
   * @param {Tensor} input
   * @returns {Promise<any>}
   */
  run(input) {
    const lane = this.#lanes.reduce((least, other) => (other.waiting.size < least.waiting.size ? other : least));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      lane.waiting.set(id, { resolve, reject });
      lane.worker.postMessage({ id, input: sent(input) });
    });
  }

  /** Ends the workers. */
  async close() {
    await Promise.all(this.#lanes.map(({ worker }) => worker.terminate()));
  }
}

/** @param {Tensor} tensor @returns {Sent} */
export function sent({ data, shape, dtype }) {
  return { data, shape, dtype };
}

/** @param {Sent | ReadonlyMap<string, Sent>} output */
export function received(output) {
  const tensorOf = (/** @type {Sent} */ { data, shape, dtype }) => new Tensor(data, shape, dtype);
  if (!(output instanceof Map)) return tensorOf(/** @type {Sent} */ (output));
  return new Map(Array.from(output, ([name, one]) => [name, tensorOf(one)]));
}
