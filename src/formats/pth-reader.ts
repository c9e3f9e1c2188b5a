/** Reads the tensors of a `.pth` file: storages in the order of their bytes, each once, and the tensors that view them. */

import { KeyError } from '../errors.ts';
import { withDefaults } from '../options.ts';
import { arrayOf, itemBytes } from '../tensor/dtype.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import type { ReadLimits } from './byte-ranges.ts';
import type { Origin } from './byte-source.ts';
import { malformed } from './pth-fault.ts';
import type { PthFile, StoragePlace } from './pth-file.ts';
import type { TensorRef } from './pth-objects.ts';
import { listNames, quote } from './quoted.ts';
import { type TensorFormat, type TensorPlace, TensorReader } from './tensor-reader.ts';

/** What a file is read from. */
export interface PthSource {
  readonly caller: string;
  readonly origin: Origin;
  readonly head: Uint8Array;
  readonly file: PthFile;
  readonly limits: ReadLimits;
}

/** A storage that is wanted, and who wants it. */
interface Wanted {
  readonly place: StoragePlace;
  readonly tensors: [name: string, ref: TensorRef][];
}

/** Storages as bytes: what they hold is known by the tensors alone. */
const BYTES: TensorFormat<TensorPlace> = {
  name: 'pth',
  checkReadable: () => {},
  decode: (_name, _info, bytes) => new Tensor(bytes, [bytes.length], 'uint8'),
};

/** The tensors of an opened `.pth` file. */
export class PthReader implements TensorStream {
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>;
  readonly #refs: ReadonlyMap<string, TensorRef>;
  readonly #source: PthSource;

  constructor(source: PthSource, refs: ReadonlyMap<string, TensorRef>) {
    this.#source = source;
    this.#refs = refs;
    this.tensors = new Map(Array.from(refs, ([name, { dtype, shape }]) => [name, { dtype: dtype.name, shape }]));
  }

  async *stream(
    names: Iterable<string>,
    options?: ReadTensorsOptions,
  ): AsyncGenerator<readonly [string, Tensor], void, void> {
    for await (const batch of this.batches(names, options)) yield* batch;
  }

  async *batches(
    names: Iterable<string>,
    options: ReadTensorsOptions = {},
  ): AsyncGenerator<Iterable<readonly [string, Tensor]>, void, void> {
    const { caller, origin, head, file, limits } = this.#source;
    const defaults = { signal: undefined, onProgress: undefined, memory: undefined };
    const { memory, ...reading } = withDefaults(`${caller}: reading`, options, defaults);
    const wanted = this.#wanted(names);
    const places = new Map(
      [...wanted].map(([key, { place }]) => [key, { ...place, dtype: 'uint8', shape: [place.end - place.begin] }]),
    );
    const reader = new TensorReader(caller, BYTES, { origin, tensors: places, dataBegin: 0, head }, limits);
    let lent: Uint8Array = new Uint8Array(0);
    const given = memory && {
      memory: (key: string, bytes: number) => {
        const { tensors } = wanted.get(key)!;
        // Memory that is given again serves one tensor: where several view a storage, it has memory of its own.
        lent = tensors.length === 1 ? memory(tensors[0]![0], bytes) : new Uint8Array(bytes);
        return lent;
      },
    };
    function* views({ tensors }: Wanted, content: Uint8Array) {
      for (const [name, ref] of tensors) yield [name, tensorOf(ref, content, file.isBigEndian)] as const;
    }
    for await (const batch of reader.batches(places.keys(), { ...reading, ...given })) {
      const storages = batch[Symbol.iterator]();
      const packed: { readonly storage: Wanted; readonly content: Promise<Uint8Array> }[] = [];
      /** Those up to the next storage that has to be inflated first. */
      function* plain(): Generator<readonly [string, Tensor], void, void> {
        for (let { done, value } = storages.next(); !done; { done, value } = storages.next()) {
          const storage = wanted.get(value[0])!;
          const data = value[1].data as Uint8Array;
          const content = storage.place.content(data);
          if (content instanceof Promise) {
            packed.push({ storage, content });
            return;
          }
          // What lies in memory for this storage alone may be moved to where its elements are aligned.
          const isLent = data.buffer === lent.buffer && data.byteOffset === lent.byteOffset;
          yield* views(storage, isLent ? moved(lent, content) : content);
        }
      }
      for (;;) {
        yield plain();
        const next = packed.pop();
        if (!next) break;
        yield views(next.storage, await next.content);
      }
    }
  }

