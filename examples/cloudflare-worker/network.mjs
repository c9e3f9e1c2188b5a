/**
 * The network, loaded once for all requests. The first request that needs it loads it, within its own life; those that
 * come meanwhile look every few milliseconds by timers of their own, since on Workers nothing may be awaited that
 * belongs to another request.
 */

import { HttpError } from './failures.mjs';

const LOOK_MS = 20;

/** A loading without progress for so long belongs to a request that has gone away: the next one loads anew. */
const STALLED_MS = 30_000;

/**
 * @template Network
 * @param {(onProgress: () => void) => Promise<Network>} load
 * @returns {{ get(context?: { waitUntil?(promise: Promise<unknown>): void }): Promise<Network>, drop(): void }} `get`
 *   throws an HttpError 503 where loading fails, to all who waited for it; the next one tries anew. `drop` forgets the
 *   network
 */
export function sharedNetwork(load) {
  /** @type {{ network: Network | null, error: HttpError | null, seen: number } | null} */
  let current = null;

  async function fill(mine) {
    try {
      mine.network = await load(() => {
        mine.seen = Date.now();
        if (current !== mine) throw new Error('another request has begun to load anew');
      });
    } catch (error) {
      console.error(error);
      mine.error = new HttpError(503, 'ERR_WEIGHTS', 'the weights could not be loaded', { 'retry-after': '1' });
      if (current === mine) current = null;
    }
  }

  async function get(context) {
    if (current?.network) return current.network;
    let mine = current;
    if (!mine || Date.now() - mine.seen > STALLED_MS) {
      mine = { network: null, error: null, seen: Date.now() };
      current = mine;
      const filling = fill(mine);
      // The client of the request that loads may go away; the others still need the network.
      context?.waitUntil?.(filling);
      await filling;
    }
    while (!mine.network && !mine.error && Date.now() - mine.seen <= STALLED_MS) await pause(LOOK_MS);
    if (mine.network) return mine.network;
    throw mine.error ?? new HttpError(503, 'ERR_WEIGHTS', 'the weights take too long', { 'retry-after': '1' });
  }

  return {
    get,
    drop() {
      current = null;
    },
  };
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
