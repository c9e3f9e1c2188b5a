/**
 * A file's bytes over HTTP: by range requests where the server does them, else by reading its whole answer from front to
 * back. Requests are repeated where that may help, go on where the last one ended, and must all be answered from the same
 * file. Leaves out caching, and requests side by side.
 */

import { FileChangedError, NetworkError, ValueError } from '../errors.ts';
import { ByteStream, type Origin } from './byte-source.ts';

/** How {@link openSafetensors} asks a server. */
export interface HttpOptions {
  /** Used in place of the host's `fetch`, e.g. a service binding's. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with each request, e.g. `{ authorization: 'Bearer …' }`. */
  readonly headers?: HeadersInit | undefined;
  /** How often one read may be repeated after a failure that may pass; 3 unless given. */
  readonly retries?: number | undefined;
  /** The pause before the first repetition; it doubles with each, and is drawn from its upper half. 250 unless given. */
  readonly retryDelayMs?: number | undefined;
}

/** {@link HttpOptions} with their defaults. */
export interface HttpSettings {
  readonly fetch: HttpOptions['fetch'];
  readonly headers: HttpOptions['headers'];
  readonly retries: number;
  readonly retryDelayMs: number;
}

/** Statuses after which the same request may succeed. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The longest pause that a server's Retry-After can ask for. */
const MAX_PAUSE_MS = 30_000;

/** What tells one state of a file from another. */
interface Identity {
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/** A failure after which the request is repeated. */
class PassingError extends Error {
  readonly error: NetworkError;
  readonly pauseMs: number;

  constructor(error: NetworkError, pauseMs = 0) {
    super(error.message);
    this.error = error;
    this.pauseMs = pauseMs;
  }
}

/** The bytes of a URL's file. Nothing is requested before the first piece is asked for. */
export class HttpOrigin implements Origin {
  byteLength: number | undefined;
  seekable = true;
  readonly keepsPieces = false;
  readonly #url: string;
  /** The URL as messages show it: without user, password and query, which may be secrets. */
  readonly #shown: string;
  readonly #fetch: NonNullable<HttpOptions['fetch']>;
  readonly #headers: HeadersInit | undefined;
  readonly #retries: number;
  readonly #retryDelayMs: number;
  #identity: Identity | null = null;
  /** The rest of a whole file's answer, kept for the reads that follow. */
  #open: ByteStream | null = null;

  /** @throws {@link ValueError} where it isn't a URL, or the host has no fetch */
  constructor(url: string, { fetch = globalThis.fetch, headers, retries, retryDelayMs }: HttpSettings) {
    if (typeof fetch !== 'function') {
      throw new ValueError('openSafetensors: expected a host with fetch, got none; pass options.fetch');
    }
    this.#url = url;
    this.#shown = shown(url);
    this.#fetch = fetch;
    this.#headers = headers;
    this.#retries = retries;
    this.#retryDelayMs = retryDelayMs;
  }

