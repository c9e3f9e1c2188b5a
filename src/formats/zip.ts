/**
 * The entries of a zip file, by its central directory alone: what stands between entries may be anything. Sizes and
 * places are a stranger's claims, so no two entries may share bytes.
 */

import { crc32 } from './crc32.ts';
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

/** Bytes of the end's record without a comment. */
export const END_BYTES = 22;

/** Bytes at the end that hold the end's record with the longest comment, and zip64's records before it. */
export const ZIP_TAIL_BYTES = END_BYTES + 65535 + 20 + 56;

const ENTRY = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;

const ENTRY_BYTES = 30;
const DIRECTORY_ENTRY_BYTES = 46;

/**
 * Finds the directory; null where no end record tells of one, because the file is cut before.
 *
 * @param tail the file's last bytes, at most {@link ZIP_TAIL_BYTES}
 * @param fileBytes the size of the whole file
 * @throws {@link FormatError} where the file ends elsewhere than it says, or the records lie about places
 */
export function zipDirectory(tail: Uint8Array, fileBytes: number): ZipDirectory | null {
  const view = viewOf(tail);
  const base = fileBytes - tail.length;
  /** The file's size by the last record that says another one. */
  let saidBytes: number | undefined;
  for (let at = tail.length - 4; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const commentAt = at + END_BYTES;
    const said = base + commentAt + (commentAt > tail.length ? 0 : view.getUint16(commentAt - 2, true));
    if (said !== fileBytes) {
      saidBytes ??= said;
      continue;
    }
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
  if (saidBytes === undefined) return null;
  const fault = saidBytes > fileBytes ? 'the end is missing' : 'bytes behind the end';
  throw malformed(`zip: ${fault}: ${fileBytes} of ${saidBytes} bytes`);
}

/**
 * The entries of a directory, by their names.
 *
 * @param bytes the directory's
 * @throws {@link FormatError} where entries share bytes, have one name, or lie behind the directory
 */
export function zipEntries(bytes: Uint8Array, { begin, entries }: ZipDirectory): Map<string, ZipEntry> {
  const view = viewOf(bytes);
  const found: ZipEntry[] = [];
  for (let at = 0, i = 1; i <= entries; i++) {
    const nameAt = at + DIRECTORY_ENTRY_BYTES;
    const isThere = nameAt <= bytes.length && view.getUint32(at, true) === DIRECTORY_ENTRY;
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      isThere ? view.getUint16(at + field, true) : Infinity,
    ) as [number, number, number];
    const extraAt = nameAt + nameBytes;
    const next = extraAt + extraBytes + commentBytes;
    if (next > bytes.length) throw malformed(`zip: expected entry ${i} of ${entries} at byte ${begin + at}`);
    const name = textOf(bytes.subarray(nameAt, extraAt));
    const [packedBytes, size, place] = widened(view, at, extraAt, extraBytes);
    const method = view.getUint16(at + 10, true);
    // What is encrypted has more bytes than its content, or can't be inflated.
    if ((method !== 0 && method !== 8) || (method === 0 && packedBytes !== size)) {
      const got = `method ${method} and ${packedBytes} bytes of ${size}`;
      throw malformed(`zip: expected ${quote(name)} stored as it is, or deflated, got ${got}`);
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

/** Where an entry's content begins, by its own header; its name. Null where there is no such header. */
export function zipHeader(bytes: Uint8Array): { readonly name: string; readonly contentAt: number } | null {
  const view = viewOf(bytes);
  if (bytes.length < ENTRY_BYTES || view.getUint32(0, true) !== ENTRY) return null;
  const nameEnd = ENTRY_BYTES + view.getUint16(26, true);
  return { name: textOf(bytes.subarray(ENTRY_BYTES, nameEnd)), contentAt: nameEnd + view.getUint16(28, true) };
}

/**
 * The content of an entry, of its bytes from its own header to the next one: a view of them where it is stored.
 *
 * @throws {@link FormatError} where the header isn't the directory's, or the content not what the directory says
 */
export function zipContent(entry: ZipEntry, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const { name, method, packedBytes, begin } = entry;
  const header = zipHeader(bytes);
  const end = header ? header.contentAt + packedBytes : Infinity;
  if (header?.name !== name || end > bytes.length) {
    const got = header ? quote(header.name) : 'no header';
    throw malformed(`zip: expected ${packedBytes} bytes of ${quote(name)} from byte ${begin} on, got ${got}`);
  }
  const packed = bytes.subarray(end - packedBytes, end);
  return method === 0
    ? crcChecked(entry, packed)
    : inflated(entry, packed).then((content) => crcChecked(entry, content));
}

/**
 * The content of a deflated entry.
 *
 * @throws {@link FormatError} where it isn't as large as the directory says: a bomb ends there
 */
async function inflated({ name, bytes }: ZipEntry, packed: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const stream = new Blob([packed as Uint8Array<ArrayBuffer>]).stream();
  const reader = stream.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  let left = bytes;
  let cause: unknown;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      left -= value.length;
      if (left < 0) break;
      pieces.push(value);
    }
  } catch (error) {
    cause = error;
  }
  if (left === 0 && cause === undefined) return joined(pieces);
  await reader.cancel().catch(() => {});
  const got = cause ? 'what is not deflated' : left < 0 ? 'more' : bytes - left;
  throw malformed(`zip: expected ${bytes} bytes of ${quote(name)} once inflated, got ${got}`, { cause });
}

/** The content of an entry. @throws {@link FormatError} where it isn't what the directory's checksum was made of */
function crcChecked({ name, crc }: ZipEntry, content: Uint8Array): Uint8Array {
  const got = crc32(content);
  if (got === crc) return content;
  throw malformed(`zip: expected ${quote(name)} with checksum ${crc.toString(16)}, got ${got.toString(16)}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A number of 64 bits; beyond 2⁵³ no file has such a place. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
