/** The checksum of zip files: by the host's zlib where there is one, which is many times as fast, else by tables. */

import type { HostScope } from '../host.ts';

/** CRC-32 of bytes, as zlib's `crc32`. */
export function crc32(bytes: Uint8Array): number {
  // Older Nodes have a zlib without it, and pages no process.
  const zlib = (globalThis as unknown as HostScope).process?.getBuiltinModule?.('node:zlib');
  return zlib?.crc32?.(bytes) ?? crc32ByTables(bytes);
}

/** Tables for sixteen bytes at once, the last byte's first. */
let tables: Int32Array | null = null;

function newTables(): Int32Array {
  const made = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    made[byte] = crc;
  }
  for (let i = 256; i < made.length; i++) made[i] = (made[i - 256]! >>> 8) ^ made[made[i - 256]! & 255]!;
  return made;
}

/** What a word of four bytes adds, by the four tables of its place. */
function ofWord(t: Int32Array, first: number, word: number): number {
  const low = t[first + 768 + (word & 255)]! ^ t[first + 512 + ((word >>> 8) & 255)]!;
  return low ^ t[first + 256 + ((word >>> 16) & 255)]! ^ t[first + (word >>> 24)]!;
}

/** Bytes that one call adds: many short calls are soon compiled well, while a long one runs on as it began. */
const CALL_BYTES = 16_384;

/** The checksum so far, with the bytes from `begin` up to `end` more. */
function added(t: Int32Array, before: number, view: DataView, begin: number, end: number): number {
  let sum = before;
  let at = begin;
  for (; at + 16 <= end; at += 16) {
    sum =
      ofWord(t, 3072, view.getInt32(at, true) ^ sum) ^
      ofWord(t, 2048, view.getInt32(at + 4, true)) ^
      ofWord(t, 1024, view.getInt32(at + 8, true)) ^
      ofWord(t, 0, view.getInt32(at + 12, true));
  }
  for (; at < end; at++) sum = (sum >>> 8) ^ t[(sum ^ view.getUint8(at)) & 255]!;
  return sum;
}

/** CRC-32 of bytes in plain TypeScript. */
export function crc32ByTables(bytes: Uint8Array): number {
  tables ??= newTables();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = -1;
  for (let at = 0; at < bytes.length; at += CALL_BYTES) {
    sum = added(tables, sum, view, at, Math.min(bytes.length, at + CALL_BYTES));
  }
  return ~sum >>> 0;
}