  async *pieces(begin: number, end: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, void> {
    let at = begin;
    for (let failures = 0; at < Math.min(end, this.byteLength ?? end); ) {
      try {
        const body = await this.#bodyAt(at, end, signal);
        try {
          const until = Math.min(end, body.end);
          for await (const piece of this.#reading(body.stream.pieces(at, until, signal))) {
            at += piece.length;
            yield piece;
          }
          await this.#checkEnd(body, at, until, signal);
          if (body.whole) this.#open = body.stream;
        } finally {
          if (this.#open !== body.stream) await body.stream.cancel();
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingError)) throw error;
        if (failures++ >= this.#retries) throw error.error;
        const delayMs = this.#retryDelayMs * 2 ** (failures - 1) * (0.5 + Math.random() / 2);
        await pause(Math.max(delayMs, error.pauseMs), signal);
      }
    }
  }

  async close(): Promise<void> {
    await this.#open?.cancel();
    this.#open = null;
  }

  /** A body that holds the byte at `at`, or begins before it; where it ends; whether it is the whole file's. */
  async #bodyAt(at: number, end: number, signal: AbortSignal | undefined): Promise<Body> {
    const open = this.#open;
    this.#open = null;
    if (open && open.at <= at) return { stream: open, end: this.byteLength ?? Number.POSITIVE_INFINITY, whole: true };
    await open?.cancel();
    const response = await this.#request(this.seekable ? `bytes=${at}-${end - 1}` : null, signal);
    try {
      if (response.status === 206 && this.seekable) {
        const range = contentRange(response);
        if (range) return this.#partOf(response, range, at, end);
        // Cross-origin servers may hide Content-Range: then the whole answer is the only one that can be verified.
        await response.body?.cancel();
        this.seekable = false;
        return this.#bodyAt(at, end, signal);
      }
      if (response.status === 200) return this.#wholeOf(response);
      if (response.status === 416 && this.#identity === null && /^bytes \*\/0$/.test(rangeHeader(response))) {
        this.byteLength = 0;
        await response.body?.cancel();
        return { stream: emptyStream(at), end: at, whole: false };
      }
      throw this.#refusal(response);
    } catch (error) {
      await response.body?.cancel().catch(() => {});
      throw error;
    }
  }

  async #request(range: string | null, signal: AbortSignal | undefined): Promise<Response> {
    signal?.throwIfAborted();
    // The answer may be read long after this call, so that its signal ends with the headers.
    const controller = new AbortController();
    const stop = () => controller.abort(signal!.reason);
    signal?.addEventListener('abort', stop, { once: true });
    const headers = new Headers(this.#headers);
    if (range) headers.set('range', range);
    const fetch = this.#fetch;
    try {
      return await fetch(this.#url, { headers, signal: controller.signal });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new PassingError(
        new NetworkError(`openSafetensors: expected an answer from ${this.#shown}, got "${reasonOf(cause)}"`, {
          cause,
        }),
      );
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #partOf(response: Response, range: ContentRange, at: number, end: number): Body {
    const { begin, last, total } = range;
    this.#checkIdentity(response, total);
    const length = response.headers.get('content-length');
    const isAsked = begin === at && last >= begin && last < end && last < total;
    if (!isAsked || (length !== null && Number(length) !== last - begin + 1)) {
      const got = `Content-Range "${rangeHeader(response)}"${length === null ? '' : ` of ${length} bytes`}`;
      throw new NetworkError(`openSafetensors: expected bytes ${at}-${end - 1} from ${this.#shown}, got ${got}`);
    }
    return { stream: streamOf(response, at), end: last + 1, whole: false };
  }

  #wholeOf(response: Response): Body {
    this.seekable = false;
    const encoding = response.headers.get('content-encoding') ?? 'identity';
    const length = response.headers.get('content-length');
    // Of an encoded body, the length is another one.
    const total = length === null || encoding !== 'identity' ? undefined : Number(length);
    this.#checkIdentity(response, total);
    return { stream: streamOf(response, 0), end: this.byteLength ?? Number.POSITIVE_INFINITY, whole: true };
  }

  /** All answers must be of one file. */
  #checkIdentity({ headers }: Response, total: number | undefined): void {
    const identity = { etag: headers.get('etag'), lastModified: headers.get('last-modified') };
    const known = this.#identity;
    this.#identity ??= identity;
    const differs = (now: unknown, before: unknown) => now != null && before != null && now !== before;
    const change = !known
      ? null
      : differs(identity.etag, known.etag)
        ? `ETag ${identity.etag} after ${known.etag}`
        : differs(identity.lastModified, known.lastModified)
          ? `Last-Modified ${identity.lastModified} after ${known.lastModified}`
          : differs(total, this.byteLength)
            ? `${total} bytes after ${this.byteLength}`
            : null;
    if (change) {
      throw new FileChangedError(
        `openSafetensors: expected the same file in each answer from ${this.#shown}, got ${change}`,
      );
    }
    this.byteLength ??= total;
  }

