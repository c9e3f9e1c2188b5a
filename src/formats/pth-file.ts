/**
 * The two layouts of PyTorch's files, as one: the pickled object, and where the bytes of each storage lie.
 *
 *     zip      ┌ …/data.pkl ┬ …/data/0 ┬ …/data/1 … ┬ directory ┐     torch ≥ 1.6
 *     legacy   ┌ magic ┬ protocol ┬ system ┬ object ┬ keys ┬ count, bytes ┬ count, bytes … ┐     five pickles before
 */

import { describe, FormatError } from '../errors.ts';
import type { Origin } from './byte-source.ts';
import { Dict, Opaque, UnfinishedPickle, type Unpickled, unpickle } from './pickle.ts';
import { malformed } from './pth-fault.ts';
import { type StorageRef, TorchNames } from './pth-objects.ts';
import { quote, textOf } from './quoted.ts';
import { readRange } from './read-range.ts';
import { checkCrc, inflated, ZIP_TAIL_BYTES, type ZipEntry, zipContent, zipDirectory, zipEntries } from './zip.ts';

/** Where a storage lies in a file. */
export interface StoragePlace {
  /** What has to be read: the content, and what says how it is packed. */
  readonly begin: number;
  readonly end: number;
  /** Bytes of the content. */
  readonly bytes: number;
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

/** A zip file. Its size has to be known, and any place of it readable. */
export async function readPthZip(reading: PthReading): Promise<PthFile> {
  const { origin, head, maxPickleBytes, signal } = reading;
  const fileBytes = origin.byteLength!;
  const tailBegin = Math.max(0, fileBytes - ZIP_TAIL_BYTES);
  const tail = await readRange(origin, tailBegin, fileBytes, signal);
  const directory = zipDirectory(tail, fileBytes);
  if (directory.end - directory.begin > maxPickleBytes)
    throw tooLarge('the directory', directory.end - directory.begin);
  const inTail = directory.begin >= tailBegin;
  const listing = inTail
    ? tail.subarray(directory.begin - tailBegin, directory.end - tailBegin)
    : await readRange(origin, directory.begin, directory.end, signal);
  const entries = zipEntries(listing, directory);

  const pickled = [...entries.values()].find(({ name }) => /^[^/]*\/data\.pkl$/.test(name));
  if (!pickled) {
    const isScript = [...entries.keys()].some((name) => name.endsWith('/constants.pkl'));
    const wayOut = isScript ? ': it is TorchScript; save model.state_dict() instead' : '';
    throw malformed(`zip: expected an entry data.pkl, got ${entries.size} others${wayOut}`);
  }
  const folder = pickled.name.slice(0, -'data.pkl'.length);
  const contentOf = async (entry: ZipEntry): Promise<Uint8Array> => {
    if (entry.bytes > maxPickleBytes) throw tooLarge(quote(entry.name), entry.bytes);
    const bytes =
      entry.end <= head.length ? head.subarray(entry.begin) : await readRange(origin, entry.begin, entry.end, signal);
    const packed = zipContent(entry, bytes.subarray(0, entry.end - entry.begin));
    const content = entry.method === 0 ? packed : await inflated(entry, packed);
    checkCrc(entry, content);
    return content;
  };
  const pickle = await contentOf(pickled);
  const { value } = finished(() => unpickle(pickle, 0, quote(pickled.name), new TorchNames()));
  const order = entries.get(`${folder}byteorder`);
  const isBigEndian = order !== undefined && textOf(await contentOf(order)) === 'big';
  return {
    object: value,
    isBigEndian,
    placeOf({ key, whole: count, dtype }) {
      const entry = entries.get(`${folder}data/${key}`);
      const bytes = count * dtype.bytes;
      if (!entry || entry.bytes < bytes) {
        const got = entry ? `${entry.bytes} in ${quote(entry.name)}` : `no entry ${quote(`${folder}data/${key}`)}`;
        throw malformed(`expected ${bytes} bytes of storage ${quote(key)}, got ${got}`);
      }
      return {
        begin: entry.begin,
        end: entry.end,
        bytes: entry.bytes,
        content: (given) => {
          const packed = zipContent(entry, given);
          if (entry.method === 0) {
            checkCrc(entry, packed);
            return packed;
          }
          return inflated(entry, packed).then((content) => {
            checkCrc(entry, content);
            return content;
          });
        },
      };
    },
  };
}

/** What torch.save's legacy layout begins with. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

const PROTOCOL = 1001;

/** Bytes that are read next where a pickle goes on. */
const NEXT_BYTES = 256 * 2 ** 10;

/** A file of the legacy layout, from its beginning. */
export async function readPthLegacy({ origin, head, maxPickleBytes, signal }: PthReading): Promise<PthFile> {
  let bytes = head;
  let end = 0;
  const names = new TorchNames();
  /** The next pickle, read on until it is whole. */
  const next = async (where: string, mostBytes = maxPickleBytes): Promise<unknown> => {
    for (;;) {
      try {
        const unpickled: Unpickled = unpickle(bytes, end, where, names);
        end = unpickled.end;
        return unpickled.value;
      } catch (error) {
        if (!(error instanceof UnfinishedPickle)) throw error;
        const most = Math.min(maxPickleBytes, Math.max(2 * bytes.length, NEXT_BYTES));
        const more = await readRange(origin, bytes.length, most, signal, bytes);
        if (more.length === bytes.length && bytes.length < maxPickleBytes) throw new FormatError(error.message);
        if (bytes.length >= mostBytes)
          throw mostBytes < maxPickleBytes ? somethingElse() : tooLarge(where, bytes.length);
        bytes = more;
      }
    }
  };
  const magic = await next('the magic number', head.length);
  if (magic !== MAGIC) throw somethingElse(magic);
  const protocol = await next('the protocol');
  if (protocol !== PROTOCOL) throw malformed(`expected protocol ${PROTOCOL}, got ${describe(protocol)}`);
  const system = await next('the system');
  const object = await next('the object');
  const keys = await next('the list of storages');
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string' || typeof key === 'number')) {
    throw malformed('expected the keys of storages as a list of texts');
  }
  const isBigEndian = system instanceof Dict && system.get('little_endian') === false;
  return { object, isBigEndian, placeOf: legacyPlaces(keys, names.storages, end, origin.byteLength) };
}

