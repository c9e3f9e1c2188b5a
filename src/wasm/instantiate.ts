/**
 * Which binary, and how it is instantiated. Modules are compiled on first use and shared; instances, which own memory,
 * are not: each compiled model gets its own.
 */

import { UnsupportedError } from '../errors.ts';
import { relaxed, simd } from './binaries.gen.ts';
import type { Kernels } from './kernels.gen.ts';

/**
 * A build of the kernels: `relaxed` uses fused multiply-adds (relaxed SIMD), `simd` rounds twice and gives the same bits on
 * every engine.
 */
export type Binary = 'simd' | 'relaxed';

/** An instance of the kernels with a memory of its own. */
export interface Instance {
  readonly binary: Binary;
  readonly kernels: Kernels;
}

const modules = new Map<Binary, WebAssembly.Module>();

/** The fastest binary that this engine accepts, or `simd` where `deterministic`. */
export function chooseBinary(deterministic = false): Binary {
  return deterministic || !accepts('relaxed') ? 'simd' : 'relaxed';
}

const accepted = new Map<Binary, boolean>();

function accepts(binary: Binary): boolean {
  let answer = accepted.get(binary);
  if (answer === undefined) {
    answer = WebAssembly.validate(bytesOf(binary));
    accepted.set(binary, answer);
  }
  return answer;
}

/**
 * A new instance of a binary.
 *
 * @throws {@link UnsupportedError} where the host has no WebAssembly SIMD, or forbids compiling
 */
export function instantiate(binary: Binary): Instance {
  let module = modules.get(binary);
  if (!module) {
    try {
      module = new WebAssembly.Module(bytesOf(binary));
    } catch (cause) {
      throw new UnsupportedError(`layertap: expected a host that compiles WebAssembly with SIMD, got "${cause}"`, {
        cause,
      });
    }
    modules.set(binary, module);
  }
  const { exports } = new WebAssembly.Instance(module);
  return { binary, kernels: exports as unknown as Kernels };
}

function bytesOf(binary: Binary): Uint8Array<ArrayBuffer> {
  const text = atob(binary === 'relaxed' ? relaxed : simd);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
