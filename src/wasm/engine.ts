/**
 * What the engine that runs the kernels can hold in registers. It decides how fast they are, never what they compute.
 */

import type { Binary } from './binary.ts';

/** Rows of a convolution's tile that every engine keeps in registers. */
const ROWS_OF_EVERY_ENGINE = 4;

/**
 * Rows of a convolution's tile. V8 before 13 spills registers in tiles of more than four rows. Whether an engine is as
 * new is told by Float16Array, which came at the same time. Results don't depend on it.
 *
 * @param deterministic true where nothing may depend on the engine
 */
export function tileRowsOf(binary: Binary, deterministic: boolean): number {
  if (deterministic || !('Float16Array' in globalThis)) return ROWS_OF_EVERY_ENGINE;
  return binary === 'relaxed' ? 6 : 5;
}
