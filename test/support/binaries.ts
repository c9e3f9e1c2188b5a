/** The two binaries, and models pinned to one of them. */

import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Binary } from '../../src/wasm/binary.ts';
import { chooseBinary, instantiate } from '../../src/wasm/instantiate.ts';

/** Both, or simd alone where the engine has no relaxed SIMD: said aloud. */
export const binaries: readonly Binary[] = chooseBinary() === 'relaxed' ? ['simd', 'relaxed'] : ['simd'];

if (binaries.length === 1) console.warn('The relaxed binary is not tested: this engine has no relaxed SIMD.');

/** A compiled model without plans whose instance is of that binary, with its steps cut for threads. */
export function compiledModel(binary: Binary, threads = 1): CompiledModel {
  return new CompiledModel({}, { instance: instantiate(binary), threads });
}
