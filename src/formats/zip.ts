/**
 * The entries of a zip file, by its central directory alone: what stands between entries may be anything. Sizes and
 * places are a stranger's claims, so no two entries may share bytes.
 */

import { FormatError } from '../errors.ts';
import { malformed } from './pth-fault.ts';
import { quote, textOf } from './quoted.ts';
import { joined } from './read-range.ts';

/** An entry, as the directory has it. */
export interface ZipEntry {
  readonly name: string;
  /** 0: stored; 8: deflated. */
  readonly method: number;
  readonly crc: number;
  /** Bytes in the file, and of the content. */
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where the entry's own header begins. */
  readonly begin: number;
  /** Where the next entry or the directory begins: header, content and what follows lie before. */
  readonly end: number;
}

/** Where the directory is. */
export interface ZipDirectory {
  readonly begin: number;
  readonly end: number;
  readonly entries: number;
}

/** Bytes at the end that hold the end's record with the longest comment, and zip64's records before it. */
export const ZIP_TAIL_BYTES = 22 + 65535 + 20 + 56;

const ENTRY = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;

const ENTRY_BYTES = 30;
const DIRECTORY_ENTRY_BYTES = 46;

/**
 * Finds the directory.
 *
 * @param tail the file's last bytes, at most {@link ZIP_TAIL_BYTES}
 * @param fileBytes the size of the whole file
 * @throws {@link FormatError} where the file is cut, or the records lie about places
 */
export function zipDirectory(tail: Uint8Array, fileBytes: number): ZipDirectory {
  const view = viewOf(tail);
  const base = fileBytes - tail.length;
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END || at + 22 + view.getUint16(at + 20, true) !== tail.length) continue;
    let entries = view.getUint16(at + 10, true);
    let bytes = view.getUint32(at + 12, true);
    let begin = view.getUint32(at + 16, true);
    let end = base + at;
    const isZip64 = at >= 20 && view.getUint32(at - 20, true) === LOCATOR64;
    if (isZip64) {
      end = wide(view, at - 12);
      const record = end - base;
      if (record < 0 || record + 56 > at || view.getUint32(record, true) !== END64) {
        throw malformed(`zip: expected zip64's end record before byte ${base + at}, got byte ${end}`);
      }
      entries = wide(view, record + 32);
      bytes = wide(view, record + 40);
      begin = wide(view, record + 48);
    }
    if (begin + bytes > end)
      throw malformed(`zip: expected a directory before byte ${end}, got ${bytes} from ${begin}`);
    return { begin, end: begin + bytes, entries };
  }
  throw malformed(
    `zip: the end is missing: expected an end record within ${fileBytes} bytes; the file seems to be cut`,
  );
}

/**
 * The entries of a directory, by their names.
 *
 * @param bytes the directory's
 * @throws {@link FormatError} where entries share bytes, have one name, or lie behind the directory
 */
