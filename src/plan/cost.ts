/**
 * The cost model: which algorithm a plan takes. It looks at the layer, its shapes, how weights are stored and what a
 * byte is worth, never at what else is computed, nor at the engine: so a layer takes the same algorithm in every one.
 */

import { assert } from '../errors.ts';
import type { Algorithm, Engine, Prepared, Site } from '../ops/lowering/algorithm.ts';
import { NO_EPILOGUE } from '../ops/rules/epilogue.ts';
import { numel } from '../tensor/shape.ts';

// Rounded estimates for one thread on a machine of 2024. Their ratios matter, not their sizes.

/** Multiply-accumulates in a millisecond, in a register tile with fused multiply-adds. */
const MACS_PER_MS = 27e6;

/** Floats through a transform in a millisecond. */
const TRANSFORMED_PER_MS = 1.5e6;

/** Bytes of packed weights in a millisecond: they come from main memory, since a network's don't fit a cache. */
const WEIGHT_BYTES_PER_MS = 16e6;

/**
 * Milliseconds that a byte of memory is worth where it isn't scarce: a megabyte has to save a tenth of a millisecond.
 */
export const BYTE_PRICE = 1e-7;

/** The engine that costs are counted for. */
export const COST_ENGINE: Engine = { tileRows: 4, threads: 1, deterministic: false };

/** What an algorithm takes at a site. */
export interface Cost {
  /** An estimate for one thread on a machine of 2024. Only ratios matter. */
  readonly ms: number;
  /**
   * Bytes of packed weights, and of scratch memory beyond what the layer's own values take: so much the arena has
   * anyway.
   */
  readonly bytes: number;
}

/** An algorithm that can be used at a site, and what it takes there. */
export interface Candidate {
  readonly algorithm: Algorithm<unknown>;
  readonly cost: Cost;
}

/**
 * The algorithms that can be used at a site. What has joined the epilogue depends on the taps, and so isn't weighed;
 * nor is the engine.
 */
export function candidatesFor(algorithms: readonly Algorithm<unknown>[], given: Site<unknown>): Candidate[] {
  // Without what costs aren't counted for.
  const site = { ...given, epilogue: NO_EPILOGUE, engine: COST_ENGINE };
  return algorithms.flatMap((algorithm) => {
    const prepared = algorithm.prepare(site);
    return prepared ? [{ algorithm, cost: costOf(prepared, site) }] : [];
  });
}

function costOf({ work, constants = [], workspace }: Prepared, site: Site<unknown>): Cost {
  const { macs, transformed } = work ?? { macs: 0, transformed: 0 };
  const weightBytes = constants.reduce((sum, constant) => sum + (constant?.bytes ?? 0), 0);
  return {
    ms: macs / MACS_PER_MS + transformed / TRANSFORMED_PER_MS + weightBytes / WEIGHT_BYTES_PER_MS,
    bytes: weightBytes + Math.max(0, (workspace?.scratchBytes ?? 0) - valueBytesOf(site)),
  };
}

/** Bytes of a site's inputs and output. */
function valueBytesOf({ inputs, output }: Site<unknown>): number {
  return [...inputs, output].reduce((sum, shape) => sum + numel(shape) * 4, 0);
}

/** Bytes of values that are read or written in a millisecond by an op that does little else. */
const VALUE_BYTES_PER_MS = 8e6;

/**
 * Milliseconds that an algorithm takes at a site: by the same estimate, or what passing over the values takes where
 * that is more.
 */
export function timeOf(algorithm: Algorithm<unknown>, site: Site<unknown>): number {
  const [candidate] = candidatesFor([algorithm], site);
  return Math.max(candidate?.cost.ms ?? 0, valueBytesOf(site) / VALUE_BYTES_PER_MS);
}

/** An algorithm, and what it prepared for a site. */
export interface Choice {
  readonly algorithm: Algorithm<unknown>;
  readonly prepared: Prepared;
}

/**
 * The cheapest of the algorithms that can be used at a site, a byte costing `bytePrice` milliseconds; the smallest of
 * them where that is infinite.
 */
export function chooseAlgorithm(
  algorithms: readonly Algorithm<unknown>[],
  site: Site<unknown>,
  bytePrice = BYTE_PRICE,
): Choice {
  // Most sites have one way, which needs no weighing.
  let only: Choice | undefined;
  for (const algorithm of algorithms) {
    const prepared = algorithm.prepare(site);
    if (prepared && only) {
      const total = ({ cost: { ms, bytes } }: Candidate) => ms + bytes * bytePrice;
      const [best] = candidatesFor(algorithms, site).sort((a, b) =>
        bytePrice === Infinity ? a.cost.bytes - b.cost.bytes || a.cost.ms - b.cost.ms : total(a) - total(b),
      );
      // What candidates prepared is for one thread and without an epilogue, to compare costs. This is for the site.
      return { algorithm: best!.algorithm, prepared: best!.algorithm.prepare(site)! };
    }
    if (prepared) only = { algorithm, prepared };
  }
  assert(only, 'an algorithm fits every site');
  return only;
}
