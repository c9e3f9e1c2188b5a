/** Reads the tensors of a `.pth` file: storages in the order of their bytes, each once, and the tensors that view them. */

import { arrayOf, itemBytes } from '../tensor/dtype.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions } from '../tensor/tensor-stream.ts';
import type { ReadLimits } from './byte-ranges.ts';
import type { Origin } from './byte-source.ts';
import { malformed } from './pth-fault.ts';
import type { PthFile, StoragePlace } from './pth-file.ts';
import type { TensorRef } from './pth-objects.ts';
import { quote } from './quoted.ts';
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

/** The tensors of an opened `.pth` file, by their names in it, and how they are read. */
export function pthTensors({ caller, origin, head, file, limits }: PthSource, refs: ReadonlyMap<string, TensorRef>) {
  /** The storages of the named tensors in the order of their bytes, each by the name of a tensor in it. */
  const storagesOf = (names: Iterable<string>): ReadonlyMap<string, Wanted> => {
    const byKey = new Map<string, Wanted>();
    for (const name of new Set(names)) {
      const ref = refs.get(name)!;
      const { storage, dtype } = ref;
      if (!dtype.dtype) throw malformed(`tensor ${quote(name)}: expected a dtype of layertap, got ${dtype.name}`);
      const wanted = byKey.get(storage.key) ?? { place: file.placeOf(storage), tensors: [] };
      wanted.tensors.push([name, ref]);
      byKey.set(storage.key, wanted);
    }
    const storages = [...byKey.values()].sort((a, b) => a.place.begin - b.place.begin);
    checkAmplification(storages);
    return new Map(storages.map((wanted) => [wanted.tensors[0]![0], wanted]));
  };
  function* views({ tensors }: Wanted, content: Uint8Array) {
    for (const [name, ref] of tensors) yield [name, tensorOf(ref, content, file.isBigEndian)] as const;
  }
  /** @param names of tensors that there are */
  async function* batches(names: Iterable<string>, { memory, ...reading }: ReadTensorsOptions = {}) {
    const storages = storagesOf(names);
    const places = new Map(
      Array.from(
        storages,
        ([
          name,
          {
            place: { begin, end },
          },
        ]) => [name, { begin, end, dtype: 'uint8', shape: [end - begin] }],
      ),
    );
    let lent: Uint8Array = new Uint8Array(0);
    const given = memory && {
      memory: (name: string, bytes: number) => {
        // Memory that is given again serves one tensor: where several view a storage, it has memory of its own.
        lent = storages.get(name)!.tensors.length === 1 ? memory(name, bytes) : new Uint8Array(bytes);
        return lent;
      },
    };
    function* plain(batch: Iterable<readonly [string, Tensor]>) {
      for (const [name, { data }] of batch) {
        const storage = storages.get(name)!;
        const content = storage.place.content(data as Uint8Array) as Uint8Array;
        // What lies in memory for this storage alone may be moved to where its elements are aligned.
        const isLent = data.buffer === lent.buffer && data.byteOffset === lent.byteOffset;
        yield* views(storage, isLent ? moved(lent, content) : content);
      }
    }
    const isPacked = [...storages.values()].some(({ place }) => place.isPacked);
    const reader = new TensorReader(caller, BYTES, { origin, tensors: places, dataBegin: 0, head }, limits);
    for await (const batch of reader.batches(places.keys(), { ...reading, ...given })) {
      if (!isPacked) yield plain(batch);
      else {
        for (const [name, { data }] of batch) {
          const storage = storages.get(name)!;
          yield views(storage, await storage.place.content(data as Uint8Array));
        }
      }
    }
  }
  const tensors = new Map(Array.from(refs, ([name, { dtype, shape }]) => [name, { dtype: dtype.name, shape }]));
  return { tensors, batches, close: () => origin.close() };
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
