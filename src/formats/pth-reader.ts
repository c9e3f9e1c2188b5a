/** Reads the tensors of a `.pth` file: each storage once, in the order of bytes, and the tensors that view it. */

import { describe } from '../errors.ts';
import { arrayOf, type Dtype } from '../tensor/dtype.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions } from '../tensor/tensor-stream.ts';
import type { ReadLimits } from './byte-ranges.ts';
import { check, checkGrowth } from './pth-fault.ts';
import type { PthFile, StoragePlace } from './pth-file.ts';
import type { TensorRef } from './pth-objects.ts';
import { TensorReader } from './tensor-reader.ts';

/** A storage that is wanted, and who wants it. */
interface Wanted extends StoragePlace {
  readonly refs: [name: string, ref: TensorRef][];
}

/** The most deflated storages that are read at once: each takes some tenths of a millisecond, however small. */
const MOST_PACKED = 4096;

/** Storages as their contents: which tensors these hold is said elsewhere. */
const STORAGES = {
  name: 'pth',
  decode: (_: string, storage: StoragePlace, bytes: Uint8Array) => storage.content(bytes),
};

/**
 * The tensors of an opened `.pth` file, by their names in it, and how they are read.
 *
 * @param caller the public function that opened the file, for messages
 */
export function pthTensors(
  caller: string,
  { origin, head, places, isBigEndian }: PthFile,
  refs: ReadonlyMap<string, TensorRef>,
  limits: ReadLimits,
) {
  /** @param names of tensors that there are */
  async function* batches(names: Iterable<string>, { memory, ...reading }: ReadTensorsOptions = {}) {
    const byKey = new Map<string, Wanted>();
    let tensorBytes = 0;
    let storedBytes = 0;
    let packed = 0;
    for (const name of new Set(names)) {
      const ref = refs.get(name)!;
      const { storage, elements } = ref;
      if (!elements.dtype) check(false, `a dtype of layertap for tensor ${describe(name)}`, ref.dtype);
      const place = places.get(storage.key);
      if (!(place && place.bytes >= storage.wholeBytes)) {
        check(
          false,
          `${storage.wholeBytes} bytes of storage ${describe(storage.key)} for tensor ${describe(name)}`,
          place?.bytes ?? 'none',
        );
      }
      if (isBigEndian || !ref.isContiguous) tensorBytes += numel(ref.shape) * elements.bytes;
      const known = byKey.get(storage.key);
      known?.refs.push([name, ref]);
      if (known) continue;
      storedBytes += place.end - place.begin;
      packed += place.method && 1;
      byKey.set(storage.key, { ...place, refs: [[name, ref]] });
    }
    check(packed <= MOST_PACKED, `at most ${MOST_PACKED} deflated entries`, packed);
    // Many tensors that have to be copied may be of the same bytes.
    checkGrowth('bytes of tensors', tensorBytes, storedBytes);
    /** In the order of their bytes, each by the name of a tensor in it. */
    const ordered = [...byKey.values()].sort((a, b) => a.begin - b.begin);
    const storages = new Map(ordered.map((wanted) => [wanted.refs[0]![0], wanted]));
    const given = memory && {
      memory(name: string, bytes: number) {
        const { refs, lead } = storages.get(name)!;
        // Memory that is given again serves one tensor: where several view a storage, it has memory of its own.
        const lent = refs.length === 1 ? memory(name, lead + bytes) : new Uint8Array(lead + bytes);
        return lent.subarray(lead);
      },
    };
    function* tensorsIn(contents: Iterable<readonly [string, Uint8Array | Promise<Uint8Array>]>) {
      for (const [storage, content] of contents) {
        let bytes = content as Uint8Array;
        // Once for all of its tensors.
        if (bytes.byteOffset % 8) bytes = bytes.slice();
        for (const [name, ref] of storages.get(storage)!.refs) yield [name, tensorOf(ref, bytes, isBigEndian)] as const;
      }
    }
    const reader = new TensorReader(caller, STORAGES, { origin, head, tensors: storages, dataBegin: 0 }, limits);
    for await (const batch of reader.batches(storages.keys(), { ...reading, ...given })) {
      if (!packed) yield tensorsIn(batch);
      // To inflate takes turns.
      else for (const [storage, content] of batch) yield tensorsIn([[storage, await content]]);
    }
  }
  return { tensors: refs, batches, close: () => origin.close() };
}

/** A tensor of a storage's content, which is aligned: a view where its elements lie in order, else a copy. */
function tensorOf(ref: TensorRef, content: Uint8Array, isBigEndian: boolean | undefined): Tensor {
  const { shape, stride, begin, end } = ref;
  const { dtype, bytes } = ref.elements;
  let data = content.subarray(begin, end);
  const count = numel(shape);
  if (count && !ref.isContiguous) {
    // As floats, some NaN would change.
    const Words = arrayOf(`int${8 * bytes}` as Dtype);
    const from = new Words(data.buffer as never, data.byteOffset, data.length / bytes);
    const out = new Words(count);
    let to = 0;
    const gather = (axis: number, at: number) => {
      for (let i = 0; i < shape[axis]!; i++, at += stride[axis]!) {
        if (axis < shape.length - 1) gather(axis + 1, at);
        else out[to++] = from[at]!;
      }
    };
    gather(0, 0);
    data = new Uint8Array(out.buffer);
  } else if (isBigEndian) data = data.slice();
  if (isBigEndian) for (let at = 0; at < data.length; at += bytes) data.subarray(at, at + bytes).reverse();
  return new Tensor(new (arrayOf(dtype!))(data.buffer, data.byteOffset, count), shape, dtype!);
}
