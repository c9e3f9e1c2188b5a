/**
 * A file's bytes over HTTP: by range requests where the server does them, else by reading its whole answer from front
 * to back. Requests are repeated where that may help, go on where the last one ended, and must all be answered from the
 * same file. Leaves out caching, and requests side by side.
 */

import { cut, describe, FileChangedError, NetworkError, ValueError } from '../errors.ts';
import { ByteStream, MAX_TIMER_MS, type Origin, StalledError, startTimer } from './byte-source.ts';
import { shown, withoutSecrets } from './secrets.ts';

/** How a server is asked. */
export interface HttpOptions {
  /** Used in place of the host's `fetch`, e.g. a service binding's. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /**
   * Sent with each request, e.g. `{ authorization: 'Bearer …' }`, but not to another origin (scheme, host and port)
   * that the server redirects to. A page can't see where a redirect leads, and so follows none with headers other than
   * `authorization`.
   */
  readonly headers?: HeadersInit | undefined;
  /** How often one read may be repeated after a failure that may pass; 3 unless given. */
  readonly retries?: number | undefined;
  /**
   * The pause before the first repetition; it doubles with each, and is drawn from its upper half. 250 unless given.
   */
  readonly retryDelayMs?: number | undefined;
  /**
   * The longest that a server may send nothing, before its answer or in the midst of it: then the read has failed, and
   * may be repeated. 30,000 unless given; Infinity for no limit. How long all may take is a signal's business.
   */
  readonly stallTimeoutMs?: number | undefined;
}

/** {@link HttpOptions} with their defaults. */
export interface HttpSettings {
  readonly fetch: HttpOptions['fetch'];
  readonly headers: HttpOptions['headers'];
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly stallTimeoutMs: number;
}

/** The options' defaults. */
export const HTTP_DEFAULTS = {
  ...{ fetch: undefined, headers: undefined },
  ...{ retries: 3, retryDelayMs: 250, stallTimeoutMs: 30_000 },
};

/** Statuses after which the same request may succeed. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The longest pause that a server's Retry-After can ask for. */
const MAX_PAUSE_MS = 30_000;

/** Statuses that lead to another place. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The most places that one request is led to, as in fetch. */
const MAX_REDIRECTS = 20;

/** What tells one state of a file from another, each as soon as an answer has it: the ETag, and the last change. */
type Identity = readonly (string | null)[];

/** A failure after which the request is repeated. */
class PassingError {
  readonly error: NetworkError;
  readonly pauseMs: number;

  constructor(error: NetworkError, pauseMs = 0) {
    this.error = error;
    this.pauseMs = pauseMs;
  }
}

/** The bytes of a URL's file. Nothing is requested before the first piece is asked for. */
export class HttpOrigin implements Origin {
  byteLength: number | undefined;
  seekable = true;
  readonly keepsPieces = false;
  readonly #caller: string;
  readonly url: URL;
  readonly name: string;
  readonly #fetch: NonNullable<HttpOptions['fetch']>;
  readonly #headers: Headers;
  readonly #settings: HttpSettings;
  #identity: Identity | null = null;
  /** The rest of a whole file's answer, kept for the reads that follow. */
  #open: ByteStream | null = null;

