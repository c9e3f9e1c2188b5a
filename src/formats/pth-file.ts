/**
 * The two layouts of PyTorch's files, as one: the pickled object, and where the bytes of each storage lie.
 *
 *     zip      ┌ …/data.pkl ┬ …/data/0 ┬ …/data/1 … ┬ directory ┐     torch ≥ 1.6
 *     legacy   ┌ magic ┬ protocol ┬ system ┬ object ┬ keys ┬ count, bytes ┬ count, bytes … ┐     five pickles before
 */

import { describe, type FormatError } from '../errors.ts';
import type { Origin } from './byte-source.ts';
import { Dict, Opaque, unpickle } from './pickle.ts';
import { malformed } from './pth-fault.ts';
import { type StorageRef, TorchNames } from './pth-objects.ts';
import { quote, textOf } from './quoted.ts';
import { HEAD_BYTES, readRange } from './read-range.ts';
import { END_BYTES, ZIP_TAIL_BYTES, type ZipEntry, zipContent, zipDirectory, zipEntries, zipHeader } from './zip.ts';

/** Where a storage lies in a file. */
export interface StoragePlace {
  /** What has to be read: the content, and what says how it is packed. */
  readonly begin: number;
  readonly end: number;
  /** Bytes of the content. */
  readonly bytes: number;
  /** Whether the content has to be inflated first, which takes turns. */
  readonly isPacked: boolean;
  /**
   * The content in the bytes from `begin` to `end`, a view of them where they aren't packed.
   *
   * @throws {@link FormatError} where it isn't what the file says elsewhere
   */
  content(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A file whose pickle is read. */
export interface PthFile {
  readonly object: unknown;
  readonly isBigEndian: boolean;
  /** Where a storage lies. @throws {@link FormatError} where the file has none of that key, or a smaller one */
  placeOf(storage: StorageRef): StoragePlace;
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
      if (bytes.length >= maxPickleBytes) throw tooLarge(where, bytes.length);
      const most = Math.min(maxPickleBytes, Math.max(2 * bytes.length, NEXT_BYTES));
      this.#bytes = await readRange(origin, bytes.length, most, signal, bytes);
      if (this.#bytes.length === bytes.length) {
        throw malformed(`the end is missing: ${where} ends at byte ${bytes.length}, before its pickle does`);
      }
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
  const { begin, end } = directory;
  if (end - begin > maxPickleBytes) throw tooLarge('the directory', end - begin);
  const listing =
    begin >= tailBegin
      ? tail.subarray(begin - tailBegin, end - tailBegin)
      : await readRange(origin, begin, end, signal);
  const entries = zipEntries(listing, directory);

  const pickled = [...entries.values()].find(({ name }) => PICKLE.test(name));
  if (!pickled) {
    const isScript = [...entries.keys()].some((name) => name.endsWith('/constants.pkl'));
    const wayOut = isScript ? ': it is TorchScript; save model.state_dict() instead' : '';
    throw malformed(`zip: expected an entry data.pkl, got ${entries.size} others${wayOut}`);
  }
  const contentOf = async (entry: ZipEntry): Promise<Uint8Array> => {
    const { name, begin, end } = entry;
    if (entry.bytes > maxPickleBytes) throw tooLarge(quote(name), entry.bytes);
    return zipContent(
      entry,
      end <= head.length ? head.subarray(begin, end) : await readRange(origin, begin, end, signal),
    );
  };
  const pickle = await contentOf(pickled);
  const unpickled = unpickle(pickle, 0, quote(pickled.name), new TorchNames());
  if (!unpickled) throw malformed(`${quote(pickled.name)} ends at byte ${pickle.length}, before its pickle does`);
  const folder = pickled.name.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  const isBigEndian = order !== undefined && textOf(await contentOf(order)) === 'big';
  return {
    object: unpickled.value,
    isBigEndian,
    placeOf({ key, whole: count, dtype }) {
      const name = `${folder}data/${key}`;
      const entry = entries.get(name);
      const bytes = count * dtype.bytes;
      if (!entry || entry.bytes < bytes) {
        const got = entry ? `${entry.bytes} in ${quote(name)}` : `no entry ${quote(name)}`;
        throw malformed(`expected ${bytes} bytes of storage ${quote(key)}, got ${got}`);
      }
      return { ...entry, isPacked: entry.method !== 0, content: (given) => zipContent(entry, given) };
    },
  };
}

/** The entry with the pickle. PyTorch writes it first. */
const PICKLE = /^[^/]*\/data\.pkl$/;

/** The error of a zip file without its end: how many bytes there must have been, as far as the pickle tells. */
async function cutZip(reading: PthReading, fileBytes: number): Promise<FormatError> {
  const header = zipHeader(reading.head);
  let least = fileBytes + END_BYTES;
  let why = '';
  try {
    if (header && PICKLE.test(header.name)) {
      const pickles = new Pickles(reading, header.contentAt);
      await pickles.next('');
      const stored = [...pickles.names.storages.values()].reduce((sum, one) => sum + one.whole * one.dtype.bytes, 0);
      if (pickles.end + stored > fileBytes) {
        least = pickles.end + stored;
        why = `, by the storages that ${quote(header.name)} names`;
      }
    }
  } catch {
    // It is cut, or packed, and tells nothing.
  }
  return malformed(`zip: the end is missing: ${fileBytes} of at least ${least} bytes${why}`);
}

/** What torch.save's legacy layout begins with. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

const PROTOCOL = 1001;

/** A file of the legacy layout, from its beginning. */
export async function readPthLegacy(reading: PthReading): Promise<PthFile> {
  const pickles = new Pickles(reading);
  // Another program's pickle may be as large as the file.
  const magic = await pickles.next('the magic number', HEAD_BYTES);
  if (magic !== MAGIC) throw somethingElse(magic);
  const protocol = await pickles.next('the protocol');
  if (protocol !== PROTOCOL) throw malformed(`expected protocol ${PROTOCOL}, got ${describe(protocol)}`);
  const system = await pickles.next('the system');
  const object = await pickles.next('the object');
  const keys = await pickles.next('the list of storages');
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string' || typeof key === 'number')) {
    throw malformed('expected the keys of storages as a list of texts');
  }
  const isBigEndian = system instanceof Dict && system.get('little_endian') === false;
  return { object, isBigEndian, placeOf: legacyPlaces(keys, pickles, reading.origin.byteLength) };
}

/** A pickle that isn't torch.save's first one. */
function somethingElse(value?: unknown): FormatError {
  const what = value instanceof Opaque ? quote(value.name) : value instanceof Dict ? 'a dict' : 'something else';
  return malformed(`expected a file of torch.save, got a pickle of ${what}; load it in Python and torch.save() that`);
}

/** Where storages lie one behind the other, each behind its number of elements. */
function legacyPlaces(keys: readonly unknown[], { end, names }: Pickles, fileBytes = Infinity): PthFile['placeOf'] {
  const places = new Map<string, StoragePlace>();
  let at = end;
  for (const key of keys.map(String)) {
    const storage = names.storages.get(key);
    // Of what comes behind a storage of unknown size, no place is known.
    if (!storage) break;
    const { whole } = storage;
    const begin = at;
    const bytes = whole * storage.dtype.bytes;
    at += 8 + bytes;
    places.set(key, {
      ...{ begin, end: at, bytes, isPacked: false },
      content(given) {
        const count = new DataView(given.buffer, given.byteOffset).getBigUint64(0, true);
        if (count === BigInt(whole)) return given.subarray(8);
        throw malformed(`expected ${whole} elements of storage ${quote(key)} at byte ${begin}, got ${count}`);
      },
    });
  }
  if (at > fileBytes) throw malformed(`the end is missing: ${fileBytes} of ${at} bytes`);
  return ({ key }) => {
    const place = places.get(key);
    if (place) return place;
    throw malformed(`expected the place of storage ${quote(key)}, got none in the list of storages`);
  };
}

function tooLarge(what: string, bytes: number): FormatError {
  return malformed(
    `expected ${what} within maxPickleBytes, got ${bytes} bytes; openWeights takes more with that option`,
  );
}