  close(): Promise<void> {
    return this.#source.origin.close();
  }

  /** The storages of the named tensors, by their keys, in the order of their bytes. */
  #wanted(names: Iterable<string>): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    const unknown: string[] = [];
    for (const name of new Set(names)) {
      const ref = this.#refs.get(name);
      if (!ref) {
        unknown.push(name);
        continue;
      }
      if (!ref.dtype.dtype)
        throw malformed(`tensor ${quote(name)}: expected a dtype of layertap, got ${ref.dtype.name}`);
      const { key } = ref.storage;
      const one = wanted.get(key) ?? { place: this.#source.file.placeOf(ref.storage), tensors: [] };
      one.tensors.push([name, ref]);
      wanted.set(key, one);
    }
    if (unknown.length === 0) {
      checkAmplification([...wanted.values()]);
      return new Map([...wanted].sort(([, a], [, b]) => a.place.begin - b.place.begin));
    }
    throw new KeyError(
      `${this.#source.caller}: expected tensors of ${listNames(this.tensors.keys())}, got ${listNames(unknown)}`,
    );
  }
}

/** How many times its storages' bytes a file's tensors may have, and bytes that they may have in any case. */
const MOST_TIMES = 4;
const LEAST_BYTES = 2 ** 20;

/** Views that overlap are copied where they aren't contiguous: a few bytes of a file mustn't become gigabytes. */
function checkAmplification(wanted: readonly Wanted[]): void {
  const stored = wanted.reduce((sum, { place }) => sum + place.bytes, 0);
  const refs = wanted.flatMap(({ tensors }) => tensors);
  const needed = refs.reduce((sum, [, { shape, dtype }]) => sum + numel(shape) * dtype.bytes, 0);
  if (needed <= Math.max(LEAST_BYTES, MOST_TIMES * stored)) return;
  throw malformed(
    `expected tensors of at most ${MOST_TIMES} times the ${stored} bytes of their storages, got ${needed}`,
  );
}

/** The content at the beginning of its memory. */
function moved(memory: Uint8Array, content: Uint8Array): Uint8Array {
  const at = content.byteOffset - memory.byteOffset;
  if (at % 8 === 0) return content;
  memory.copyWithin(0, at, at + content.length);
  return memory.subarray(0, content.length);
}

/** A tensor of a storage's content: a view where its elements lie in order and aligned, else a copy. */
function tensorOf(ref: TensorRef, content: Uint8Array, isBigEndian: boolean): Tensor {
  const { shape, dtype, extent } = ref;
  const own = dtype.dtype!;
  const { bytes } = dtype;
  let data = content.subarray(extent.begin, extent.end);
  if (!ref.isContiguous) data = gathered(ref, data);
  else if (data.byteOffset % bytes !== 0 || isBigEndian) data = data.slice();
  if (isBigEndian && bytes > 1) for (let at = 0; at < data.length; at += bytes) data.subarray(at, at + bytes).reverse();
  const Elements = arrayOf(own);
  return new Tensor(new Elements(data.buffer, data.byteOffset, data.length / itemBytes(own)), shape, own);
}

/** The elements in order, of bytes that begin with the first one. */
function gathered({ shape, stride, dtype: { bytes } }: TensorRef, from: Uint8Array): Uint8Array {
  const out = new Uint8Array(numel(shape) * bytes);
  const index = shape.map(() => 0);
  let at = 0;
  for (let to = 0; to < out.length; to += bytes) {
    for (let i = 0; i < bytes; i++) out[to + i] = from[at + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += stride[axis]! * bytes;
      if (++index[axis]! < shape[axis]!) break;
      at -= stride[axis]! * bytes * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