/** A pickle that isn't torch.save's first one. */
function somethingElse(value?: unknown): FormatError {
  const what = value instanceof Opaque ? quote(value.name) : value instanceof Dict ? 'a dict' : 'something else';
  return malformed(`expected a file of torch.save, got a pickle of ${what}; load it in Python and torch.save() that`);
}

/** Where storages lie one behind the other, each behind its number of elements. */
function legacyPlaces(
  keys: readonly unknown[],
  storages: ReadonlyMap<string, StorageRef>,
  begin: number,
  fileBytes = Infinity,
): PthFile['placeOf'] {
  const places = new Map<string, StoragePlace>();
  let at = begin;
  for (const key of keys.map(String)) {
    const storage = storages.get(key);
    // Of what comes behind a storage of unknown size, no place is known.
    if (!storage) break;
    const bytes = storage.whole * storage.dtype.bytes;
    const place = { begin: at, end: at + 8 + bytes, bytes };
    places.set(key, {
      ...place,
      content(given) {
        const count = new DataView(given.buffer, given.byteOffset).getBigUint64(0, true);
        if (count === BigInt(storage.whole)) return given.subarray(8);
        throw malformed(
          `expected ${storage.whole} elements of storage ${quote(key)} at byte ${place.begin}, got ${count}`,
        );
      },
    });
    at = place.end;
  }
  if (at > fileBytes) throw malformed(`the end is missing: ${fileBytes} of ${at} bytes`);
  return ({ key }) => {
    const place = places.get(key);
    if (place) return place;
    throw malformed(`expected the place of storage ${quote(key)}, got none in the list of storages`);
  };
}

/** What reading gives, where no more bytes can come. */
function finished<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof UnfinishedPickle ? new FormatError(error.message) : error;
  }
}

function tooLarge(what: string, bytes: number): FormatError {
  return malformed(
    `expected ${what} within maxPickleBytes, got ${bytes} bytes; openWeights takes more with that option`,
  );
}
