/** Reads what an open file holds, up to a bound: pipes don't say how long they are, and some files never end. */

import { fstatSync, readSync } from 'node:fs';

const CHUNK_BYTES = 2 ** 20;

/**
 * All bytes of an open file or pipe, from where it stands.
 *
 * @param {number} fd
 * @param {number} maxBytes
 * @returns {Uint8Array}
 * @throws {Error} for a folder or a device, or where there are more bytes
 */
export function readAll(fd, maxBytes) {
  const stat = fstatSync(fd);
  checkReadable(stat);
  if (stat.size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
  const chunks = [];
  for (let total = 0; ; ) {
    // A file says how long it is. The byte more tells whether it is longer.
    const chunk = Buffer.allocUnsafe(total === 0 && stat.size > 0 ? stat.size + 1 : CHUNK_BYTES);
    const count = readSync(fd, chunk, 0, chunk.length, null);
    total += count;
    if (total > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    if (count > 0) chunks.push(chunk.subarray(0, count));
    // Of a file that is as long as it said there is nothing more. Another read would take memory for it.
    const isWhole = stat.isFile() && total === stat.size && count < chunk.length;
    if (isWhole || count === 0) return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  }
}

/**
 * @param {import('node:fs').Stats} stat of an open file
 * @throws {Error} as the system's are, for a folder or a device: some devices never end
 */
export function checkReadable(stat) {
  const isDevice = stat.isCharacterDevice() || stat.isBlockDevice();
  if (!stat.isDirectory() && !isDevice) return;
  throw Object.assign(new Error(isDevice ? 'it is a device' : 'it is a directory'), { syscall: 'open' });
}
