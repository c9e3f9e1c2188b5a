/**
 * Reads the tensors of an opened file, whatever its format: those that are asked for, in the order of their bytes, one
 * at a time.
 */

import { describe, FormatError, KeyError, listed, ValueError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions } from '../tensor/tensor-stream.ts';
import { type ByteRange, coalesceRanges, type ReadLimits } from './byte-ranges.ts';
import { type Memory, type Origin, reusedMemory } from './byte-source.ts';
import { inFile } from './in-file.ts';
import { checkCallable, checkSignal } from './open-options.ts';
import { type Piece, PieceReader } from './piece-reader.ts';

/** After so many tensors the event loop has a turn: all may be in memory, and hundreds of thousands take a second. */
const TURN = 4096;

/** What a reader has to know of a format: what its bytes stand for, which is a tensor unless said otherwise. */
export interface TensorFormat<Info extends ByteRange, Value = Tensor> {
  /** For messages. */
  readonly name: string;
  /** Whether a file ends with the last of its tensors, all of which the reader knows. */
  readonly endsFile?: boolean;
  /** @throws {@link FormatError} where layertap has no such dtype */
  checkReadable?(name: string, info: Info): void;
  /** What these bytes stand for. */
  decode(name: string, info: Info, bytes: Uint8Array): Value;
}

/** A file whose tensors are known. */
export interface TensorPlaces<Info extends ByteRange> {
  readonly origin: Origin;
  /** By name, in the order of their bytes; places are counted from where the data begins. */
  readonly tensors: ReadonlyMap<string, Info>;
  /** Where the data begins in the file. */
  readonly dataBegin: number;
  /** The first bytes of the data, which were read with what stands before them. */
  readonly head: Uint8Array;
}

/** All that a stream gives, by name. */
export async function collected<Value>(stream: AsyncIterable<readonly [string, Value]>): Promise<Map<string, Value>> {
  const tensors = new Map<string, Value>();
  for await (const [name, tensor] of stream) tensors.set(name, tensor);
  return tensors;
}

/**
 * The names, each once.
 *
 * @param known by the names that there are
 * @throws {@link ValueError} where they are no list
 * @throws {@link KeyError} where there are no such tensors
 */
export function checkedNames(caller: string, names: Iterable<string>, known: ReadonlyMap<string, unknown>): string[] {
  if (typeof names === 'string' || typeof Object(names)[Symbol.iterator] !== 'function') {
    const wayOut = typeof names === 'string' ? `; pass [${describe(names)}]` : '';
    throw new ValueError(`${caller}: expected tensors' names in a list, got ${describe(names)}${wayOut}`);
  }
  const asked = [...new Set(names)];
  const unknown = asked.filter((name) => !known.has(name));
  if (unknown.length === 0) return asked;
  throw new KeyError(`${caller}: expected tensors of ${listed(known.keys())}, got ${listed(unknown)}`);
}

/** The tensors of an opened file. */
export class TensorReader<Info extends ByteRange, Value = Tensor> {
  readonly tensors: ReadonlyMap<string, Info>;
  readonly #caller: string;
  readonly #format: TensorFormat<Info, Value>;
  readonly #origin: Origin;
  readonly #dataBegin: number;
  readonly #head: Uint8Array;
  readonly #limits: ReadLimits;

  /** @param caller the public function that opened the file, for messages */
  constructor(caller: string, format: TensorFormat<Info, Value>, file: TensorPlaces<Info>, limits: ReadLimits) {
    this.tensors = file.tensors;
    this.#caller = caller;
    this.#format = format;
    this.#origin = file.origin;
    this.#dataBegin = file.dataBegin;
    this.#head = file.head;
    this.#limits = limits;
  }

  async *stream(
    names: Iterable<string>,
    options: ReadTensorsOptions = {},
  ): AsyncGenerator<readonly [string, Value], void, void> {
    for await (const batch of this.batches(names, options)) yield* batch;
  }

  async *batches(
    names: Iterable<string>,
    options: ReadTensorsOptions = {},
  ): AsyncGenerator<Iterable<readonly [string, Value]>, void, void> {
    const defaults = { signal: undefined, onProgress: undefined, memory: undefined };
    const { signal, onProgress, memory } = withDefaults(`${this.#caller}: reading`, options, defaults);
    checkSignal(this.#caller, signal);
    checkCallable(this.#caller, 'onProgress', onProgress);
    checkCallable(this.#caller, 'memory', memory);
    const wanted = this.#wanted(names);
    const totalBytes = wanted.reduce((sum, [, { begin, end }]) => sum + end - begin, 0);
    const pieces = this.#pieces(wanted, signal, memory ? reusedMemory() : undefined);
    let loadedBytes = 0;
    const onBytes = (count: number) => {
      loadedBytes += count;
      onProgress?.({ loadedBytes, totalBytes });
    };
    const bytes = new PieceReader(pieces, this.#origin, onBytes);
    const format = this.#format;
    let next = 0;
    let turnAt = 0;
    function* whole(): Generator<readonly [string, Value], void, void> {
      turnAt = next + TURN;
      for (; next < wanted.length && next < turnAt; next++) {
        const [name, info] = wanted[next]!;
        signal?.throwIfAborted();
        const data = bytes.take(info, memory && ((length) => memory(name, length)));
        if (!data) return;
        yield [name, format.decode(name, info, data)];
      }
    }
    try {
      for (;;) {
        yield whole();
        if (next === wanted.length) break;
        if (next === turnAt) await nextTurn();
        else if (!(await bytes.advance())) {
          const [name, { begin, end }] = wanted[next]!;
          throw new FormatError(
            `${format.name}: the end is missing: tensor ${describe(name)} ends at byte ${this.#dataBegin + end}, ` +
              `got the file's end at byte ${this.#dataBegin + begin + bytes.filled}`,
          );
        }
      }
      await bytes.return();
      if (format.endsFile && wanted.length > 0) await this.#checkEnd(wanted.at(-1)![1].end, signal);
    } catch (error) {
      throw inFile(this.#origin.name, error);
    } finally {
      await bytes.return();
    }
  }

  async load(names: Iterable<string> = this.tensors.keys(), options?: ReadTensorsOptions): Promise<Map<string, Value>> {
    return collected(this.stream(names, options));
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  /** The named tensors in the order of their bytes. */
  #wanted(names: Iterable<string>): [string, Info][] {
    const asked = new Set(checkedNames(this.#caller, names, this.tensors));
    const wanted = [...this.tensors].filter(([name]) => asked.has(name));
    for (const [name, info] of wanted) this.#format.checkReadable?.(name, info);
    return wanted;
  }

  /** Where the size isn't known before: the last tensor's bytes must be the last of the file. */
  async #checkEnd(at: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#origin.byteLength !== undefined || at !== [...this.tensors.values()].at(-1)!.end) return;
    const end = this.#dataBegin + at;
    for await (const _ of this.#origin.pieces(end, end + 1, signal)) {
      throw new FormatError(`${this.#format.name}: tensors end at byte ${end}, got more bytes after them`);
    }
  }

  /** Pieces with their places in the data, which hold all wanted bytes in order. */
  async *#pieces(
    wanted: readonly [string, Info][],
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
