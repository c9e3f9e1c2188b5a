/**
 * The binaries as modules: inlined in the code, decoded and compiled on first use. Where a host forbids compiling, the entry for
 * its export condition has modules.edge.ts in this file's place; the build sees to that.
 */

import { relaxed, simd } from './binaries.gen.ts';
import type { Binary } from './instantiate.ts';

/** Whether this engine runs a binary. */
export function isRunnable(binary: Binary): boolean {
  return WebAssembly.validate(bytesOf(binary));
}

/**
 * A binary's module.
 *
 * @throws WebAssembly.CompileError where the host has no WebAssembly SIMD, or forbids compiling
 */
export function moduleOf(binary: Binary): WebAssembly.Module {
  return new WebAssembly.Module(bytesOf(binary));
}

/** A binary's bytes, a new copy of them. */
export function bytesOf(binary: Binary): Uint8Array<ArrayBuffer> {
  const text = atob(binary === 'relaxed' ? relaxed : simd);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
