/** The modules of Node that the caches here use, which Deno and Bun have too. */

import { UnsupportedError } from '../errors.ts';
import { hexOf } from '../formats/hex.ts';
import type { HostScope, NodeFiles } from '../host.ts';

/** What the caches need of the host. */
export interface Builtins {
  readonly files: NodeFiles;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homedir: () => string;
  readonly join: (...parts: string[]) => string;
  readonly resolve: (path: string) => string;
  readonly dirname: (path: string) => string;
  readonly basename: (path: string) => string;
  /** The SHA-256 of all data together, in hexadecimal digits. */
  readonly sha256: (...data: readonly (string | Uint8Array)[]) => string;
  readonly randomUUID: () => string;
}

/** The host's modules. @throws {@link UnsupportedError} where there are none: on a page, and in Node before 20.16 */
export function builtins(caller: string): Builtins {
  const { process: host } = globalThis as unknown as HostScope;
  const load = host?.getBuiltinModule?.bind(host);
  if (!load) {
    throw new UnsupportedError(
      `${caller}: expected Node 20.16 or newer, Deno or Bun, got a host without their modules`,
    );
  }
  const { join, resolve, dirname, basename } = load('node:path');
  const { createHash, randomUUID } = load('node:crypto');
  return {
    files: load('node:fs/promises'),
    env: host!.env,
    homedir: load('node:os').homedir,
    join,
    resolve,
    dirname,
    basename,
    sha256(...data) {
      const hash = createHash('sha256');
      for (const one of data) hash.update(one);
      return hexOf(hash.digest());
    },
    randomUUID,
  };
}

/** True for the error of a file or folder that isn't there. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as { readonly code?: string } | null)?.code ?? '');
}

/** A path in which `~` is the user's own folder, as Python's libraries take it; undefined where none is set. */
export function expanded(path: string | undefined, { homedir, join }: Builtins): string | undefined {
  if (!path) return undefined;
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}
