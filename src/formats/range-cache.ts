/**
 * Caches of parts of files: what a cache is to the readers here, a reader that asks one, and one in the Cache API. A
 * part is kept as a part, under its file's identity: it can't be taken for the file, nor for another state of it.
 */

import { describe, FileChangedError, kindOf, ValueError } from '../errors.ts';
import { withDefaults } from '../options.ts';
import type { ByteSource } from './byte-source.ts';
import { HTTP_DEFAULTS, type HttpOptions, HttpOrigin, type HttpSettings } from './http-origin.ts';
import { checkHttpSettings, checkLimit, checkSignal } from './open-options.ts';
import { HEAD_BYTES, readRange } from './read-range.ts';
import { sha256Of } from './sha256.ts';

/** A state of a file. */
export interface CachedFile {
  /**
   * Its address, without what may be secret: without user, password and fragment, and with the SHA-256 of a query in
   * the query's place.
   */
  readonly url: string;
  /** What tells one state from another: a commit, an ETag, or when it was changed. */
  readonly identity: string;
}

/** Some of a file's bytes. */
export interface CachedRange {
  readonly bytes: Uint8Array;
  /** The size of the whole file. */
  readonly byteLength: number;
}

/**
 * Where parts of files are kept from one program to the next. A cache that fails, or gives what can't be right, counts
 * as one that has nothing.
 */
export interface RangeCache {
  /** What was put under the same file, begin and end; null where nothing was. */
  match(file: CachedFile, begin: number, end: number): PromiseLike<CachedRange | null>;
  /** Keeps the bytes from `begin` up to `end`, or up to the file's end where that comes first. */
  put(file: CachedFile, begin: number, end: number, range: CachedRange): PromiseLike<void>;
}

/** What {@link cachedSource} is told. */
export interface CachedSourceOptions {
  readonly cache: RangeCache;
  /**
   * Where the address stands for one state of a file for good, what to know it by. Then the server isn't asked for what
   * is cached. Null asks for the file's first 64 KiB each time, and for its ETag or its date with them.
   */
  readonly identity: string | null;
  readonly http: HttpSettings;
  readonly signal: AbortSignal | undefined;
}

/** A file's bytes, and the connection that may be open for them. */
export interface ClosableSource extends ByteSource {
  /** Lets go of the connection. */
  close(): Promise<void>;
}

