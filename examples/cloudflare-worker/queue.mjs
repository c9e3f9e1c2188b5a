/** Back-pressure: so many at once, so many waiting, and a clear answer to the others. */

import { HttpError } from './failures.mjs';

/** Runs tasks in the order in which they came. */
export class Queue {
  #running = 0;
  #waiting = [];
  #maxRunning;
  #maxWaiting;

  /**
   * @param {number} maxRunning
   * @param {number} maxWaiting
   */
  constructor(maxRunning, maxWaiting) {
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * What the task returns, once it is its turn.
   *
   * @template T
   * @param {() => Promise<T>} task
   * @returns {Promise<T>}
   * @throws {HttpError} 429 where too many wait
   */
  async run(task) {
    if (this.#running >= this.#maxRunning) {
      if (this.#waiting.length >= this.#maxWaiting) {
        throw new HttpError(429, 'ERR_BUSY', 'too many requests at once', { 'retry-after': '1' });
      }
      // The one that leaves hands its place over.
      await new Promise((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
