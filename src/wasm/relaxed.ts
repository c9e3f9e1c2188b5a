/**
 * `layertap/relaxed`: the relaxed binary as a module that the host has compiled, for hosts of the condition
 * `edge-light` that are known to have relaxed SIMD; others don't even load it. A file, because not every bundler takes
 * `layertap/kernels.relaxed.wasm?module`.
 */

import module from '../kernels.relaxed.wasm?module';

/**
 * What `setModule` takes.
 *
 *     import { setModule } from 'layertap';
 *     import relaxed from 'layertap/relaxed';
 *     setModule(relaxed);
 */
const relaxed: WebAssembly.Module = module;

export default relaxed;
