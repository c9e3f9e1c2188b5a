/**
 * `layertap/node`: V8's flags, which only Node has, and weights on the disk, which Deno and Bun have, too. Nothing of
 * it is loaded by the main entry.
 */

import { UnsupportedError } from '../errors.ts';
import type { HostProcess, HostScope } from '../host.ts';
import { hasCompiled } from '../wasm/instantiate.ts';
import { isRunnable } from '../wasm/modules.ts';

export type { NodeFile } from '../host.ts';
export { folderCache } from './folder-cache.ts';
export { huggingFaceCache, torchCheckpoint } from './local-files.ts';

/** The first Node whose V8 makes 256-bit code of pairs of 128-bit operations. */
const FIRST_MAJOR = 24;

/**
 * Lets V8 make 256-bit code of the kernels, for the whole process: its experimental flag
 * `--experimental-wasm-revectorize`. Results keep their bits. It is off unless called, because it isn't always faster:
 * `npm run bench -- flags` measures it.
 *
 * @throws {@link UnsupportedError} elsewhere than on Node 24 or newer on x64, and once kernels have been compiled
 */
export function enableRevectorization(): void {
  const { host, name, major } = hostOf();
  if (major < FIRST_MAJOR || host!.arch !== 'x64') {
    const got = host?.arch ? `${name} on ${host.arch}` : name;
    throw new UnsupportedError(`enableRevectorization: expected Node ${FIRST_MAJOR} or newer on x64, got ${got}`);
  }
  setFlag('enableRevectorization', host!, '--experimental-wasm-revectorize');
}

/**
 * True, the relaxed binary with its fused multiply-adds being what runs from now on. Where the engine runs it anyway,
 * nothing is done. Node 20 is made to, for the whole process, by its V8 11.3's flag `--experimental-wasm-relaxed-simd`:
 * experimental there, and on by default since V8 11.4. Taps then have the relaxed binary's bits; `{ deterministic: true
 * }` keeps the plain one's.
 *
 * @throws {@link UnsupportedError} where neither is so, and once kernels have been compiled without it
 */
export function enableRelaxedSimd(): true {
  if (isRunnable('relaxed')) return true;
  const { host, name, major } = hostOf();
  if (major === 20) setFlag('enableRelaxedSimd', host!, '--experimental-wasm-relaxed-simd');
  if (isRunnable('relaxed')) return true;
  throw new UnsupportedError(`enableRelaxedSimd: expected an engine with relaxed SIMD, or Node 20, got ${name}`);
}

/** This host, its name, and its major version where it is Node, otherwise 0. */
function hostOf() {
  const { process: host } = globalThis as unknown as HostScope;
  const { node = '', bun, deno } = host?.versions ?? {};
  const name = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : node ? `Node ${node}` : 'another host';
  return { host, name, major: bun || deno ? 0 : Number.parseInt(node, 10) || 0 };
}

/** @throws {@link UnsupportedError} once kernels have been compiled, which wouldn't be compiled again */
function setFlag(caller: string, host: HostProcess, flag: string): void {
  if (hasCompiled()) {
    throw new UnsupportedError(
      `${caller}: expected to be called before anything is compiled, got kernels that are; call it first`,
    );
  }
  host.getBuiltinModule!('node:v8').setFlagsFromString(flag);
}
