/** A cache of parts of files in a folder, which several processes may use at once. */

import { describe, ValueError } from '../errors.ts';
import { checkLimit } from '../formats/open-options.ts';
import { type CachedFile, MAX_CACHE_BYTES, type RangeCache } from '../formats/range-cache.ts';
import type { NodeStat } from '../host.ts';
import { withDefaults } from '../options.ts';
import { type Builtins, builtins, isAbsent } from './builtins.ts';

/**
 * Before a part's bytes: the file's size and the part's, as float64, and the SHA-256 of these sizes and the bytes, as
 * digits: after a power cut, a part may have its size and not its bytes.
 */
const SIZES_BYTES = 16;
const HEAD_BYTES = SIZES_BYTES + 64;

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
  const { maxBytes } = withDefaults('folderCache', options, { maxBytes: MAX_CACHE_BYTES });
  checkLimit('folderCache', 'maxBytes', maxBytes, 0);
  if (typeof folder !== 'string' || folder === '') {
    throw new ValueError(`folderCache: expected a folder's path, got ${describe(folder)}`);
  }
  const host = builtins('folderCache');
  const { files, join, sha256, randomUUID } = host;
  const pathOf = ({ url, identity }: CachedFile, begin: number, end: number) =>
    join(folder, `${sha256(`${url}\n${identity}`)}-${begin}-${end}.part`);

  /** Bytes that may be put until all parts are counted again: other processes put some, too. */
  let room = 0;

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
    room = Math.min(maxBytes - total, maxBytes / 16);
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
          const sizes = new DataView(all.buffer);
          const bytes = all.subarray(HEAD_BYTES);
          if (sizes.getFloat64(8, true) !== bytes.length) return null;
          const digits = new TextDecoder().decode(all.subarray(SIZES_BYTES, HEAD_BYTES));
          if (digits !== sha256(all.subarray(0, SIZES_BYTES), bytes)) return null;
          const now = new Date();
          // A folder of another user, or one that can only be read, doesn't keep when a part was used.
          await files.utimes(path, now, now).catch(() => {});
          return { bytes, byteLength: sizes.getFloat64(0, true) };
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
      const sizes = new Uint8Array(SIZES_BYTES);
      new DataView(sizes.buffer).setFloat64(0, byteLength, true);
      new DataView(sizes.buffer).setFloat64(8, bytes.length, true);
      const digits = new TextEncoder().encode(sha256(sizes, bytes));
      await makeFolder(host, host.resolve(folder));
      try {
        await files.writeFile(own, [sizes, digits, bytes], { flag: 'wx' });
        await files.rename(own, path);
      } catch (error) {
        await files.rm(own, { force: true });
        throw error;
      }
      room -= bytes.length + HEAD_BYTES;
      if (room < 0) await evict();
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
