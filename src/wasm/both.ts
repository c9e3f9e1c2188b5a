/** The file with both binaries, for hosts that take them as files: scripts/both.mjs makes it. */

import type { Binary } from './binary.ts';
import type { Kernels } from './kernels.gen.ts';

/** A binary's kernels among an instance's exports: the simd binary's have names of their own where there are both. */
export function kernelsOf(binary: Binary, exports: Kernels): Kernels {
  if (binary === 'relaxed') return exports;
  const all: Record<string, unknown> = { ...exports };
  return Object.fromEntries(
    Object.keys(all).map((name) => [name, all[`simd_${name}`] ?? all[name]]),
  ) as unknown as Kernels;
}
