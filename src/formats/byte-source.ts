/**
 * Sources of a file's bytes other than HTTP: memory, Blobs, file handles, streams, and whatever has a `read`. All are
 * read piece by piece from front to back, so that no more than a piece is held besides what was asked for.
 */

import { describe, FileChangedError, FormatError, ValueError } from '../errors.ts';

/** What can be read at any place, e.g. an object in a bucket. */
export interface ByteSource {
  /** What errors call the file: its address, its path. */
  readonly name?: string | undefined;
  /** The size of the whole file. */
  readonly byteLength: number;
  /**
   * The bytes from `begin` up to `end`, not included: exactly as many. They are kept, as tensors' data, unless they are
   * in given memory.
   */
  read(begin: number, end: number, options: ReadOptions): PromiseLike<Uint8Array>;
}

/** What {@link ByteSource.read} is told. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Gives memory for that many bytes, to be used and returned instead of memory of the source's own, until the next
   * read.
   */
  readonly memory?: Memory | undefined;
}

/** Gives memory for that many bytes, the same on each call where it is large enough. */
export type Memory = (byteLength: number) => Uint8Array;

/** Memory that grows as is asked for, and is allocated at the first call. */
export function reusedMemory(): Memory {
  let bytes = new Uint8Array(0);
  return (byteLength) => {
    if (bytes.length < byteLength) bytes = new Uint8Array(byteLength);
    return bytes.subarray(0, byteLength);
  };
}

/** What is needed of Node's `FileHandle`. It stays open, and the caller's to close. */
export interface FileHandleLike {
  /** What errors call the file. Node's handles have none. */
  readonly name?: string | undefined;
  /** Fills `buffer` from `offset` on with at most `length` bytes of the file from `position` on. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): PromiseLike<{ readonly bytesRead: number }>;
  /** The file's bytes, and when it was last written. */
  stat(): PromiseLike<{ readonly size: number; readonly mtimeMs: number }>;
}

/** A file's bytes from front to back. */
export interface Origin {
  /** What errors call the file: its address, path or name; undefined where it has none. */
  readonly name?: string | undefined;
  /** Where it is, if it came by URL. */
  readonly url?: URL;
  /** The size of the whole file; undefined while it isn't known. */
  readonly byteLength: number | undefined;
  /** Whether bytes can be left out; otherwise all before those that are wanted are read. */
  readonly seekable: boolean;
  /** Whether pieces stay as they are; otherwise each is good until the next one is asked for. */
  readonly keepsPieces: boolean;
  /**
   * The bytes from `begin` up to `end` in pieces; fewer where the file ends before. With `memory`, a piece is valid
   * until the next.
   */
  pieces(begin: number, end: number, signal: AbortSignal | undefined, memory?: Memory): AsyncIterable<Uint8Array>;
  /** Lets go of a connection that waits to be read on. */
  close(): Promise<void>;
}

/** The most bytes that are read at once from what answers with a whole array. */
const PIECE_BYTES = 4 * 2 ** 20;

/** The most bytes that are read at once from a file: more is no faster, and less is held. */
const FILE_PIECE_BYTES = 2 ** 20;

/** The buffer that a host's stream fills, again and again: workerd hands out 4 KiB at a time otherwise. */
const CHUNK_BYTES = 64 * 2 ** 10;

/** The most characters of a file's name that a message shows. */
const MOST_OF_NAME = 200;

/**
 * An origin that reads at any place.
 *
 * @param caller the public function that was given the source, for messages
 * @param readsAhead whether the next piece is read while the last one is used: then two are held
 * @throws {@link ValueError} where `byteLength` is no size
 */