  /**
   * @param caller the public function that was given the URL, for messages
   * @throws {@link ValueError} where it isn't a URL that fetch takes, the headers aren't any, or the host has no fetch
   */
  constructor(caller: string, url: string, settings: HttpSettings) {
    const { fetch = globalThis.fetch, headers } = settings;
    if (typeof fetch !== 'function') {
      throw new ValueError(`${caller}: expected a host with fetch, got none; pass options.fetch`);
    }
    this.#caller = caller;
    this.url = parsedUrl(caller, url);
    this.name = shown(this.url);
    this.#fetch = fetch;
    this.#headers = parsedHeaders(caller, headers);
    this.#settings = settings;
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
          if (body.whole) {
            // That of another read, which went on meanwhile.
            const other = this.#open;
            this.#open = body.stream;
            await other?.cancel();
          }
        } finally {
          if (this.#open !== body.stream) await body.stream.cancel();
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingError)) throw error;
        const { retries, retryDelayMs } = this.#settings;
        if (failures++ >= retries) throw error.error;
        const delayMs = retryDelayMs * 2 ** (failures - 1) * (0.5 + Math.random() / 2);
        await pause(Math.min(Math.max(delayMs, error.pauseMs), MAX_TIMER_MS), signal);
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
        return { stream: this.#streamOf(null, at), end: at, whole: false };
      }
      throw this.#refusal(response);
    } catch (error) {
      await response.body?.cancel().catch(() => {});
      throw error;
    }
  }

  /**
   * The answer to a request, wherever it was led to. Headers of the caller's stay with the URL's own origin, and aren't
   * sent again once left out.
   */
  async #request(range: string | null, signal: AbortSignal | undefined): Promise<Response> {
    let url = this.url;
    let own = [...this.#headers];
    // Where fetch follows by itself, it takes all headers along but a few.
    let redirect: RequestRedirect = own.length > 0 ? 'manual' : 'follow';
    for (let followed = 0; ; followed++) {
      const headers = new Headers(own);
      if (range) headers.set('range', range);
      const response = await this.#answer(url.href, { headers, redirect }, signal);
      const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
      if (response.type !== 'opaqueredirect' && location === null) return response;
      await response.body?.cancel().catch(() => {});
      if (location === null) {
        if (own.some(([name]) => name !== 'authorization')) {
          const got = "a redirect, which a page can't follow with headers; open the address that it leads to";
          throw this.#failure(`an answer from ${this.name}`, got);
        }
        // This one stays with the origin when a page's fetch follows.
        redirect = 'follow';
        continue;
      }
      const next = redirected(location, url);
      if (next === null || followed >= MAX_REDIRECTS) {
        const got = next === null ? 'one that leads elsewhere' : `${followed + 1}`;
        throw this.#failure(`at most ${MAX_REDIRECTS} redirects to HTTP addresses from ${this.name}`, got);
      }
      if (next.origin !== url.origin) own = [];
      url = next;
    }
  }

  /** The answer to one request, as soon as its headers are there. */
  async #answer(url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
    signal?.throwIfAborted();
    // The answer may be read long after this call, so that its signal ends with the headers.
    const controller = new AbortController();
    const fetch = this.#fetch;
    const own = controller.signal;
    const givenUp = new Promise<never>((_, reject) => {
      own.addEventListener('abort', () => reject(own.reason));
    });
    const stop = () => controller.abort(signal!.reason);
    signal?.addEventListener('abort', stop, { once: true });
    const { stallTimeoutMs } = this.#settings;
    const timer = startTimer(stallTimeoutMs, () => controller.abort(new StalledError(stallTimeoutMs)));
    try {
      const answer = Promise.resolve(fetch(url, { ...init, signal: own }));
      // An answer that nobody waits for any more lets go of its connection.
      answer.then(
        (late) => {
          if (own.aborted) late.body?.cancel().catch(() => {});
        },
        () => {},
      );
      const response: unknown = await Promise.race([answer, givenUp]);
      if ((response as Partial<Response> | null | undefined)?.headers) return response as Response;
      throw new ValueError(`${this.#caller}: expected fetch to give a Response, got ${describe(response)}`);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ValueError) throw error;
      const { got, options } = this.#reasonOf(error);
      const way = this.url.protocol === 'file:' ? '; open a local file and pass its FileHandle' : '';
      const failure = this.#failure(`an answer from ${this.name}`, got + way, options);
      if (/^https?:$/.test(this.url.protocol)) throw new PassingError(failure);
      throw failure;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  #partOf(response: Response, range: ContentRange, at: number, end: number): Body {
    const { begin, last, total } = range;
    this.#checkIdentity(response, total);
    const length = response.headers.get('content-length');
    const isAsked = begin === at && last >= begin && last < end && last < total;
    if (!isAsked || (length !== null && Number(length) !== last - begin + 1)) {
      const got = `Content-Range "${cut(rangeHeader(response))}"${length === null ? '' : ` of ${length} bytes`}`;
      throw this.#failure(`bytes ${at}-${end - 1} from ${this.name}`, got);
    }
    return { stream: this.#streamOf(response.body, at), end: last + 1, whole: false };
  }

  #wholeOf(response: Response): Body {
    this.seekable = false;
    // Another origin's answer hides from a page whether it is encoded, unless the server says otherwise.
    const encoding = response.headers.get('content-encoding') ?? (response.type === 'cors' ? 'hidden' : 'identity');
    const length = response.headers.get('content-length');
    // Of an encoded body, the length is another one.
    const total = length === null || encoding !== 'identity' ? undefined : Number(length);
    this.#checkIdentity(response, total);
    return { stream: this.#streamOf(response.body, 0), end: this.byteLength ?? Number.POSITIVE_INFINITY, whole: true };
  }

  /** All answers must be of one file. */
  #checkIdentity({ headers }: Response, total: number | undefined): void {
    const known = this.#identity;
    const compare = (what: string, now: unknown, before: unknown) => {
      if (now != null && before != null && now !== before) throw this.#changed(cut(`${what} ${now} after ${before}`));
    };
    this.#identity = ['ETag', 'Last-Modified'].map((name, i) => {
      const now = headers.get(name);
      compare(name, now, known?.[i]);
      return known?.[i] ?? now;
    });
    compare('size', total, this.byteLength);
    this.byteLength ??= total;
  }

  #failure(expected: string, got: string | number, options?: ConstructorParameters<typeof NetworkError>[1]) {
    return new NetworkError(`${this.#caller}: expected ${expected}, got ${got}`, options);
  }

  #changed(got: string): FileChangedError {
    return new FileChangedError(`${this.#caller}: expected the same file in each answer from ${this.name}, got ${got}`);
  }

  #refusal(response: Response): Error | PassingError {
    const { status } = response;
    const total = /^bytes \*\/(\d+)$/.exec(rangeHeader(response))?.[1];
    if (status === 416 && total !== undefined && this.byteLength !== undefined && Number(total) !== this.byteLength) {
      return this.#changed(`size ${total} after ${this.byteLength}`);
    }
    const expected = `status ${this.seekable ? '206 or 200' : '200'} from ${this.name}`;
    const error = this.#failure(expected, status, { status });
    return PASSING.has(status) ? new PassingError(error, retryAfterMs(response)) : error;
  }

  /** A body's pieces; what the connection throws while they are read may pass. */
  async *#reading(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* pieces;
    } catch (error) {
      if (error instanceof ValueError) throw error;
      const { got, options } = this.#reasonOf(error);
      throw new PassingError(this.#failure(`the rest of ${this.name}`, got, options));
    }
  }

  /** A part must end where it said, and a whole file no earlier. */
  async #checkEnd({ stream, end, whole }: Body, at: number, until: number, signal: AbortSignal | undefined) {
    if (at < until && Number.isFinite(end)) {
      throw new PassingError(this.#failure(`${this.name} up to byte ${until}`, `its end at byte ${at}`));
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
    if (!ended) throw this.#failure(`${this.name} to end at byte ${end}`, 'more than its headers say');
  }

  /** A body as a stream; of none, an empty one. */
  #streamOf(body: ReadableStream<Uint8Array> | null, at: number): ByteStream {
    const { stallTimeoutMs } = this.#settings;
    return new ByteStream(this.#caller, body ?? new Blob([]).stream(), { at, fills: true, stallTimeoutMs });
  }

  /**
   * What a failure says, for messages, and the failure itself as their cause. Hosts write URLs and headers into their
   * errors, and loggers print causes: secrets are taken out of the first, and where there are any, the second is left
   * out.
   */
  #reasonOf(error: unknown): { readonly got: string; readonly options: ErrorOptions } {
    if (error instanceof StalledError) return { got: error.message, options: {} };
    // A token is one without the scheme before it, too.
    const values = [...this.#headers.values()].flatMap((value) => [value, value.slice(value.indexOf(' ') + 1)]);
    const secrets = [this.url.search, ...values].filter(({ length }) => length > 2);
    const clean = (text: string) =>
      secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), withoutSecrets(text));
    let hasSecrets = false;
    let deepest = error;
    for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
      deepest = depth < 2 ? cause : deepest;
      const texts = [cause.message, ...Object.values(cause)].filter((text) => typeof text === 'string');
      hasSecrets ||= texts.some((text) => clean(text) !== text);
    }
    const said = deepest instanceof Error ? deepest.message || deepest.name : String(deepest);
    return { got: `"${cut(clean(said))}"`, options: hasSecrets ? {} : { cause: error } };
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

