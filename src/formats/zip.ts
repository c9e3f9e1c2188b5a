/**
 * The entries of a zip file, by its central directory alone: what stands between entries may be anything. Sizes and
 * places are a stranger's claims, so no two entries may share bytes.
 */

import { describe } from '../errors.ts';
import type { ByteRange } from './byte-ranges.ts';
import { ByteStream } from './byte-source.ts';
import { crc32 } from './crc32.ts';
import { littleEndian } from './little-endian.ts';
import { check, checkGrowth, malformed } from './pth-fault.ts';
import { textOf } from './utf8.ts';

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

/** Bytes of the end's record without a comment. */
export const END_BYTES = 22;

/** Bytes at the end that hold the end's record with the longest comment, and zip64's records before it. */
export const ZIP_TAIL_BYTES = END_BYTES + 65535 + 20 + 56;

/** What each kind of record has behind the letters PK, as a number. */
const ENTRY = 0x0403;
const DIRECTORY_ENTRY = 0x0201;
const END = 0x0605;
const END64 = 0x0606;
const LOCATOR64 = 0x0706;

const ENTRY_BYTES = 30;
const DIRECTORY_ENTRY_BYTES = 46;

/** The most entries. Many small ones take long, and no state dict has as many. */
const MOST_ENTRIES = 30000;

function isRecord(bytes: Uint8Array, at: number, kind: number): boolean {
  return littleEndian(bytes, at, 4) === 0x4b50 + kind * 65536;
}

/**
 * Finds the directory; null where no end record tells of one, because the file is cut before.
 *
 * @param tail the file's last bytes, at most {@link ZIP_TAIL_BYTES}
 * @param fileBytes the size of the whole file
 * @throws {@link FormatError} where the file ends before it says so, or the records lie about places
 */
export function zipDirectory(tail: Uint8Array, fileBytes: number): ByteRange | null {
  const base = fileBytes - tail.length;
  for (let at = tail.length - 4; at >= 0; at--) {
    if (!isRecord(tail, at, END)) continue;
    // A record that is cut tells no length of its comment. What comes behind the comment is no matter, as in PyTorch.
    const said = base + at + END_BYTES + (littleEndian(tail, at + END_BYTES - 2, 2) || 0);
    if (said > fileBytes) throw malformed(`the end is missing: ${fileBytes} of ${said} bytes`);
    const record = littleEndian(tail, at - 12, 8) - base;
    const isZip64 = isRecord(tail, at - 20, LOCATOR64) && isRecord(tail, record, END64);
    const end = isZip64 ? base + record : base + at;
    const [first, width] = isZip64 ? [record + 40, 8] : [at + 12, 4];
    const bytes = littleEndian(tail, first, width);
    const begin = littleEndian(tail, first + width, width);
    check(begin + bytes <= end, `a zip directory before byte ${end}`, `${bytes} bytes from byte ${begin} on`);
    return { begin, end: begin + bytes };
  }
  return null;
}

/**
 * The entries of a directory, by their names.
 *
 * @param bytes the directory's
 * @throws {@link FormatError} where entries share bytes, have one name, or lie behind the directory
 */
