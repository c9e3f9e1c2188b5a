/**
 * The binaries as modules: inlined in the code, decoded and compiled on first use. Where a host forbids compiling, the
 * entry for its export condition has modules.workerd.ts or modules.edge-light.ts in this file's place; the build sees
 * to that.
 */

import { UnsupportedError } from '../errors.ts';
import { SIZE, streams } from './binaries.gen.ts';
import type { Binary } from './binary.ts';
import type { Kernels } from './kernels.gen.ts';
import { joined } from './streams.ts';

/** A module with a fused multiply-add. It is only validated: its function would stop before, at `unreachable`. */
const RELAXED = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 0, 253, 133, 2, 26, 11];

/** Whether this engine runs a binary. Asking compiles neither. */
export function isRunnable(binary: Binary): boolean {
  return binary === 'simd' || WebAssembly.validate(Uint8Array.from(RELAXED));
}

/**
 * A binary's module.
 *
 * @throws {@link UnsupportedError} where the host has no WebAssembly SIMD, or forbids compiling
 */
export function moduleOf(binary: Binary): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytesOf(binary));
  } catch (cause) {
    throw new UnsupportedError(
      `layertap: expected a host that compiles WebAssembly with SIMD, got "${cause}"; ` +
        `allow 'wasm-unsafe-eval' in the page's Content-Security-Policy, or call setModule with the ${binary} binary`,
      { cause },
    );
  }
}

/** A binary's bytes, a new copy of them. The files that ship have a label besides, which setModule reads. */
export function bytesOf(binary: Binary): Uint8Array<ArrayBuffer> {
  return joined(streams.map(decoded), SIZE, binary === 'relaxed');
}

/**
 * The bytes of scripts/text.mjs' text: a character stands for a number below 91, for 91 more after `!`, for 182 more
 * after a space.
 */
export function decoded(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let more = 0;
  // A call for each: engines optimise a small function sooner than a loop.
  new TextEncoder().encode(text).forEach((code) => {
    if (code < 35) more = (34 - code) * 91;
    else {
      bytes[length++] = (((code === 126 ? 92 : code) - 5) % 91) - 3 + more;
      more = 0;
    }
  });
  return bytes.slice(0, length);
}

/** A binary's kernels among an instance's exports: all of them. */
export function kernelsOf(_binary: Binary, exports: Kernels): Kernels {
  return exports;
}
