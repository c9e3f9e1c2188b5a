/** `layertap/node`: what only Node has. Nothing of it is loaded by the main entry. */

import { UnsupportedError } from '../errors.ts';
import { hasCompiled } from '../wasm/instantiate.ts';

interface Host {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly arch: string;
  getBuiltinModule(name: 'node:v8'): { setFlagsFromString(flag: string): void };
}

/** The first Node whose V8 makes 256-bit code of pairs of 128-bit operations. */
const FIRST_MAJOR = 24;

/**
 * Lets V8 make 256-bit code of the kernels, for the whole process: its experimental flag `--experimental-wasm-revectorize`. Results
 * keep their bits. It is off unless called, because it isn't always faster: `npm run bench -- revectorize` measures it.
 *
 * @throws {@link UnsupportedError} elsewhere than on Node 24 or newer on x64, and once kernels have been compiled
 */
export function enableRevectorization(): void {
  const { process: host } = globalThis as { process?: Host };
  const { node = '', bun, deno } = host?.versions ?? {};
  const isNode = node !== '' && !bun && !deno;
  if (!isNode || Number.parseInt(node, 10) < FIRST_MAJOR || host!.arch !== 'x64') {
    const name = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : node ? `Node ${node}` : 'another host';
    const got = host?.arch ? `${name} on ${host.arch}` : name;
    throw new UnsupportedError(`enableRevectorization: expected Node ${FIRST_MAJOR} or newer on x64, got ${got}`);
  }
  if (hasCompiled()) {
    throw new UnsupportedError(
      'enableRevectorization: expected to be called before anything is compiled, got kernels that are; call it first',
    );
  }
  host!.getBuiltinModule('node:v8').setFlagsFromString('--experimental-wasm-revectorize');
}
