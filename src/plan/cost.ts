/**
 * The cost model: which algorithm a plan takes. It looks at the layer, its shapes, how weights are stored and what a byte is worth,
 * never at what else is computed, nor at the engine: so a layer takes the same algorithm in every one.
 */

import { assert } from '../errors.ts';
import { type Algorithm, type Engine, NO_EPILOGUE, type Site } from '../ops/op.ts';
import { numel } from '../tensor/shape.ts';

/** Multiply-accumulates in a millisecond of one thread, in a register tile with fused multiply-adds. */
const MACS_PER_MS = 27e6;

/** Floats through a transform in a millisecond. */
const TRANSFORMED_PER_MS = 1.5e6;

/** Bytes of packed weights in a millisecond: they come from main memory, since a network's don't fit a cache. */
const WEIGHT_BYTES_PER_MS = 16e6;

/** Milliseconds that a byte of memory is worth where it isn't scarce: a megabyte has to save a tenth of a millisecond. */
export const BYTE_PRICE = 1e-7;

/** The engine that costs are counted for. */
export const COST_ENGINE: Engine = { tileRows: 4, threads: 1, deterministic: false };

/** What an algorithm takes at a site. */
export interface Cost {
  /** An estimate for one thread on a machine of 2024. Only ratios matter. */
  readonly ms: number;
  /** Bytes of packed weights, and of scratch memory beyond what the layer's own values take: so much the arena has anyway. */
  readonly bytes: number;
}

/** What an algorithm takes. What has joined the epilogue depends on the taps, and so isn't weighed. */
export function costOf<A>(algorithm: Algorithm<A>, given: Site<A>): Cost {
  const site = { ...given, epilogue: NO_EPILOGUE, engine: COST_ENGINE };
  const work = algorithm.work?.(site) ?? { macs: 0, transformed: 0 };
  const weightBytes = (algorithm.constants?.(site) ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
  const valueBytes = [...site.inputs, site.output].reduce((sum, shape) => sum + numel(shape) * 4, 0);
  return {
    ms: work.macs / MACS_PER_MS + work.transformed / TRANSFORMED_PER_MS + weightBytes / WEIGHT_BYTES_PER_MS,
    bytes: weightBytes + Math.max(0, (algorithm.workspace?.(site).scratchBytes ?? 0) - valueBytes),
  };
}

/** Bytes of values that a millisecond of one thread reads or writes in an op that does little else. */
const VALUE_BYTES_PER_MS = 8e6;

/** Milliseconds that an algorithm takes at a site, by the same estimate; passing over the values is counted too. */
export function timeOf<A>(algorithm: Algorithm<A>, site: Site<A>): number {
  const bytes = [...site.inputs, site.output].reduce((sum, shape) => sum + numel(shape) * 4, 0);
  return Math.max(costOf(algorithm, site).ms, bytes / VALUE_BYTES_PER_MS);
}

/** The algorithms that fit a site. */
export function fittingAlgorithms<A>(algorithms: readonly Algorithm<A>[], site: Site<A>): Algorithm<A>[] {
  return algorithms.filter((algorithm) => algorithm.fits?.({ ...site, engine: COST_ENGINE }) ?? true);
}

/**
 * The cheapest of the algorithms that fit, a byte costing `bytePrice` milliseconds; the smallest of them where that is infinite.
 */
export function chooseAlgorithm<A>(
  algorithms: readonly Algorithm<A>[],
  site: Site<A>,
  bytePrice = BYTE_PRICE,
): Algorithm<A> {
  const fitting = fittingAlgorithms(algorithms, site);
  if (fitting.length === 1) return fitting[0]!;
  let best: Algorithm<A> | null = null;
  let least: readonly [number, number] = [Infinity, Infinity];
  for (const algorithm of fitting) {
    const { ms, bytes } = costOf(algorithm, site);
    const cost = bytePrice === Infinity ? ([bytes, ms] as const) : ([ms + bytes * bytePrice, 0] as const);
    if (cost[0] < least[0] || (cost[0] === least[0] && cost[1] < least[1])) {
      best = algorithm;
      least = cost;
    }
  }
  assert(best, 'an algorithm fits every site');
  return best;
}
