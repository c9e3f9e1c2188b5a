/** What can be chosen when a model is compiled, and what is chosen where nothing is given. */

import { describe, ValueError } from '../errors.ts';
import type { WeightStorage } from '../ops/lowering/algorithm.ts';
import { flag, withDefaults } from '../options.ts';
import { MAX_PAGES, PAGE_BYTES } from '../wasm/instantiate.ts';
import type { Pool } from './pool.ts';

/** The most bytes that a WebAssembly memory can have. */
export const MAX_BYTES = MAX_PAGES * PAGE_BYTES;

/** What can be chosen when a model is compiled. */
export interface CompileOptions {
  /**
   * True for the same bits on every engine: the plain SIMD binary, which rounds each product; nothing that is chosen
   * depends on the engine; every NaN is 0x7fc00000. False unless given.
   */
  readonly deterministic?: boolean;
  /** Threads for asynchronous calls: a ThreadPool of `layertap/threads`. None unless given. */
  readonly pool?: Pool | undefined;
  /**
   * The most bytes of WebAssembly memory that a plan may take, weights and activations together; 4 GiB unless given.
   * Within it, memory is spent where it saves most time; a plan that can't fit throws a MemoryError before anything is
   * allocated.
   */
  readonly memoryBudgetBytes?: number;
  /**
   * How packed weights of convolutions and linear layers lie in memory: as `f32`, unless given, or as `f16`, which
   * halves them. Sums stay in float32. Weights from an f16 file are exact; others are rounded to nearest even, and a
   * ValueError names the weight that has values of 65,520 or more, which f16 has no room for. Depthwise weights stay
   * f32, and so do Winograd's, which are used only where memoryBudgetBytes is given and leaves room for them.
   */
  readonly weightStorage?: WeightStorage;
}

/** {@link CompileOptions} with their defaults. */
export interface CheckedOptions extends Required<CompileOptions> {
  /** True where a budget was given. */
  readonly isBudgeted: boolean;
}

/** @throws {@link ValueError} for options that aren't known, or out of range */
export function checkedOptions(options: CompileOptions): CheckedOptions {
  const checked = withDefaults('compile', options, {
    deterministic: false,
    pool: undefined,
    memoryBudgetBytes: MAX_BYTES,
    weightStorage: 'f32' as const,
  });
  const { deterministic, pool, memoryBudgetBytes, weightStorage } = checked;
  flag('compile: deterministic', deterministic);
  if (pool !== undefined && typeof (pool as Pool | null)?.instantiate !== 'function') {
    throw new ValueError(`compile: expected pool as a ThreadPool, got ${describe(pool)}`);
  }
  if (!Number.isSafeInteger(memoryBudgetBytes) || memoryBudgetBytes <= 0 || memoryBudgetBytes > MAX_BYTES) {
    throw new ValueError(
      `compile: expected memoryBudgetBytes as a whole number from 1 to ${MAX_BYTES}, ` +
        `got ${describe(memoryBudgetBytes)}`,
    );
  }
  if (weightStorage !== 'f32' && weightStorage !== 'f16') {
    throw new ValueError(`compile: expected weightStorage as 'f32' or 'f16', got ${describe(weightStorage)}`);
  }
  return { ...checked, isBudgeted: options.memoryBudgetBytes !== undefined };
}