  #refusal(response: Response): Error {
    const { status } = response;
    const total = /^bytes \*\/(\d+)$/.exec(rangeHeader(response))?.[1];
    if (status === 416 && total !== undefined && this.byteLength !== undefined && Number(total) !== this.byteLength) {
      return new FileChangedError(
        `openSafetensors: expected the same file in each answer from ${this.#shown}, got ${total} bytes after ${this.byteLength}`,
      );
    }
    const error = new NetworkError(
      `openSafetensors: expected status ${this.seekable ? '206 or 200' : '200'} from ${this.#shown}, got ${status}`,
      { status },
    );
    return PASSING.has(status) ? new PassingError(error, retryAfterMs(response)) : error;
  }

  /** A body's pieces; what the connection throws while they are read may pass. */
  async *#reading(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* pieces;
    } catch (cause) {
      if (cause instanceof ValueError) throw cause;
      throw new PassingError(
        new NetworkError(`openSafetensors: expected the rest of ${this.#shown}, got "${reasonOf(cause)}"`, { cause }),
      );
    }
  }

  /** A part must end where it said, and a whole file no earlier. */
  async #checkEnd({ stream, end, whole }: Body, at: number, until: number, signal: AbortSignal | undefined) {
    if (at < until && Number.isFinite(end)) {
      throw new PassingError(
        new NetworkError(`openSafetensors: expected ${this.#shown} up to byte ${until}, got its end at byte ${at}`),
      );
    }
    if (at < until) this.byteLength ??= at;
    if (whole && at < end) return;
    let ended: boolean;
    try {
      ended = await stream.hasEnded(signal);
    } catch {
      signal?.throwIfAborted();
      // All that was asked for is there.
      ended = true;
    }
    if (!ended) {
      throw new NetworkError(
        `openSafetensors: expected ${this.#shown} to end at byte ${end}, got more than its headers say`,
      );
    }
  }
}

interface Body {
  readonly stream: ByteStream;
  /** Where it ends, by its headers. */
  readonly end: number;
  readonly whole: boolean;
}

interface ContentRange {
  readonly begin: number;
  readonly last: number;
  readonly total: number;
}

function streamOf(response: Response, at: number): ByteStream {
  return response.body ? new ByteStream(response.body, at, true) : emptyStream(at);
}

function emptyStream(at: number): ByteStream {
  return new ByteStream(new ReadableStream({ start: (controller) => controller.close() }), at);
}

function rangeHeader({ headers }: Response): string {
  return headers.get('content-range') ?? '';
}

/** What a part says of itself; null where it doesn't, or can't be understood. */
function contentRange(response: Response): ContentRange | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(rangeHeader(response));
  if (!match || (response.headers.get('content-encoding') ?? 'identity') !== 'identity') return null;
  const [begin, last, total] = match.slice(1).map(Number) as [number, number, number];
  return Number.isSafeInteger(total) ? { begin, last, total } : null;
}

/** What Retry-After asks for, in seconds or as a date, within bounds. */
function retryAfterMs({ headers }: Response): number {
  const text = headers.get('retry-after');
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, MAX_PAUSE_MS) : 0;
}

/** Resolves after the time, or rejects when it is aborted. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The URL without user, password and query. @throws {@link ValueError} where it isn't one */
function shown(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url, globalThis.location?.href);
    return `${protocol}//${host}${pathname}`;
  } catch {
    throw new ValueError(
      `openSafetensors: expected a URL, got ${JSON.stringify(url.slice(0, 200))}; open a local file and pass its FileHandle`,
    );
  }
}

/** What a failed fetch says; the host's own reason is often in its cause. */
function reasonOf(error: unknown): string {
  const cause = (error as Error | null)?.cause ?? error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
