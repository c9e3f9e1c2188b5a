/**
 * The binaries as a module that Cloudflare's runtime has compiled: it forbids compiling at run time, so they are
 * imported, as one file. `?module` is the form that wrangler and Cloudflare's Vite plugin take. Takes the place of
 * modules.ts.
 */

import both from '../kernels.both.wasm?module';
import type { Binary } from './binary.ts';

export { kernelsOf } from './both.ts';

/** Whether this engine runs a binary: it has compiled both before any code runs. */
export function isRunnable(_binary: Binary): boolean {
  return true;
}

/** A binary's module: it has the other one, too. */
export function moduleOf(_binary: Binary): WebAssembly.Module {
  return both;
}
