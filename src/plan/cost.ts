/** The cost model: which algorithm a plan takes. It looks at the layer, its shapes and the engine, never at what else is computed. */

import { assert } from '../errors.ts';
import { type Algorithm, NO_EPILOGUE, type Site } from '../ops/op.ts';

/** Multiply-accumulates in a millisecond of one thread, in a register tile with fused multiply-adds. */
const MACS_PER_MS = 27e6;

/** Floats through a transform in a millisecond. */
const TRANSFORMED_PER_MS = 1.5e6;

/** Bytes of packed weights in a millisecond: they come from main memory, since a network's don't fit a cache. */
const WEIGHT_BYTES_PER_MS = 16e6;

/** An estimate of what an algorithm takes, in milliseconds of one thread on a machine of 2024. Only ratios matter. */
export function estimateMs<A>(algorithm: Algorithm<A>, site: Site<A>): number {
  const work = algorithm.work?.(site) ?? { macs: 0, transformed: 0 };
  // What has joined the epilogue depends on the taps, and so must not be weighed.
  const ownConstants = algorithm.constants?.({ ...site, epilogue: NO_EPILOGUE }) ?? [];
  const weightBytes = ownConstants.reduce((sum, { bytes }) => sum + bytes, 0);
  return work.macs / MACS_PER_MS + work.transformed / TRANSFORMED_PER_MS + weightBytes / WEIGHT_BYTES_PER_MS;
}

/** The cheapest of the algorithms that fit. */
export function chooseAlgorithm<A>(algorithms: readonly Algorithm<A>[], site: Site<A>): Algorithm<A> {
  let best: Algorithm<A> | null = null;
  let least = Infinity;
  for (const algorithm of algorithms) {
    if (algorithm.fits && !algorithm.fits(site)) continue;
    const ms = estimateMs(algorithm, site);
    if (ms < least) {
      best = algorithm;
      least = ms;
    }
  }
  assert(best, 'an algorithm fits every site');
  return best;
}
