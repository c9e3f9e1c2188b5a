/** Photos as a network's inputs: one by itself in this thread, many by workers that run ahead of the network. */

import { Worker } from 'node:worker_threads';
import { LayertapError, Tensor } from 'layertap';
import { CommandError } from './failures.js';
import { readPhoto } from './photo.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Input */

/** Decodes and prepares photos. */
export class Decoder {
  /** @type {Worker[]} */
  #workers;
  #preparation;
  #autoOrient;
  #next = 0;
  /** @type {Map<number, { resolve: (input: Input) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();

  /**
   * @param {ReturnType<typeof import('./preparation.js').preparationOf>} preparation
   * @param {{ autoOrient: boolean, workers: number }} options 0 workers for this thread
   */
  constructor(preparation, { autoOrient, workers }) {
    this.#preparation = preparation;
    this.#autoOrient = autoOrient;
    this.#workers = Array.from({ length: workers }, () => {
      const worker = new Worker(new URL('./decode-worker.js', import.meta.url));
      worker.on('message', (answer) => this.#take(answer));
      worker.on('error', (error) => {
        for (const { reject } of this.#waiting.values()) reject(error);
        this.#waiting.clear();
      });
      return worker;
    });
  }

  /**
   * The input of a picture.
   *
   * @param {string} path
   * @returns {Promise<Input>} rejected with a CommandError where the picture can't be decoded
   */
  async read(path) {
    if (this.#workers.length === 0 || path === '-') {
      return this.#prepare(path, await readPhoto('', path, { autoOrient: this.#autoOrient }));
    }
    const id = this.#next++;
    const worker = this.#workers[id % this.#workers.length];
    worker.postMessage({ id, path, recipe: this.#preparation.recipe, autoOrient: this.#autoOrient });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** Ends the workers. */
  async close() {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** @param {any} answer */
  #take({ id, data, shape, image, message, isExpected }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (message !== undefined) waiting?.reject(isExpected ? new CommandError(message) : new Error(message));
    else if (image) {
      try {
        waiting?.resolve(this.#prepare('', image));
      } catch (error) {
        waiting?.reject(/** @type {Error} */ (error));
      }
    } else waiting?.resolve(new Tensor(data, shape));
  }

  /**
   * @param {string} path
   * @param {import('layertap').Image} image
   */
  #prepare(path, image) {
    try {
      return this.#preparation.prepare(image);
    } catch (error) {
      if (error instanceof LayertapError) throw new CommandError(`${path}: ${error.message}`);
      throw error;
    }
  }
}