export function zipEntries(bytes: Uint8Array, directory: ByteRange): Map<string, ZipEntry> {
  const found: Omit<ZipEntry, 'end'>[] = [];
  let inflatedBytes = 0;
  for (let at = 0; at < bytes.length; ) {
    const nameAt = at + DIRECTORY_ENTRY_BYTES;
    const expected = `a zip entry at byte ${directory.begin + at}`;
    check(nameAt <= bytes.length && isRecord(bytes, at, DIRECTORY_ENTRY), expected);
    check(found.length < MOST_ENTRIES, `at most ${MOST_ENTRIES} entries`, 'more');
    // Many calls of littleEndian take longer, until engines have compiled them.
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const short = (place: number) => view.getUint16(place, true);
    const long = (place: number) => view.getUint32(place, true);
    const extraAt = nameAt + short(28);
    const commentAt = extraAt + short(30);
    at = commentAt + short(32);
    check(at <= bytes.length, expected);
    const name = textOf(bytes.subarray(nameAt, extraAt));
    const method = short(10);
    // In the order of zip64's field.
    const narrow = [long(24), long(20), long(42)];
    const [size, packedBytes, begin] = widened(narrow, bytes.subarray(extraAt, commentAt)) as [number, number, number];
    // What is encrypted has more bytes than its content, or can't be inflated.
    if (method !== 8 && (method !== 0 || packedBytes !== size)) {
      check(false, `${describe(name)} stored or deflated`, `method ${method} and ${packedBytes} bytes of ${size}`);
    }
    inflatedBytes += method && size;
    found.push({ name, method, crc: long(16), packedBytes, bytes: size, begin });
  }
  checkGrowth('inflated bytes', inflatedBytes, directory.begin);
  // Each entry ends where the next one begins.
  found.sort((a, b) => a.begin - b.begin);
  const named = new Map<string, ZipEntry>();
  for (const [i, entry] of found.entries()) {
    const end = found[i + 1]?.begin ?? directory.begin;
    const { name, begin, packedBytes } = entry;
    if (!(begin + ENTRY_BYTES + packedBytes <= end)) {
      check(false, `the end of ${describe(name)} before byte ${end}`, `${packedBytes} bytes from byte ${begin} on`);
    }
    if (named.has(name)) check(false, `one entry ${describe(name)}`, 'two');
    named.set(name, { ...entry, end });
  }
  return named;
}

/** Numbers of an entry, those that take more than 32 bits from zip64's field among the extra ones. */
function widened(numbers: readonly number[], extra: Uint8Array): readonly number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + littleEndian(extra, at + 2, 2)) {
    if (littleEndian(extra, at, 2) !== 1) continue;
    // Numbers of eight bytes, behind four of the field's own.
    let place = at - 4;
    return numbers.map((number) => {
      if (number !== 0xffffffff) return number;
      place += 8;
      return littleEndian(extra, place, 8);
    });
  }
  return numbers;
}

/** Where an entry's content begins, by its own header; NaN where there is none. */
export function zipContentAt(bytes: Uint8Array): number {
  return isRecord(bytes, 0, ENTRY) ? ENTRY_BYTES + littleEndian(bytes, 26, 2) + littleEndian(bytes, 28, 2) : NaN;
}

/**
 * The content of an entry, of its bytes from its own header to the next one: a view of them where it is stored.
 *
 * @throws {@link FormatError} where there is no header, or the content not what the directory says
 */
export function zipContent(entry: ZipEntry, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const { name, method, packedBytes, begin } = entry;
  const contentAt = zipContentAt(bytes);
  const end = contentAt + packedBytes;
  check(end <= bytes.length, `${packedBytes} bytes of ${describe(name)} behind a header at byte ${begin}`);
  const packed = bytes.subarray(contentAt, end);
  return method === 0 ? crcChecked(entry, packed) : inflated(entry, packed);
}

/**
 * The content of a deflated entry. No more is allocated than the directory says, which is bounded by the file.
 *
 * @throws {@link FormatError} where it isn't as large as the directory says: a bomb ends there
 */
async function inflated(entry: ZipEntry, packed: Uint8Array): Promise<Uint8Array> {
  const { name, bytes, begin } = entry;
  const expected = `${bytes} bytes of ${describe(name)} at byte ${begin} once inflated`;
  const content = new Uint8Array(bytes);
  let filled = 0;
  try {
    const blob = new Blob([packed as Uint8Array<ArrayBuffer>]);
    const stream = new ByteStream('openWeights', blob.stream().pipeThrough(new DecompressionStream('deflate-raw')));
    // A byte more than there should be has no place.
    for await (const piece of stream.pieces(0, bytes + 1)) {
      content.set(piece, filled);
      filled += piece.length;
    }
  } catch {
    check(false, expected, "more, or what can't be inflated");
  }
  check(filled === bytes, expected, filled);
  return crcChecked(entry, content);
}

/** The content of an entry. @throws {@link FormatError} where it isn't what the directory's checksum was made of */
function crcChecked({ name, crc, begin }: ZipEntry, content: Uint8Array): Uint8Array {
  const got = crc32(content);
  check(got === crc, `${describe(name)} at byte ${begin} with checksum ${crc.toString(16)}`, got.toString(16));
  return content;
}