export function originOf(caller: string, source: ByteSource, pieceBytes = PIECE_BYTES, readsAhead = false): Origin {
  const { name, byteLength } = source;
  if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
    throw new ValueError(`${caller}: expected a byteLength that is a whole number >= 0, got ${describe(byteLength)}`);
  }
  return {
    name: typeof name === 'string' && name !== '' ? endOf(name) : undefined,
    byteLength,
    seekable: true,
    keepsPieces: true,
    async *pieces(begin, end, signal, memory) {
      const last = Math.min(end, byteLength);
      const memories = [memory, readsAhead && memory ? reusedMemory() : memory];
      const read = (at: number, i: number) => {
        const piece = Promise.resolve(
          source.read(at, Math.min(last, at + pieceBytes), { signal, memory: memories[i % 2] }),
        );
        // A piece that was read ahead in vain fails in vain.
        piece.catch(() => {});
        return piece;
      };
      let next: Promise<Uint8Array> | null = null;
      for (let at = begin, i = 0; at < last; at += pieceBytes, i++) {
        signal?.throwIfAborted();
        const until = Math.min(last, at + pieceBytes);
        const piece: unknown = await (next ?? read(at, i));
        next = readsAhead && until < last ? read(until, i + 1) : null;
        if (!ArrayBuffer.isView(piece)) {
          throw new ValueError(`${caller}: expected read() to give a Uint8Array, got ${describe(piece)}`);
        }
        if (piece.byteLength !== until - at) {
          throw new FormatError(`${caller}: expected ${until - at} bytes from byte ${at}, got ${piece.byteLength}`);
        }
        yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      }
    },
    close: async () => {},
  };
}

/** A name for messages: of a long path the end, which tells the file. */
function endOf(name: string): string {
  return name.length > MOST_OF_NAME ? `…${name.slice(-MOST_OF_NAME)}` : name;
}

/** The bytes of memory, which pieces are views of. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return { byteLength: bytes.length, read: async (begin, end) => bytes.subarray(begin, end) };
}

/** The bytes of a Blob or File. A File that changes on the disk ends in a {@link FileChangedError}. */
export function blobSource(caller: string, blob: Blob): ByteSource {
  return {
    name: (blob as Partial<File>).name,
    byteLength: blob.size,
    async read(begin, end) {
      try {
        return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
      } catch (cause) {
        if ((cause as Error | null)?.name !== 'NotReadableError') throw cause;
        throw new FileChangedError(`${caller}: expected a file as it was when it was opened, got another`, { cause });
      }
    },
  };
}

/** The bytes of an open file. Its size and time of change are compared after each read. */
export async function fileHandleOrigin(caller: string, handle: FileHandleLike): Promise<Origin> {
  const opened = await handle.stat();
  const source: ByteSource = {
    name: handle.name,
    byteLength: opened.size,
    async read(begin, end, { memory }) {
      const bytes = memory?.(end - begin) ?? new Uint8Array(end - begin);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      const { size, mtimeMs } = await handle.stat();
      if (size !== opened.size || mtimeMs !== opened.mtimeMs) {
        const say = (bytes: number, ms: number) => `${bytes} bytes changed at ${new Date(ms).toISOString()}`;
        throw new FileChangedError(
          `${caller}: expected a file of ${say(opened.size, opened.mtimeMs)}, got ${say(size, mtimeMs)}`,
        );
      }
      return bytes.subarray(0, filled);
    },
  };
  return originOf(caller, source, FILE_PIECE_BYTES, true);
}

/** Why a stream was given up: nothing came for so long. */
export class StalledError extends Error {
  constructor(ms: number) {
    super(`nothing for ${ms} ms`);
  }
}

/** How a {@link ByteStream} is read. */
export interface ByteStreamOptions {
  /** The place of the stream's first byte in the file; 0 unless given. */
  readonly at?: number;
  /**
   * Whether to have buffers filled, where the stream can; false unless given. Not for streams of anybody's making:
   * those that forget to answer a buffer when they close would never end.
   */
  readonly fills?: boolean;
  /** The longest that a piece is waited for; forever unless given. */
  readonly stallTimeoutMs?: number;
}

/** A stream that is read from front to back, once; what is before the wanted bytes is dropped. */
export class ByteStream {
  /** The place of the next byte. */
  at: number;
  /** Whether all was read. */
  ended = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader;
  readonly #read: () => Promise<ReadableStreamReadResult<unknown>>;
  readonly #caller: string;
  readonly #stallTimeoutMs: number;
  #rest: Uint8Array = new Uint8Array(0);

