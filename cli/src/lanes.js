/**
 * Pictures side by side: workers, each with the network and a plan of its own, which decode, prepare and run whole
 * pictures. They never wait for each other, as the threads of one input do after each step.
 */

import { Worker } from 'node:worker_threads';
import { Tensor } from 'layertap';
import { CommandError } from './failures.js';

/**
 * What a worker makes its network of, and its pictures.
 *
 * @typedef {object} Blueprint
 * @property {string | undefined} model torchvision's name
 * @property {Record<string, unknown>} modelOptions
 * @property {ReadonlyMap<string, string> | null} layers null for the whole network
 * @property {readonly number[]} shape of the first input
 * @property {boolean} deterministic
 * @property {import('./preparation.js').Recipe} preparation
 * @property {boolean} autoOrient
 * @property {boolean} keepsInputs whether inputs come back with the outputs
 */

/** A tensor as a message holds it. @typedef {{ data: any, shape: readonly number[], dtype: any }} Sent */

/**
 * A picture of a batch as a message holds it.
 *
 * @typedef {{ picture: string, read?: { input: Sent, size: import('./lane.js').Read['size'] } }} SentMember
 */

/** A network's output as a message holds it. @typedef {Sent | Map<string, Sent>} SentOutput */

/**
 * A batch that is computed.
 *
 * @typedef {{ resolve(done: import('./lane.js').Done): void, reject(error: Error): void,
 *   onProgress: (part: number) => void }} Waiting
 */

/**
 * A worker, the batches that it has, and what it died of.
 *
 * @typedef {{ worker: Worker, waiting: Map<number, Waiting>, error: Error | null }} Place
 */

/** Batches that a worker has at once: as many as keep it at work. */
const BATCHES = 2;

/** Workers with one network each, which run batches as a {@link import('./lane.js').Lane} does. */
export class Lanes {
  /** @type {Place[]} */
  #places;
  #next = 0;

  /** @param {number} count */
  constructor(count) {
    this.#places = Array.from({ length: count }, () => {
      const worker = new Worker(new URL('./lane-worker.js', import.meta.url));
      /** @type {Place} */
      const place = { worker, waiting: new Map(), error: null };
      const rejectAll = (/** @type {Error} */ error) => {
        place.error ??= error;
        for (const { reject } of place.waiting.values()) reject(place.error);
        place.waiting.clear();
      };
      worker.on('message', (message) => answer(place, message));
      worker.on('error', rejectAll);
      worker.on('exit', () => rejectAll(new Error('a thread of the network has ended')));
      return place;
    });
  }

  /** How many batches keep all workers at work. */
  get width() {
    return this.#places.length * BATCHES;
  }

  /**
   * Gives the workers their network. The weights are in memory once for all of them while they load.
   *
   * @param {Blueprint} blueprint
   * @param {readonly (readonly [string, Tensor])[]} state
   */
  start(blueprint, state) {
    const shared = state.map(([name, tensor]) => [name, { ...sent(tensor), data: sharedCopy(tensor.data) }]);
    for (const { worker } of this.#places) worker.postMessage({ blueprint, state: shared });
  }

  /**
   * Runs a batch where the fewest are. A worker that has died has none.
   *
   * @param {readonly import('./lane.js').Member[]} members
   * @param {(part: number) => void} onProgress
   * @returns {Promise<import('./lane.js').Done>}
   */
  run(members, onProgress) {
    const { worker, waiting, error } = this.#places.reduce((least, other) =>
      other.waiting.size < least.waiting.size ? other : least,
    );
    if (error) return Promise.reject(error);
    const id = this.#next++;
    /** @type {SentMember[]} */
    const plain = members.map(({ picture, read }) => ({
      picture,
      ...(read && { read: { ...read, input: sent(read.input) } }),
    }));
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject, onProgress });
      worker.postMessage({ id, members: plain });
    });
  }

  /** Ends the workers. */
  async close() {
    await Promise.all(this.#places.map(({ worker }) => worker.terminate()));
  }
}

/**
 * Takes what a worker has to say of a batch.
 *
 * @param {Place} place
 * @param {{ id: number, part?: number, groups: { members: number[], sizes: import('./lane.js').Read['size'][],
 *   input: Sent, output: SentOutput }[], failures: { member: number, message: string }[] }} message
 */
function answer({ waiting }, { id, part, groups, failures }) {
  const batch = waiting.get(id);
  if (part !== undefined) return batch?.onProgress(part);
  waiting.delete(id);
  batch?.resolve({
    groups: groups.map(({ members, sizes, input, output }) => ({
      members,
      sizes,
      input: /** @type {any} */ (input && received(input)),
      output: output instanceof Map ? mapped(output, received) : received(output),
    })),
    failures: failures.map(({ member, message: text }) => ({ member, error: new CommandError(text) })),
  });
}

/**
 * A copy that all threads see.
 *
 * @template {import('layertap').Tensor['data']} Data
 * @param {Data} data
 * @returns {Data}
 */
function sharedCopy(data) {
  const make = /** @type {new (buffer: SharedArrayBuffer) => any} */ (data.constructor);
  const copy = new make(new SharedArrayBuffer(data.byteLength));
  copy.set(data);
  return copy;
}

/** @param {Tensor} tensor @returns {Sent} */
export function sent({ data, shape, dtype }) {
  return { data, shape, dtype };
}

/** @param {Sent} tensor @returns {Tensor} */
export function received({ data, shape, dtype }) {
  return new Tensor(data, shape, dtype);
}

/**
 * @template A, B
 * @param {ReadonlyMap<string, A>} map
 * @param {(value: A) => B} change
 */
export function mapped(map, change) {
  return new Map(Array.from(map, ([name, value]) => [String(name), change(value)]));
}