export function zipEntries(bytes: Uint8Array, { begin, entries }: ZipDirectory): Map<string, ZipEntry> {
  if (entries * DIRECTORY_ENTRY_BYTES > bytes.length) {
    throw malformed(`zip: expected ${entries} entries of ${DIRECTORY_ENTRY_BYTES} bytes at least, got ${bytes.length}`);
  }
  const view = viewOf(bytes);
  const found: ZipEntry[] = [];
  for (let at = 0, i = 0; i < entries; i++) {
    if (at + DIRECTORY_ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw malformed(`zip: expected entry ${i + 1} of ${entries} at byte ${begin + at}`);
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const nameAt = at + DIRECTORY_ENTRY_BYTES;
    const extraAt = nameAt + nameBytes!;
    const next = extraAt + extraBytes! + commentBytes!;
    if (next > bytes.length) throw malformed(`zip: expected entry ${i + 1} within the directory`);
    const name = textOf(bytes.subarray(nameAt, extraAt));
    const [packedBytes, size, place] = widened(view, at, extraAt, extraBytes!);
    const method = view.getUint16(at + 10, true);
    const isEncrypted = view.getUint16(at + 8, true) & 1;
    if (isEncrypted || (method !== 0 && method !== 8)) {
      throw malformed(`zip: expected ${quote(name)} stored or deflated, got ${isEncrypted ? 'encrypted' : method}`);
    }
    if (method === 0 && packedBytes !== size) {
      throw malformed(`zip: expected ${quote(name)} stored as it is, got ${packedBytes} bytes of ${size}`);
    }
    found.push({ name, method, crc: view.getUint32(at + 16, true), packedBytes, bytes: size, begin: place, end: 0 });
    at = next;
  }
  return laidOut(found, begin);
}

/** Packed bytes, bytes and place of an entry: from zip64's field where they take more than 32 bits. */
function widened(view: DataView, at: number, extraAt: number, extraBytes: number): [number, number, number] {
  const values = [20, 24, 42].map((field) => view.getUint32(at + field, true)) as [number, number, number];
  if (!values.includes(0xffffffff)) return values;
  const extraEnd = extraAt + extraBytes;
  for (let field = extraAt; field + 4 <= extraEnd; ) {
    const length = view.getUint16(field + 2, true);
    if (view.getUint16(field, true) === 1) {
      let from = field + 4;
      // In the field's order, the size comes before the packed size.
      for (const i of [1, 0, 2]) {
        if (values[i] !== 0xffffffff || from + 8 > Math.min(extraEnd, field + 4 + length)) continue;
        values[i] = wide(view, from);
        from += 8;
      }
    }
    field += 4 + length;
  }
  return values;
}

/** How many times a file's bytes its deflated entries may have: weights are hardly compressible, bombs are. */
const MOST_INFLATED = 4;

/** Bytes that a small file's entries may have in any case: pickles are compressible. */
const LEAST_INFLATED_BYTES = 2 ** 20;

/** The entries in the order of their bytes, each with the place at which the next one begins. */
function laidOut(entries: readonly ZipEntry[], directory: number): Map<string, ZipEntry> {
  const inflatedBytes = entries.reduce((sum, { method, bytes }) => sum + (method === 0 ? 0 : bytes), 0);
  if (inflatedBytes > Math.max(LEAST_INFLATED_BYTES, MOST_INFLATED * directory)) {
    throw malformed(`zip: expected at most ${MOST_INFLATED} times ${directory} bytes inflated, got ${inflatedBytes}`);
  }
  const ordered = [...entries].sort((a, b) => a.begin - b.begin);
  const named = new Map<string, ZipEntry>();
  ordered.forEach((entry, i) => {
    const end = ordered[i + 1]?.begin ?? directory;
    const { name, begin, packedBytes } = entry;
    if (begin + ENTRY_BYTES + packedBytes > end) {
      throw malformed(
        `zip: ${quote(name)} has ${packedBytes} bytes from byte ${begin} on: expected its end before byte ${end}`,
      );
    }
    if (named.has(name)) throw malformed(`zip: ${quote(name)} appears twice`);
    named.set(name, { ...entry, end });
  });
  return named;
}

/**
 * Where the content lies in an entry's bytes, from its own header to the next one.
 *
 * @throws {@link FormatError} where the header isn't the directory's
 */
export function zipContent(entry: ZipEntry, bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  const { name, packedBytes, begin } = entry;
  if (bytes.length < ENTRY_BYTES || view.getUint32(0, true) !== ENTRY) {
    throw malformed(`zip: expected the header of ${quote(name)} at byte ${begin}`);
  }
  const nameBytes = view.getUint16(26, true);
  const at = ENTRY_BYTES + nameBytes + view.getUint16(28, true);
  const own = textOf(bytes.subarray(ENTRY_BYTES, ENTRY_BYTES + nameBytes));
  if (own !== name || at + packedBytes > bytes.length) {
    throw malformed(`zip: expected ${packedBytes} bytes of ${quote(name)} from byte ${begin} on, got ${quote(own)}`);
  }
  return bytes.subarray(at, at + packedBytes);
}

/**
 * The content of a deflated entry.
 *
 * @throws {@link FormatError} where it isn't as large as the directory says: a bomb ends there
 */
export async function inflated({ name, bytes }: ZipEntry, packed: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    const stream = new Blob([packed as Uint8Array<ArrayBuffer>]).stream();
    const reader = stream.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > bytes) {
        await reader.cancel();
        throw malformed(`zip: expected ${bytes} bytes of ${quote(name)} once inflated, got more`);
      }
      pieces.push(value);
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw malformed(`zip: expected ${quote(name)} deflated, got other bytes`, { cause });
  }
  if (length !== bytes) throw malformed(`zip: expected ${bytes} bytes of ${quote(name)} once inflated, got ${length}`);
  return joined(pieces);
}

/** Tables of CRC-32 for eight bytes at once, the last byte's first. */
let crcTables: Int32Array | null = null;

function tablesOfCrc(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) tables[i] = (tables[i - 256]! >>> 8) ^ tables[tables[i - 256]! & 255]!;
  return tables;
}

/** The checksum so far, with some bytes more. */
function crcOfBytes(tables: Int32Array, before: number, bytes: Uint8Array): number {
  let sum = before;
  for (let at = 0; at < bytes.length; at++) sum = (sum >>> 8) ^ tables[(sum ^ bytes[at]!) & 255]!;
  return sum;
}

/** Words that one call adds: many short calls are soon compiled well, while a long one runs on as it began. */
const CRC_WORDS = 4096;

/** The checksum so far, with pairs of words more: eight bytes at once. */
function crcOfWords(t: Int32Array, before: number, words: Int32Array): number {
  let sum = before;
  for (let i = 0; i < words.length; i += 2) {
    const a = words[i]! ^ sum;
    const b = words[i + 1]!;
    sum =
      t[1792 + (a & 255)]! ^
      t[1536 + ((a >>> 8) & 255)]! ^
      t[1280 + ((a >>> 16) & 255)]! ^
      t[1024 + (a >>> 24)]! ^
      t[768 + (b & 255)]! ^
      t[512 + ((b >>> 8) & 255)]! ^
      t[256 + ((b >>> 16) & 255)]! ^
      t[b >>> 24]!;
  }
  return sum;
}

/** @throws {@link FormatError} where the content isn't what the directory's checksum was made of */
export function checkCrc({ name, crc }: ZipEntry, content: Uint8Array): void {
  crcTables ??= tablesOfCrc();
  const { buffer, byteOffset, length } = content;
  // Words begin at multiples of four bytes of memory.
  const first = Math.min(length, -byteOffset & 3);
  const pairs = (length - first) >> 3;
  const words = pairs > 0 ? new Int32Array(buffer, byteOffset + first, 2 * pairs) : new Int32Array(0);
  let sum = crcOfBytes(crcTables, -1, content.subarray(0, first));
  for (let at = 0; at < words.length; at += CRC_WORDS) {
    sum = crcOfWords(crcTables, sum, words.subarray(at, at + CRC_WORDS));
  }
  const got = ~crcOfBytes(crcTables, sum, content.subarray(first + 8 * pairs)) >>> 0;
  if (got === crc) return;
  throw malformed(`zip: expected ${quote(name)} with checksum ${crc.toString(16)}, got ${got.toString(16)}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A number of 64 bits; beyond 2⁵³ no file has such a place. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
