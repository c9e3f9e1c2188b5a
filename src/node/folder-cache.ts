/** A cache of parts of files in a folder, which several processes may use at once. */

import { describe, ValueError } from '../errors.ts';
import { checkLimit } from '../formats/open-options.ts';
import type { CachedFile, RangeCache } from '../formats/range-cache.ts';
import type { NodeStat } from '../host.ts';
import { withDefaults } from '../options.ts';
import { type Builtins, builtins, isAbsent } from './builtins.ts';

/** The most bytes that are kept unless told otherwise. */
const MAX_BYTES = 4 * 2 ** 30;

/** Before a part's bytes: the file's size and the part's, as float64. */
const HEAD_BYTES = 16;

/** What another process may still be writing. */
const ABANDONED_MS = 60 * 60 * 1000;

/**
 * A cache of parts of files in a folder:
 *
 *     const cache = folderCache('.cache/layertap', { maxBytes: 2e9 });
 *     const { getter } = await fromHub('timm/resnet50.a1_in1k', { returnLayers: { layer4: 'out' }, cache });
 *
 * A part is written under another name first, so that nobody sees half of it. Names are hashes.
 *
 * @param folder made where there is none
 * @param options `maxBytes`: what is kept at most, 4 GiB unless given: what wasn't used for longest goes first
 * @throws {@link UnsupportedError} elsewhere than on Node 20.16 or newer, Deno and Bun
 * @throws {@link ValueError} where the folder is no path, or the bound no whole number
 */
export function folderCache(folder: string, options: { readonly maxBytes?: number } = {}): RangeCache {
  const { maxBytes } = withDefaults('folderCache', options, { maxBytes: MAX_BYTES });
  checkLimit('folderCache', 'maxBytes', maxBytes, 0);
  if (typeof folder !== 'string' || folder === '') {
    throw new ValueError(`folderCache: expected a folder's path, got ${describe(folder)}`);
  }
  const host = builtins('folderCache');
  const { files, join, sha256, randomUUID } = host;
  const pathOf = ({ url, identity }: CachedFile, begin: number, end: number) =>
    join(folder, `${sha256(`${url}\n${identity}`)}-${begin}-${end}.part`);

  /** Removes what wasn't used for longest, until the rest is within the bound. */
  const evict = async () => {
    const kept: { readonly path: string; readonly stat: NodeStat }[] = [];
    for (const name of await files.readdir(folder)) {
      if (!/^[0-9a-f]{64}-\d+-\d+\.part(\..*)?$/.test(name)) continue;
      const path = join(folder, name);
      try {
        const stat = await files.stat(path);
        const isWhole = name.endsWith('.part');
        if (isWhole) kept.push({ path, stat });
        else if (Date.now() - stat.mtimeMs > ABANDONED_MS) await files.rm(path, { force: true });
      } catch (error) {
        // Another process was faster.
        if (!isAbsent(error)) throw error;
      }
    }
    kept.sort((a, b) => a.stat.mtimeMs - b.stat.mtimeMs);
    let total = kept.reduce((sum, { stat }) => sum + stat.size, 0);
    for (const { path, stat } of kept) {
      if (total <= maxBytes) break;
      await files.rm(path, { force: true });
      total -= stat.size;
    }
  };

  return {
    async match(file, begin, end) {
      const path = pathOf(file, begin, end);
      try {
        const handle = await files.open(path);
        try {
          const { size } = await handle.stat();
          // A range is no longer than what is asked for, whatever the file says.
          if (size < HEAD_BYTES || size > HEAD_BYTES + end - begin) return null;
          const all = new Uint8Array(size);
          for (let filled = 0; filled < size; ) {
            const { bytesRead } = await handle.read(all, filled, size - filled, filled);
            if (bytesRead === 0) return null;
            filled += bytesRead;
          }
          const head = new DataView(all.buffer);
          if (head.getFloat64(8, true) !== size - HEAD_BYTES) return null;
          const now = new Date();
          await files.utimes(path, now, now);
          return { bytes: all.subarray(HEAD_BYTES), byteLength: head.getFloat64(0, true) };
        } finally {
          await handle.close();
        }
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },
    async put(file, begin, end, { bytes, byteLength }) {
      if (bytes.length + HEAD_BYTES > maxBytes) return;
      const path = pathOf(file, begin, end);
      const own = `${path}.${randomUUID()}`;
      const head = new Uint8Array(HEAD_BYTES);
      new DataView(head.buffer).setFloat64(0, byteLength, true);
      new DataView(head.buffer).setFloat64(8, bytes.length, true);
      await makeFolder(host, host.resolve(folder));
      try {
        await files.writeFile(own, [head, bytes], { flag: 'wx' });
        await files.rename(own, path);
      } catch (error) {
        await files.rm(own, { force: true });
        throw error;
      }
      await evict();
    },
  };
}

/**
 * Makes a folder, and those above it. Not by Node's recursive mkdir: where a folder is there and takes none, as /proc,
 * it tries for ever.
 */
async function makeFolder(host: Builtins, path: string): Promise<void> {
  const { files, dirname } = host;
  try {
    if ((await files.stat(path)).isDirectory()) return;
  } catch (error) {
    if (!isAbsent(error)) throw error;
    if (dirname(path) !== path) await makeFolder(host, dirname(path));
  }
  try {
    await files.mkdir(path);
  } catch (error) {
    // Another process was faster.
    if ((error as { readonly code?: string }).code !== 'EEXIST' || !(await files.stat(path)).isDirectory()) throw error;
  }
}