/** @throws {@link ValueError} where it isn't a URL, or has a user or password, which fetch refuses */
function parsedUrl(caller: string, text: string): URL {
  let url: URL | null = null;
  try {
    url = new URL(text, globalThis.location?.href);
  } catch {}
  // A scheme of one letter is a drive.
  if (url === null || /^.:$/.test(url.protocol)) {
    const got = describe(text.replace(/[?#].*$/s, '').replace(/^.*@/s, '…@'));
    throw new ValueError(`${caller}: expected a URL, got ${got}; open a local file and pass its FileHandle`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ValueError(
      `${caller}: expected a URL without user and password, as fetch takes it, got ${shown(url)} with them; ` +
        'pass headers: { authorization } instead',
    );
  }
  return url;
}

/** @throws {@link ValueError} where they aren't headers; what they are isn't told, since they may be secrets */
function parsedHeaders(caller: string, headers: HeadersInit | undefined): Headers {
  try {
    return new Headers(headers);
  } catch {
    throw new ValueError(`${caller}: expected headers as fetch takes them, got names or values that it refuses`);
  }
}

/** Where a redirect leads; null where it is no HTTP address, or one with user and password. */
function redirected(location: string, from: URL): URL | null {
  try {
    const url = new URL(location, from);
    return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url : null;
  } catch {
    return null;
  }
}
