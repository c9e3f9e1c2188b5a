/**
 * The binaries as modules that Cloudflare's runtime has compiled: it forbids compiling at run time, so they are imported. `?module` is the
 * form that wrangler and Cloudflare's Vite plugin take. Takes the place of modules.ts.
 */

import relaxed from '../kernels.relaxed.wasm?module';
import simd from '../kernels.wasm?module';
import type { Binary } from './binary.ts';

/** Whether this engine runs a binary: it has compiled both before any code runs. */
export function isRunnable(_binary: Binary): boolean {
  return true;
}

/** A binary's module. */
export function moduleOf(binary: Binary): WebAssembly.Module {
  return binary === 'relaxed' ? relaxed : simd;
}
