/**
 * The plain binary alone, as a module that the host has compiled: for hosts that forbid compiling at run time, and
 * whose engine isn't known. They compile what is imported before any code runs, whether it is used or not; without
 * relaxed SIMD (Next.js on Node 20), the relaxed binary would keep everything from loading. `layertap/relaxed` and
 * `setModule` bring it where it runs. Takes the place of modules.ts.
 */

import { assert } from '../errors.ts';
import simd from '../kernels.wasm?module';
import type { Binary } from './binary.ts';
import type { Kernels } from './kernels.gen.ts';

/** Whether a binary is here. */
export function isRunnable(binary: Binary): boolean {
  return binary === 'simd';
}

/** The plain binary's module. */
export function moduleOf(binary: Binary): WebAssembly.Module {
  assert(binary === 'simd', 'only a binary that runs is chosen');
  return simd;
}

/** A binary's kernels among an instance's exports: all of them. */
export function kernelsOf(_binary: Binary, exports: Kernels): Kernels {
  return exports;
}