/** Options of {@link cachedFile}: those of HTTP, the cache, and what ends the opening. */
export interface CachedFileOptions extends HttpOptions {
  readonly cache: RangeCache;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A file of a URL, of which a cache keeps what is read; null where the server does no ranges, and so nothing can be
 * kept:
 *
 *     const file = await openWeights((await cachedFile(url, { cache })) ?? url);
 *
 * The server is asked for the file's first 64 KiB each time, and so for its state: its ETag, or else when it was
 * changed. Parts of another state aren't used. Where the server tells neither, nothing is kept.
 *
 * @throws {@link ValueError} where an option is of a wrong type
 * @throws {@link NetworkError} where the server can't be reached, refuses, or doesn't keep to HTTP
 */
export async function cachedFile(url: string | URL, options: CachedFileOptions): Promise<ClosableSource | null> {
  const defaults = { ...HTTP_DEFAULTS, cache: undefined, signal: undefined };
  const { cache, signal, ...http } = withDefaults('cachedFile', options, defaults);
  checkCache('cachedFile', cache);
  checkSignal('cachedFile', signal);
  checkHttpSettings('cachedFile', http);
  return cachedSource('cachedFile', String(url), { cache: cache!, identity: null, http, signal });
}

/** @throws {@link ValueError} where it isn't a cache of parts */
export function checkCache(caller: string, cache: RangeCache | undefined): void {
  if (typeof cache?.match === 'function' && typeof cache.put === 'function') return;
  throw new ValueError(`${caller}: expected cache with match and put, such as folderCache's, got ${describe(cache)}`);
}

/** As {@link cachedFile}. @param caller the public function, for messages */
export async function cachedSource(
  caller: string,
  url: string,
  options: CachedSourceOptions,
): Promise<ClosableSource | null> {
  const { http, signal } = options;
  let state: string | null = null;
  const { fetch = globalThis.fetch } = http;
  const observed = async (address: string, init: RequestInit) => {
    const response = await fetch(address, init);
    if (response?.ok) state ??= response.headers.get('etag') ?? response.headers.get('last-modified');
    return response;
  };
  const origin = new HttpOrigin(caller, url, { ...http, fetch: observed });
  const { name } = origin;
  const address = await addressOf(new URL(url, globalThis.location?.href));
  let file: CachedFile | null = null;
  let byteLength: number | undefined;
  /** What the cache has, if that can be right. */
  const cached = async (begin: number, end: number): Promise<Uint8Array | null> => {
    if (!file) return null;
    try {
      const found = await options.cache.match(file, begin, end);
      if (!found || !Number.isSafeInteger(found.byteLength) || (byteLength ?? found.byteLength) !== found.byteLength) {
        return null;
      }
      const { bytes } = found;
      // Of another realm, too.
      if (kindOf(bytes) !== 'Uint8Array' || bytes.length !== Math.min(end, found.byteLength) - begin) return null;
      byteLength = found.byteLength;
      return bytes;
    } catch {
      return null;
    }
  };
  const fetched = async (begin: number, end: number, until: AbortSignal | undefined): Promise<Uint8Array> => {
    const bytes = await readRange(origin, begin, end, until);
    byteLength ??= origin.byteLength;
    if (byteLength !== undefined && origin.byteLength !== undefined && origin.byteLength !== byteLength) {
      // The cache alone knew the size: what it has is of another file. It is replaced for who opens the file again.
      await keep(0, HEAD_BYTES, await readRange(origin, 0, HEAD_BYTES, until), origin.byteLength);
      const got = `size ${origin.byteLength} after ${byteLength}; it is replaced: try again`;
      throw new FileChangedError(`${caller}: expected the same file as in the cache from ${name}, got ${got}`);
    }
    return bytes;
  };
  const keep = async (begin: number, end: number, bytes: Uint8Array, size = byteLength): Promise<void> => {
    if (!file || size === undefined || bytes.length !== Math.min(end, size) - begin) return;
    try {
      await options.cache.put(file, begin, end, { bytes, byteLength: size });
    } catch {}
  };
  const close = () => origin.close();
  const fileOf = (identity: string | null) =>
    address !== null && identity !== null ? { url: address, identity } : null;
  file = fileOf(options.identity);
  const known = await cached(0, HEAD_BYTES);
  const head = known ?? (await fetched(0, HEAD_BYTES, signal));
  // From a server without ranges, each part would be read with all before it.
  if (byteLength === undefined || !origin.seekable) {
    await close();
    return null;
  }
  file ??= fileOf(state);
  if (!known) await keep(0, HEAD_BYTES, head);
  return {
    name,
    byteLength,
    async read(begin, end, reading) {
      if (end <= head.length) return head.subarray(begin, end);
      const found = await cached(begin, end);
      if (found) return found;
      const bytes = await fetched(begin, end, reading.signal);
      await keep(begin, end, bytes);
      return bytes;
    },
    close,
  };
}

/**
 * An address as caches have it, where queries tell files apart; null where a query can't be hashed, since it may be
 * secret.
 */
async function addressOf({ origin, pathname, search }: URL): Promise<string | null> {
  const address = origin + pathname;
  if (search === '') return address;
  const digits = await sha256Of(new TextEncoder().encode(search));
  return digits === undefined ? null : `${address}?${digits}`;
}

/** What is needed of the Cache API's `Cache`. */
export interface CacheLike {
  /** The response that was put there for an address, if it is still there. */
  match(request: string): Promise<Response | undefined>;
  /** Keeps a response. */
  put(request: string, response: Response): Promise<void>;
  /** Lets go of a response. Whether there was one. */
  delete(request: string): Promise<boolean>;
  /** Missing in Workers' default cache, which keeps its own bounds. */
  keys?(): Promise<readonly { readonly url: string }[]>;
}

/** The most bytes that a cache keeps unless told otherwise. */
export const MAX_CACHE_BYTES = 4 * 2 ** 30;

/** Addresses in a Cache are ours alone: the host is one that can't exist. */
const OURS = 'https://layertap.invalid/';

/**
 * A cache in a `Cache` of browsers, Workers and Deno:
 *
 *     const cache = rangesInCache(await caches.open('weights'), { maxBytes: 500e6 });
 *     const { getter } = await fromHub('timm/resnet50.a1_in1k', { returnLayers: { layer4: 'out' }, cache });
 *
 * @param options `maxBytes`: what is kept at most, 4 GiB unless given: what was put first goes first
 * @throws {@link ValueError} where it is no Cache, or the bound no whole number
 */
export function rangesInCache(cache: CacheLike, options: { readonly maxBytes?: number } = {}): RangeCache {
  const { maxBytes } = withDefaults('rangesInCache', options, { maxBytes: MAX_CACHE_BYTES });
  checkLimit('rangesInCache', 'maxBytes', maxBytes, 0);
  if (typeof cache?.match !== 'function' || typeof cache.put !== 'function') {
    throw new ValueError(`rangesInCache: expected a Cache, got ${describe(cache)}; caches.open(name) gives one`);
  }
  const placeOf = ({ url, identity }: CachedFile, begin: number, end: number) =>
    `${OURS}${encodeURIComponent(url)}/${encodeURIComponent(identity)}/${begin}-${end}`;
  return {
    async match(file, begin, end) {
      const response = await cache.match(placeOf(file, begin, end));
      const byteLength = Number(response?.headers.get('x-file-bytes') ?? Number.NaN);
      return response ? { bytes: new Uint8Array(await response.arrayBuffer()), byteLength } : null;
    },
    async put(file, begin, end, { bytes, byteLength }) {
      if (bytes.length > maxBytes) return;
      // A Cache refuses 206, and a Worker's keeps what says that it may be kept.
      const headers = { 'x-file-bytes': String(byteLength), 'cache-control': 'max-age=31536000' };
      await cache.put(placeOf(file, begin, end), new Response(bytes.slice(), { headers }));
      if (!cache.keys) return;
      const kept = (await cache.keys()).map(({ url }) => url).filter((url) => url.startsWith(OURS));
      const sizes = kept.map((url) => sizeOf(url));
      let total = sizes.reduce((sum, size) => sum + size, 0);
      for (let i = 0; total > maxBytes && i < kept.length; i++) {
        await cache.delete(kept[i]!);
        total -= sizes[i]!;
      }
    },
  };
}

/** The bytes of a range by its address, at most. */
function sizeOf(url: string): number {
  const [, begin, end] = /\/(\d+)-(\d+)$/.exec(url) ?? [];
  return Number(end ?? 0) - Number(begin ?? 0);
}
