/**
 * Runs before every test file. Node 20 accepts the relaxed binary only behind a V8 flag, which has to be set before
 * anything asks WebAssembly.validate; later versions have relaxed SIMD by default.
 */

import { setFlagsFromString } from 'node:v8';

if (Number.parseInt(process.versions.node, 10) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
