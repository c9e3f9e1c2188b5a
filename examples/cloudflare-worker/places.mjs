/**
 * Back-pressure: what all requests hold together, and a clear answer to those beyond. A request never waits for another
 * one: on Workers a promise that another request settles may stay pending for good, since a request whose client goes
 * away ends without its `finally`. So this is plain data, and each entry has a time after which its request counts as
 * gone.
 */

import { HttpError } from './failures.mjs';

/** What a request costs besides its body: streams, headers, buffers. */
const LEAST_BYTES = 16384;

/** The requests that are being answered. */
export class Places {
  /** @type {Set<{ bytes: number, isReady: boolean, until: number }>} */
  #entries = new Set();
  #maxBytes;
  #maxReady;
  #now;

  /**
   * @param {number} maxBytes of the bodies that are in memory
   * @param {number} maxReady requests that have arrived and are yet to be run
   * @param {() => number} now in milliseconds
   */
  constructor(maxBytes, maxReady, now = Date.now) {
    this.#maxBytes = maxBytes;
    this.#maxReady = maxReady;
    this.#now = now;
  }

  /**
   * A place for a request, until `leave` or, where the request goes away without it, until the time that `hold` last
   * gave.
   */
  enter() {
    const entry = { bytes: LEAST_BYTES, isReady: false, until: 0 };
    return {
      /**
       * Says that the request holds so many bytes of its body, and is there until then unless it says more.
       *
       * @throws {HttpError} 429 where all together hold too much
       */
      hold: (bytes, until) => {
        this.#add(entry, { bytes: Math.max(bytes, LEAST_BYTES), isReady: entry.isReady, until });
      },
      /** Says that the body has arrived. @throws {HttpError} 429 where too many are ready */
      ready: (until) => this.#add(entry, { bytes: entry.bytes, isReady: true, until }),
      leave: () => this.#entries.delete(entry),
    };
  }

  #add(entry, next) {
    let { bytes } = next;
    let ready = next.isReady ? 1 : 0;
    for (const other of this.#entries) {
      if (other.until < this.#now()) this.#entries.delete(other);
      else if (other !== entry) {
        bytes += other.bytes;
        if (other.isReady) ready++;
      }
    }
    if (bytes > this.#maxBytes || ready > this.#maxReady) {
      throw new HttpError(429, 'ERR_BUSY', 'too many requests at once', { 'retry-after': '1' });
    }
    this.#entries.add(Object.assign(entry, next));
  }
}
