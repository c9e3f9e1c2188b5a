/**
 * Opens safetensors files without reading them: the header first, then only the tensors that are asked for, one at a time.
 * Over HTTP that takes range requests. Leaves out files in several shards.
 */

import { describe, FormatError, KeyError, ValueError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import { coalesceRanges, type ReadLimits } from './byte-ranges.ts';
import { type Memory, type Origin, reusedMemory } from './byte-source.ts';
import { checkHttpSettings, HTTP_DEFAULTS, type HttpOptions } from './http-origin.ts';
import { type FileSource, openOrigin } from './open-origin.ts';
import {
  checkReadable,
  decodeSafetensorsTensor,
  listNames,
  MAX_SAFETENSORS_HEADER_BYTES,
  parsingSafetensorsHeader,
  quote,
  type SafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorInfo,
} from './safetensors.ts';

export type { ByteSource, FileHandleLike, Memory, ReadOptions } from './byte-source.ts';
export type { HttpOptions } from './http-origin.ts';

/** Bytes that are asked for first: they hold the headers of most files, and a small file's tensors too. */
const HEAD_BYTES = 64 * 2 ** 10;

/** A tensor's bytes are allocated at once up to here, and beyond only as they arrive: sizes are a stranger's claims. */
const TRUSTED_BYTES = 64 * 2 ** 20;

/** What {@link openSafetensors} can open. */
export type SafetensorsSource = FileSource;

/** Options of {@link openSafetensors}; those of {@link HttpOptions} matter to URLs only. */
export interface OpenSafetensorsOptions extends HttpOptions {
  /** Ends the opening; reading takes a signal of its own. */
  readonly signal?: AbortSignal | undefined;
  /** Unwanted bytes between tensors that are read over, rather than left out by another read; 128 KiB unless given. */
  readonly maxGapBytes?: number | undefined;
  /** The most bytes of one read, which is also what a failure makes to be read again at most; 16 MiB unless given. */
  readonly maxReadBytes?: number | undefined;
  /**
   * The most bytes of a header, which takes time and memory in proportion: 16 MiB unless given, as 100,000 tensors need; the format allows
   * 100,000,000. A header is parsed in stretches of some milliseconds, so that the signal ends that too.
   */
  readonly maxHeaderBytes?: number | undefined;
}

/** The name in messages. */
const CALLER = 'openSafetensors';

/** An opened file: its checked header, and its tensors when they are asked for. */
export interface OpenedSafetensors extends SafetensorsHeader, TensorStream {
  readonly tensors: SafetensorsHeader['tensors'];
  /**
   * The named tensors in the order of their bytes, each read when it is asked for: no more than one is held. Reading ends
   * with the loop. Tensors may share the buffers that a source's `read` gave, and those of a source in memory.
   *
   * @throws {@link KeyError} naming all tensors that the file lacks, before anything is read
   * @throws {@link FormatError} where layertap lacks a tensor's dtype, or the file ends early
   * @throws {@link NetworkError} where a server refuses, or doesn't keep to HTTP
   * @throws {@link FileChangedError} where the file isn't the one that was opened
   */
  stream(names: Iterable<string>, options?: ReadTensorsOptions): AsyncIterable<readonly [string, Tensor]>;
  /**
   * The named tensors, all unless given, in the order of their bytes.
   *
   * @throws as {@link OpenedSafetensors.stream}
   */
  load(names?: Iterable<string>, options?: ReadTensorsOptions): Promise<Map<string, Tensor>>;
  /** Ends a connection that waits to be read on: only a server that doesn't do ranges leaves one. */
  close(): Promise<void>;
}

/**
 * A safetensors file, of which no more is read than what is asked for:
 *
 *     const file = await openSafetensors('https://example.com/resnet50.safetensors');
 *     const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
 *     await getter.loadStateDictAsync(file); // 6 MB of 102
 *
 * @param source a URL, a Blob or File, bytes, Node's FileHandle, anything with `byteLength` and `read`, or a stream. A
 *   stream is read once, from front to back
 * @throws {@link ValueError} where it is none of these
 * @throws {@link FormatError} where the file's header breaks a rule of the format
 * @throws {@link NetworkError} where a server can't be reached, refuses, or doesn't keep to HTTP
 */
export async function openSafetensors(
  source: SafetensorsSource,
  options: OpenSafetensorsOptions = {},
): Promise<OpenedSafetensors> {
  const { signal, maxGapBytes, maxReadBytes, maxHeaderBytes, ...http } = withDefaults(CALLER, options, {
    ...{ signal: undefined, maxGapBytes: 128 * 2 ** 10, maxReadBytes: 16 * 2 ** 20, maxHeaderBytes: 16 * 2 ** 20 },
    ...HTTP_DEFAULTS,
  });
  checkLimit('maxGapBytes', maxGapBytes, 0);
  checkLimit('maxReadBytes', maxReadBytes, 1);
  checkLimit('maxHeaderBytes', maxHeaderBytes, 2);
  checkHttpSettings(CALLER, http);
  checkSignal(signal);
  signal?.throwIfAborted();
  const origin = await openOrigin(CALLER, source, http);
  try {
    const { header, dataBegin, head } = await readHeader(origin, maxHeaderBytes, signal);
    return new TensorReader(origin, header, dataBegin, head, { maxGapBytes, maxReadBytes });
  } catch (error) {
    await origin.close();
    throw error;
  }
}

function checkLimit(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ValueError(`${CALLER}: expected ${name} to be a whole number >= ${least}, got ${describe(value)}`);
}

function checkSignal(signal: unknown): void {
  if (signal == null || typeof (signal as Partial<AbortSignal>).throwIfAborted === 'function') return;
  throw new ValueError(`${CALLER}: expected signal as an AbortSignal, got ${describe(signal)}`);
}

function checkCallable(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ValueError(`${CALLER}: expected ${name} as a function, got ${describe(value)}`);
}

/** The checked header, where the data begins, and those of its bytes that came along. */
async function readHeader(origin: Origin, maxHeaderBytes: number, signal: AbortSignal | undefined) {
  let head = await collect(origin, 0, HEAD_BYTES, signal, new Uint8Array(0));
  const headerBytes = safetensorsHeaderBytes(head, origin.byteLength ?? Number.POSITIVE_INFINITY);
  if (headerBytes > maxHeaderBytes) {
    throw new FormatError(
      `safetensors: expected a header of at most ${maxHeaderBytes} bytes, got ${headerBytes}; ` +
        `openSafetensors takes up to ${MAX_SAFETENSORS_HEADER_BYTES} with maxHeaderBytes`,
    );
  }
  const dataBegin = 8 + headerBytes;
  if (dataBegin > head.length) {
    head = await collect(origin, head.length, dataBegin, signal, head);
    if (dataBegin > head.length) {
      throw new FormatError(`safetensors: header ends at byte ${dataBegin} of ${head.length}`);
    }
  }
  const dataBytes = origin.byteLength === undefined ? undefined : origin.byteLength - dataBegin;
  const parsing = parsingSafetensorsHeader(head.subarray(8, dataBegin), dataBytes);
  for (;;) {
    const { done, value } = parsing.next();
    if (done) return { header: value, dataBegin, head: head.slice(dataBegin) };
    await nextTurn();
    signal?.throwIfAborted();
  }
}

/** What was read before, and the bytes that follow. Nothing is allocated before it is there. */
async function collect(
  origin: Origin,
  begin: number,
  end: number,
  signal: AbortSignal | undefined,
  before: Uint8Array,
): Promise<Uint8Array> {
  const pieces = [before];
  for await (const piece of origin.pieces(begin, end, signal)) pieces.push(origin.keepsPieces ? piece : piece.slice());
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

class TensorReader implements OpenedSafetensors {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #origin: Origin;
  readonly #dataBegin: number;
  /** The first bytes of the data. */
  readonly #head: Uint8Array;
  readonly #limits: ReadLimits;

  constructor(origin: Origin, header: SafetensorsHeader, dataBegin: number, head: Uint8Array, limits: ReadLimits) {
    this.metadata = header.metadata;
    this.tensors = header.tensors;
    this.#origin = origin;
    this.#dataBegin = dataBegin;
    this.#head = head;
    this.#limits = limits;
  }

  async *stream(
    names: Iterable<string>,
    options: ReadTensorsOptions = {},
  ): AsyncGenerator<readonly [string, Tensor], void, void> {
    const defaults = { signal: undefined, onProgress: undefined, memory: undefined };
    const { signal, onProgress, memory } = withDefaults('openSafetensors: reading', options, defaults);
    checkSignal(signal);
    checkCallable('onProgress', onProgress);
    checkCallable('memory', memory);
    const wanted = this.#wanted(names);
    const totalBytes = wanted.reduce((sum, [, { begin, end }]) => sum + end - begin, 0);
    const pieces = this.#pieces(wanted, signal, memory ? reusedMemory() : undefined);
    const bytes = new PieceReader(pieces, this.#origin.keepsPieces);
    let loadedBytes = 0;
    const onBytes = (count: number) => {
      loadedBytes += count;
      onProgress?.({ loadedBytes, totalBytes });
    };
    try {
      for (const [name, info] of wanted) {
        signal?.throwIfAborted();
        const data = await bytes.take(info.begin, info.end, onBytes, memory && ((length) => memory(name, length)));
        if (data.length < info.end - info.begin) {
          throw new FormatError(
            `safetensors: tensor ${quote(name)} ends at byte ${info.end}, got the file's end at byte ${info.begin + data.length}`,
          );
        }
        yield [name, decodeSafetensorsTensor(name, info, data)];
      }
      if (wanted.length > 0) await this.#checkEnd(wanted.at(-1)![1].end, signal);
    } finally {
      await bytes.return();
    }
  }

  async load(
    names: Iterable<string> = this.tensors.keys(),
    options?: ReadTensorsOptions,
  ): Promise<Map<string, Tensor>> {
    const tensors = new Map<string, Tensor>();
    for await (const [name, tensor] of this.stream(names, options)) tensors.set(name, tensor);
    return tensors;
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  /** The named tensors in the order of their bytes. */
  #wanted(names: Iterable<string>): [string, TensorInfo][] {
    if (typeof names === 'string' || typeof Object(names)[Symbol.iterator] !== 'function') {
      const wayOut = typeof names === 'string' ? `; pass [${describe(names)}]` : '';
      throw new ValueError(`openSafetensors: expected tensors' names in a list, got ${describe(names)}${wayOut}`);
    }
    const asked = new Set(names);
    const unknown = [...asked].filter((name) => !this.tensors.has(name));
    if (unknown.length > 0) {
      throw new KeyError(
        `openSafetensors: expected tensors of ${listNames(this.tensors.keys())}, got ${listNames(unknown)}`,
      );
    }
    const wanted = [...this.tensors].filter(([name]) => asked.has(name));
    for (const [name, info] of wanted) checkReadable(name, info);
    return wanted;
  }

  /** Where the size isn't known before: the last tensor's bytes must be the last of the file. */
  async #checkEnd(at: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#origin.byteLength !== undefined || at !== [...this.tensors.values()].at(-1)!.end) return;
    const end = this.#dataBegin + at;
    for await (const _ of this.#origin.pieces(end, end + 1, signal)) {
      throw new FormatError(`safetensors: tensors end at byte ${at}, got more bytes after them`);
    }
  }

  /** Pieces with their places in the data, which hold all wanted bytes in order. */
  async *#pieces(
    wanted: readonly [string, TensorInfo][],
    signal: AbortSignal | undefined,
    memory: Memory | undefined,
  ): AsyncGenerator<Piece> {
    const head = this.#head;
    yield { begin: 0, bytes: head };
    const beyond = wanted.map(([, { begin, end }]) => ({ begin: Math.max(begin, head.length), end }));
    for (const { begin, end } of coalesceRanges(beyond, this.#limits)) {
      let at = begin;
      for await (const bytes of this.#origin.pieces(this.#dataBegin + begin, this.#dataBegin + end, signal, memory)) {
        yield { begin: at, bytes };
        at += bytes.length;
      }
      if (at < end) return;
    }
  }
}

interface Piece {
  /** The place of the first byte. */
  readonly begin: number;
  readonly bytes: Uint8Array;
}

/** Puts arrays together from pieces. */
class PieceReader {
  readonly #pieces: AsyncGenerator<Piece>;
  readonly #keepsPieces: boolean;
  #piece: Piece = { begin: 0, bytes: new Uint8Array(0) };

  constructor(pieces: AsyncGenerator<Piece>, keepsPieces: boolean) {
    this.#pieces = pieces;
    this.#keepsPieces = keepsPieces;
  }

  /**
   * The bytes from `begin` up to `end`: a view where they came in one piece that stays, otherwise in the memory that is given, if any is.
   * Fewer where the pieces end.
   */
  async take(
    begin: number,
    end: number,
    onBytes: (count: number) => void,
    memory: Memory | undefined,
  ): Promise<Uint8Array> {
    const length = end - begin;
    let data: Uint8Array | null = null;
    let filled = 0;
    while (filled < length) {
      const { begin: at, bytes } = this.#piece;
      const part = bytes.subarray(within(bytes, begin + filled - at), within(bytes, end - at));
      if (part.length === 0) {
        const { done, value } = await this.#pieces.next();
        if (done) break;
        this.#piece = value;
        continue;
      }
      onBytes(part.length);
      if (part.length === length && this.#keepsPieces) return part;
      const needed = filled + part.length;
      data ??= memory?.(length) ?? new Uint8Array(Math.min(length, Math.max(TRUSTED_BYTES, needed)));
      if (needed > data.length) data = grown(data, Math.min(length, Math.max(2 * data.length, needed)));
      data.set(part, filled);
      filled = needed;
    }
    return data?.subarray(0, filled) ?? new Uint8Array(0);
  }

  /** Ends the reading. */
  async return(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

/** An index of the array, or the nearest one. */
function within({ length }: Uint8Array, index: number): number {
  return Math.min(length, Math.max(0, index));
}

function grown(data: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(data);
  return larger;
}