  /** @param caller the public function that was given the stream, for messages */
  constructor(
    caller: string,
    stream: ReadableStream<Uint8Array>,
    { at = 0, fills = false, stallTimeoutMs = Infinity }: ByteStreamOptions = {},
  ) {
    this.#caller = caller;
    this.#stallTimeoutMs = stallTimeoutMs;
    const filling = fills ? fillingReader(stream) : null;
    const reader = filling ?? stream.getReader();
    this.#reader = reader;
    this.#read = filling ? reusing(filling) : () => (reader as ReadableStreamDefaultReader).read();
    this.at = at;
  }

  /**
   * The bytes from `begin` up to `end` in pieces; fewer where the stream ends before.
   *
   * @throws {@link ValueError} where a piece of the stream isn't binary
   * @throws {@link StalledError} where a piece takes too long
   */
  async *pieces(begin: number, end: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    while (this.at < end) {
      const chunk = this.#rest.length > 0 ? this.#rest : await this.#next(signal);
      if (!chunk) return;
      const skipped = Math.min(chunk.length, Math.max(0, begin - this.at));
      const taken = chunk.subarray(skipped, Math.min(chunk.length, end - this.at));
      this.#rest = chunk.subarray(skipped + taken.length);
      this.at += skipped + taken.length;
      if (taken.length > 0) yield taken;
    }
  }

  /** Whether nothing follows. Waits for the stream to tell. */
  async hasEnded(signal?: AbortSignal): Promise<boolean> {
    while (this.#rest.length === 0 && !this.ended) this.#rest = (await this.#next(signal)) ?? this.#rest;
    return this.ended;
  }

  /** Drops what wasn't read. */
  async cancel(): Promise<void> {
    this.#rest = new Uint8Array(0);
    await this.#reader.cancel().catch(() => {});
  }

  async #next(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    const stop = () => void this.#reader.cancel(signal!.reason).catch(() => {});
    signal?.addEventListener('abort', stop, { once: true });
    let hasStalled = false;
    const limit = this.#stallTimeoutMs;
    const timer = startTimer(limit, () => {
      hasStalled = true;
      void this.#reader.cancel().catch(() => {});
    });
    try {
      const { done, value } = await this.#read();
      signal?.throwIfAborted();
      if (hasStalled) throw new StalledError(limit);
      if (done) {
        this.ended = true;
        return undefined;
      }
      if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      throw new ValueError(`${this.#caller}: expected a stream of Uint8Arrays, got ${describe(value)}`);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

/** The longest time that timers take: more would be no time at all. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer; none for an infinite time. */
export function startTimer(ms: number, callback: () => void): ReturnType<typeof setTimeout> | undefined {
  return ms === Infinity ? undefined : setTimeout(callback, ms);
}

/** A reader that fills buffers; null where the stream hands out its own. */
function fillingReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: 'byob' });
  } catch {
    return null;
  }
}

/** Reads into one buffer. */
function reusing(reader: ReadableStreamBYOBReader): () => Promise<ReadableStreamReadResult<unknown>> {
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  return async () => {
    const result = await reader.read(new Uint8Array(buffer));
    // It comes back as another object, or not at all where the stream was cancelled.
    if (result.value) buffer = result.value.buffer;
    return result;
  };
}

/** A stream's bytes, once from front to back, and by one read at a time: two would take each other's pieces. */
export function streamOrigin(caller: string, readable: ReadableStream<Uint8Array>): Origin {
  const stream = new ByteStream(caller, readable);
  let isRead = false;
  return {
    get byteLength() {
      return stream.ended ? stream.at : undefined;
    },
    seekable: false,
    keepsPieces: false,
    async *pieces(begin, end, signal) {
      if (isRead || begin < stream.at) {
        const when = isRead ? 'while another read is at' : 'after';
        throw new ValueError(
          `${caller}: expected a stream to be read once, got byte ${begin} asked for ${when} byte ${stream.at}; ` +
            'load all tensors at once',
        );
      }
      isRead = true;
      try {
        yield* stream.pieces(begin, end, signal);
      } finally {
        isRead = false;
      }
    },
    close: () => stream.cancel(),
  };
}
