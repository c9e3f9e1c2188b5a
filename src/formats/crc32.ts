/** The checksum of zip files: by the host's zlib where there is one, which is many times as fast, else by tables. */

import type { BuiltinModules, HostScope } from '../host.ts';

/** CRC-32 of bytes, as zlib's `crc32`. */
export function crc32(bytes: Uint8Array): number {
  // Older Nodes have a zlib without it, and pages no process. To look for it takes as long as a few kilobytes.
  zlib ??= (globalThis as unknown as HostScope).process?.getBuiltinModule?.('node:zlib');
  return zlib?.crc32?.(bytes) ?? crc32ByTables(bytes);
}

let zlib: BuiltinModules['node:zlib'] | undefined;

/** Bytes that are added at once, each by a table of its own: the last byte's is the first. */
const STRIDE = 16;

let tables: Int32Array | null = null;

/** A table's number is that of the table before it, with eight more zeros behind. */
function newTables(): Int32Array {
  const made = new Int32Array(STRIDE * 256);
  for (let i = 0; i < made.length; i++) {
    let sum = made[i - 256] ?? i;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    made[i] = sum;
  }
  return made;
}

/** CRC-32 of bytes in plain TypeScript. */
export function crc32ByTables(bytes: Uint8Array): number {
  tables ??= newTables();
  const t = tables;
  let sum = -1;
  let at = 0;
  while (at + STRIDE <= bytes.length) {
    let next = 0;
    for (let first = t.length - 256; first >= 0; first -= 256) {
      next ^= t[first + ((sum ^ bytes[at++]!) & 255)]!;
      sum >>>= 8;
    }
    sum = next;
  }
  for (; at < bytes.length; at++) sum = (sum >>> 8) ^ t[(sum ^ bytes[at]!) & 255]!;
  return ~sum >>> 0;
}
