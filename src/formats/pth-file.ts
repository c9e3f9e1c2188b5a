/**
 * The two layouts of PyTorch's files, as one: the pickled object, and where the bytes of each storage lie.
 *
 *     zip      ┌ …/data.pkl ┬ …/data/0 ┬ …/data/1 … ┬ directory ┐     torch ≥ 1.6
 *     legacy   ┌ magic ┬ protocol ┬ system ┬ object ┬ keys ┬ count, bytes ┬ count, bytes … ┐     five pickles before
 */

import { describe, type FormatError } from '../errors.ts';
import type { ByteRange } from './byte-ranges.ts';
import type { Origin } from './byte-source.ts';
import { littleEndian } from './little-endian.ts';
import { Opaque, unpickle } from './pickle.ts';
import { check, malformed } from './pth-fault.ts';
import { TorchNames } from './pth-objects.ts';
import { HEAD_BYTES, readRange } from './read-range.ts';
import { textOf } from './utf8.ts';
import { END_BYTES, ZIP_TAIL_BYTES, type ZipEntry, zipContent, zipContentAt, zipDirectory, zipEntries } from './zip.ts';

/** Where a storage lies in a file. */
export interface StoragePlace {
  /** What has to be read: the content, and what says how it is packed. */
  readonly begin: number;
  readonly end: number;
  /** How many bytes behind a multiple of eight the first one should lie in memory, so that elements are aligned. */
  readonly lead: number;
  /** Bytes of the content. */
  readonly bytes: number;
  /** As a zip entry's: 0 where the content is stored as it is. To inflate it takes turns. */
  readonly method: number;
  /**
   * The content in the bytes from `begin` to `end`, a view of them where they aren't packed.
   *
   * @throws {@link FormatError} where it isn't what the file says elsewhere
   */
  content(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A file whose pickle is read. */
export interface PthFile extends PthReading {
  readonly object: unknown;
  /** Whether elements are so. */
  readonly isBigEndian?: boolean | undefined;
  /** Where storages lie, by their keys. */
  readonly places: ReadonlyMap<string, StoragePlace>;
}

/** What reading a file's pickles takes. */
export interface PthReading {
  readonly origin: Origin;
  /** The file's first bytes, which are read. */
  readonly head: Uint8Array;
  /** The most bytes of a pickle. */
  readonly maxPickleBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** Bytes that are read next where a pickle goes on. */
const NEXT_BYTES = 256 * 2 ** 10;

/** A file's pickles, one behind the other, and what they name. */
class Pickles {
  readonly names = new TorchNames();
  /** Where the next pickle begins. */
  end: number;
  readonly #reading: PthReading;
  #bytes: Uint8Array;

  constructor(reading: PthReading, begin = 0) {
    this.#reading = reading;
    this.#bytes = reading.head;
    this.end = begin;
  }

  /**
   * The next pickle's value. No more of the file is read than that takes.
   *
   * @param where the pickle's name, for messages
   * @param mostBytes after which it is given up, and undefined
   * @throws {@link FormatError} where the file ends before the pickle does, or its bytes are more than are allowed
   */
  async next(where: string, mostBytes = Infinity): Promise<unknown> {
    const { origin, maxPickleBytes, signal } = this.#reading;
    for (;;) {
      const bytes = this.#bytes;
      const unpickled = unpickle(bytes, this.end, where, this.names);
      if (unpickled) {
        this.end = unpickled.end;
        return unpickled.value;
      }
      if (bytes.length >= mostBytes) return undefined;
      checkSize(where, bytes.length, maxPickleBytes - 1);
      const most = Math.min(maxPickleBytes, Math.max(2 * bytes.length, NEXT_BYTES));
      this.#bytes = await readRange(origin, bytes.length, most, signal, bytes);
      if (this.#bytes.length === bytes.length) throw unfinished(where, bytes);
    }
  }
}

/** A zip file. Its size has to be known, and any place of it readable. */
export async function readPthZip(reading: PthReading): Promise<PthFile> {
  const { origin, head, maxPickleBytes, signal } = reading;
  const fileBytes = origin.byteLength!;
  const tailBegin = Math.max(0, fileBytes - ZIP_TAIL_BYTES);
  const tail = await readRange(origin, tailBegin, fileBytes, signal);
  const directory = zipDirectory(tail, fileBytes);
  if (!directory) throw await cutZip(reading, fileBytes);
  /** Bytes of the file, read unless they are there. */
  const bytesOf = async (what: string, { begin, end }: ByteRange, bytes = end - begin) => {
    checkSize(what, bytes, maxPickleBytes);
    if (begin >= tailBegin) return tail.subarray(begin - tailBegin, end - tailBegin);
    return end <= head.length ? head.subarray(begin, end) : readRange(origin, begin, end, signal);
  };
  const entries = zipEntries(await bytesOf('the directory', directory), directory);
  const contentOf = async (entry: ZipEntry) =>
    zipContent(entry, await bytesOf(describe(entry.name), entry, entry.bytes));

  const name = [...entries.keys()].find((one) => PICKLE.test(one));
  check(name, 'a zip entry data.pkl', describe([...entries.keys()]));
  const pickle = await contentOf(entries.get(name)!);
  const unpickled = unpickle(pickle, 0, describe(name), new TorchNames());
  if (!unpickled) throw unfinished(describe(name), pickle);
  const folder = name.slice(0, -'data.pkl'.length);
  const data = `${folder}data/`;
  const order = entries.get(`${folder}byteorder`);
  const places = new Map<string, StoragePlace>();
  for (const [path, entry] of entries) {
    if (!path.startsWith(data)) continue;
    const content = (bytes: Uint8Array) => zipContent(entry, bytes);
    // PyTorch has contents begin at multiples of 64 bytes.
    const place = { ...entry, lead: entry.begin % 8, content };
    places.set(path.slice(data.length), place);
  }
  const isBigEndian = order && textOf(await contentOf(order)) === 'big';
  return { ...reading, object: unpickled.value, isBigEndian, places };
}

/** The entry with the pickle. */
const PICKLE = /^[^/]*\/data\.pkl$/;

/** The error of a zip file without its end: how many bytes there must have been, as far as the pickle tells. */
async function cutZip(reading: PthReading, fileBytes: number): Promise<FormatError> {
  let least = fileBytes + END_BYTES;
  try {
    // PyTorch writes the pickle first. Another entry, or a packed one, is no pickle, and tells nothing.
    const pickles = new Pickles(reading, zipContentAt(reading.head));
    await pickles.next('');
    const needed = [...pickles.names.storages.values()].reduce((sum, one) => sum + one.wholeBytes, pickles.end);
    least = Math.max(least, needed);
  } catch {}
  return malformed(`the end is missing: ${fileBytes} of at least ${least} bytes`);
}

/** What torch.save's legacy layout begins with: 0x1950a86a20f9469cfc6c, as near as a double is. */
const MAGIC = 1.195470371460388e23;

const PROTOCOL = 1001;

/** A file of the legacy layout, from its beginning. */
export async function readPthLegacy(reading: PthReading): Promise<PthFile> {
  const pickles = new Pickles(reading);
  // Another program's pickle may be as large as the file.
  const magic = await pickles.next('the head', HEAD_BYTES);
  const what = magic instanceof Opaque ? describe(magic.name) : 'data';
  check(magic === MAGIC, 'a file of torch.save', `a pickle of ${what}; load it in Python and torch.save() that`);
  const protocol = await pickles.next('the head');
  check(protocol === PROTOCOL, `protocol ${PROTOCOL}`, describe(protocol));
  // The system's order of bytes is no matter: PyTorch writes this layout's storages little-endian on all.
  await pickles.next('the head');
  const object = await pickles.next('the object');
  const keys = await pickles.next('the list of storages');
  check(Array.isArray(keys), 'the list of storages', describe(keys));
  return { ...reading, object, places: legacyPlaces(keys, pickles, reading.origin.byteLength) };
}

/** Where storages lie one behind the other, each behind its number of elements. */
function legacyPlaces(keys: readonly string[], { end, names }: Pickles, fileBytes = Infinity): PthFile['places'] {
  const places = new Map<string, StoragePlace>();
  let at = end;
  for (const key of keys) {
    const storage = names.storages.get(key);
    // Of what comes behind a storage of unknown size, no place is known.
    if (!storage) break;
    const begin = at;
    const bytes = storage.wholeBytes;
    const elements = bytes / storage.dtype.bytes;
    at += 8 + bytes;
    places.set(key, {
      ...{ begin, end: at, lead: 0, bytes, method: 0 },
      content(given) {
        const count = littleEndian(given, 0, 8);
        check(count === elements, `${elements} elements of storage ${describe(key)} at byte ${begin}`, count);
        return given.subarray(8);
      },
    });
  }
  if (at > fileBytes) throw malformed(`the end is missing: ${fileBytes} of ${at} bytes`);
  return places;
}

/** The error of a pickle that its bytes end before. */
function unfinished(what: string, { length }: Uint8Array): FormatError {
  return malformed(`the end is missing: ${what} goes on after byte ${length}`);
}

function checkSize(what: string, bytes: number, most: number): void {
  check(bytes <= most, `${what} within openWeights' maxHeaderBytes`, `${bytes} bytes`);
}
