/**
 * Which binary, and how it is instantiated. Modules are compiled on first use and shared; instances, which own memory,
 * are not: each compiled model gets its own.
 */

import { describe, MemoryError, ValueError } from '../errors.ts';
import type { Binary } from './binary.ts';
import { type Kernels, VERSION } from './kernels.gen.ts';
import { isRunnable, kernelsOf, moduleOf } from './modules.ts';

/** An instance of the kernels with a memory of its own. */
export interface Instance {
  readonly binary: Binary;
  readonly kernels: Kernels;
}

/** Bytes of a memory's page. */
export const PAGE_BYTES = 65536;

/** Bytes in whole pages. */
export function inPages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Pages that a memory can have at most: 4 GiB. */
export const MAX_PAGES = 65536;

/** Modules that were compiled or given. */
const modules = new Map<Binary, WebAssembly.Module>();

/** Modules that {@link setModule} was given. */
const given = new Set<Binary>();

/** Whether any kernels were compiled, or given. */
export function hasCompiled(): boolean {
  return modules.size > 0;
}

/** Whether the relaxed binary runs here, once it was asked. */
let runsRelaxed: boolean | undefined;

/** The fastest binary that this engine runs, among given ones if there are any; `simd` where `deterministic`. */
export function chooseBinary(deterministic = false): Binary {
  if (deterministic) return 'simd';
  if (given.size > 0) return given.has('relaxed') ? 'relaxed' : 'simd';
  runsRelaxed ??= isRunnable('relaxed');
  return runsRelaxed ? 'relaxed' : 'simd';
}

/**
 * Gives layertap its kernels: the module of `layertap/kernels.wasm`, of `layertap/kernels.relaxed.wasm`, or of both in
 * two calls. Two kinds of hosts need it: those that forbid compiling and that no export condition names, and those of
 * the condition `edge-light` that have relaxed SIMD. From then on only given binaries are chosen: `relaxed` where that
 * was given, `simd` for `{ deterministic: true }`. Models that are compiled already keep theirs.
 *
 *     import kernels from 'layertap/kernels.wasm'; // however the host imports a WebAssembly.Module
 *     setModule(kernels);
 *
 * @param module as the host made it; it may come from another realm
 * @throws {@link ValueError} where it is something else, or from another version of layertap
 */
export function setModule(module: WebAssembly.Module): void {
  const binary = binaryOf(module);
  modules.set(binary, module);
  given.add(binary);
}

/** Which binary a module is: its custom section `layertap` says that. */
function binaryOf(module: WebAssembly.Module): Binary {
  const expected = `setModule: expected the module of layertap ${VERSION}'s kernels.wasm or kernels.relaxed.wasm`;
  let sections: ArrayBuffer[];
  try {
    // Not instanceof: a module that the host made in another realm fails that, and works.
    sections = WebAssembly.Module.customSections(module, 'layertap');
  } catch {
    throw new ValueError(`${expected}, got ${describe(module)}`);
  }
  const label = sections.length > 0 ? new TextDecoder().decode(sections[0]) : null;
  if (label === `${VERSION} simd`) return 'simd';
  if (label === `${VERSION} relaxed`) return 'relaxed';
  throw new ValueError(`${expected}, got ${label ? `"${label}"` : 'a module of something else'}`);
}

/**
 * A new instance of a binary.
 *
 * @throws UnsupportedError where the host has no WebAssembly SIMD, or forbids compiling
 * @throws {@link MemoryError} where the host gives no memory at all
 */
export function instantiate(binary: Binary): Instance {
  const module = modules.get(binary) ?? moduleOf(binary);
  modules.set(binary, module);
  return { binary, kernels: kernelsOf(binary, kernelsIn(module, newMemory())) };
}

/** The kernels of a module, on a memory. */
export function kernelsIn(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}

/**
 * An empty memory that can grow to 4 GiB, or to what less a host reserves.
 *
 * @throws {@link MemoryError} where even 64 MiB can't be reserved
 */
export function newMemory({ shared = false } = {}): WebAssembly.Memory {
  for (let maximum = MAX_PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum, shared });
    } catch (cause) {
      if (maximum > 1024) continue;
      throw new MemoryError(`layertap: expected a WebAssembly memory, got "${cause}"`, { cause });
    }
  }
}
