/**
 * What PyTorch's pickles hold, by a closed list of names: storages, tensors that are views of them, and dicts. All else
 * stays {@link Opaque}.
 */

import { describe } from '../errors.ts';
import { DTYPES, type Dtype } from '../tensor/dtype.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Dict, Global, type Names, Opaque } from './pickle.ts';
import { malformed } from './pth-fault.ts';
import { cut, quote } from './quoted.ts';

/** A dtype as PyTorch spells it: those without a counterpart among layertap's have none. */
export interface PthDtype {
  readonly name: string;
  readonly dtype: Dtype | undefined;
  /** Bytes of an element. */
  readonly bytes: number;
}

/** The dtype of each storage class, which is named after one of C's types: `FloatStorage`. */
const STORAGE_DTYPES: Readonly<Record<string, string>> = {
  Float: 'float32',
  Half: 'float16',
  BFloat16: 'bfloat16',
  Double: 'float64',
  Long: 'int64',
  Int: 'int32',
  Short: 'int16',
  Char: 'int8',
  Byte: 'uint8',
  Bool: 'bool',
  ComplexFloat: 'complex64',
  ComplexDouble: 'complex128',
  Untyped: 'uint8',
};

/** The dtype of a name, which ends with the bits of an element; undefined where there is none. */
function dtypeNamed(name = ''): PthDtype | undefined {
  const bits = name === 'bool' ? 8 : Number(/^(?:u?int|b?float|complex)(8|16|32|64|128)$/.exec(name)?.[1] ?? 0);
  return bits === 0 ? undefined : { name, dtype: DTYPES.find((dtype) => dtype === name), bytes: bits / 8 };
}

/** What a pickle says of a storage: an array of elements that lies elsewhere in the file. */
export class StorageRef {
  readonly key: string;
  readonly dtype: PthDtype;
  /** Elements of it. */
  readonly count: number;
  /** Where it begins in the storage of that key, in elements. Files of PyTorch before 0.4 have views of storages. */
  readonly first: number;
  /** The elements of all of the key's storage. */
  readonly whole: number;

  constructor(fields: Pick<StorageRef, 'key' | 'dtype' | 'count' | 'first' | 'whole'>) {
    this.key = fields.key;
    this.dtype = fields.dtype;
    this.count = fields.count;
    this.first = fields.first;
    this.whole = fields.whole;
  }
}

/** The most elements of a tensor that has more of them than its storage. */
const MOST_REPEATED = 2 ** 20;

/** A tensor of a file: a view of a storage. */
export class TensorRef {
  readonly storage: StorageRef;
  readonly dtype: PthDtype;
  readonly shape: Shape;
  /** From an element to the next one of each axis, in elements. */
  readonly stride: readonly number[];
  /** The bytes of the key's storage that it looks at: from its first element to its last. */
  readonly extent: { readonly begin: number; readonly end: number };

  /** @throws {@link FormatError} where it isn't within its storage */
  constructor(storage: StorageRef, offset: unknown, shape: unknown, stride: unknown, dtype = storage.dtype) {
    const sizes = wholes(shape);
    const steps = wholes(stride);
    if (!sizes || !steps || steps.length !== sizes.length || !isWhole(offset)) {
      throw malformed(`expected a tensor's offset, size and stride as whole numbers >= 0`);
    }
    const elements = numel(sizes);
    const { bytes } = dtype;
    const { key, count, first } = storage;
    const storedBytes = count * storage.dtype.bytes;
    const span = elements === 0 ? 0 : sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, 1);
    const isWithin = span === 0 || (offset + span) * bytes <= storedBytes;
    if (!Number.isSafeInteger(offset + span) || !Number.isSafeInteger(elements) || !isWithin) {
      const got = `size ${cut(formatShape(sizes))}, stride ${cut(formatShape(steps))} from ${offset} on`;
      throw malformed(`expected a tensor within the ${count} elements of storage ${quote(key)}, got ${got}`);
    }
    // An expanded axis repeats elements: a few bytes of a file mustn't become gigabytes.
    if (elements > MOST_REPEATED && elements * bytes > storedBytes) {
      throw malformed(`expected at most ${MOST_REPEATED} elements of an expanded tensor, got ${elements}`);
    }
    this.storage = storage;
    this.dtype = dtype;
    this.shape = Object.freeze(sizes);
    this.stride = steps;
    const begin = first * storage.dtype.bytes + offset * bytes;
    this.extent = { begin, end: begin + span * bytes };
  }

  /** True where its elements lie one behind the other, in order. */
  get isContiguous(): boolean {
    let expected = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      const size = this.shape[axis]!;
      if (size !== 1 && this.stride[axis] !== expected) return numel(this.shape) === 0;
      expected *= size;
    }
    return true;
  }
}

/** What PyTorch's names stand for: calls of these functions alone. */
export class TorchNames implements Names {
  /** A storage of each key that came, of the whole key's elements. */
  readonly storages = new Map<string, StorageRef>();
  readonly call = called;

  persistent(id: unknown): unknown {
    const storage = storageOf(id);
    if (!(storage instanceof StorageRef)) return storage;
    const { key, dtype, whole } = storage;
    const known = this.storages.get(key);
    if (known && known.whole * known.dtype.bytes !== whole * dtype.bytes) {
      throw malformed(`expected one size of storage ${quote(key)}, got ${known.whole} elements and ${whole}`);
    }
    this.storages.set(key, storage);
    return storage;
  }
}

function called(name: string, args: readonly unknown[]): unknown {
  switch (name) {
    case 'collections.OrderedDict':
    case 'collections.Counter':
    case 'collections.defaultdict':
    case 'builtins.dict':
    case '__builtin__.dict':
      return filled(args);
    case 'torch.Size':
      return args[0];
    case 'torch._utils._rebuild_tensor':
    case 'torch._utils._rebuild_tensor_v2':
      return tensorOf(args);
    case 'torch._utils._rebuild_tensor_v3':
      return tensorOf(args, args[6]);
    case 'torch._utils._rebuild_parameter':
    case 'torch._utils._rebuild_parameter_with_state':
      return args[0];
    case 'torch._tensor._rebuild_from_type_v2': {
      const [callee, , inner] = args;
      if (!(callee instanceof Global) || !Array.isArray(inner) || callee.name === name) return null;
      return called(callee.name, inner);
    }
  }
  return null;
}

/** A dict of what OrderedDict is called with: nothing, or pairs in a list. */
function filled(args: readonly unknown[]): Dict {
  const dict = new Dict();
  const pairs = args.find(Array.isArray) ?? [];
  for (const pair of pairs) if (Array.isArray(pair) && pair.length === 2) dict.set(pair[0], pair[1]);
  return dict;
}

/** A tensor; opaque where its storage is, as that of a quantized tensor. */
function tensorOf([storage, offset, shape, stride]: readonly unknown[], given?: unknown): unknown {
  if (!(storage instanceof StorageRef)) return null;
  if (given === undefined) return new TensorRef(storage, offset, shape, stride);
  const dtype = dtypeNamed(given instanceof Global ? given.name.replace(/^torch\./, '') : undefined);
  return dtype ? new TensorRef(storage, offset, shape, stride, dtype) : null;
}

/** What a persistent id names: `('storage', type, key, location, elements)`, and in old files a view of that. */
function storageOf(id: unknown): unknown {
  // The class of a module, with its source: what is made by it is opaque.
  if (Array.isArray(id) && id[0] === 'module') return id[1];
  if (!Array.isArray(id) || id[0] !== 'storage') {
    throw malformed(`expected persistent ids of storages, got ${describe(Array.isArray(id) ? id[0] : id)}`);
  }
  const [, type, key, , count, view] = id as unknown[];
  const name = type instanceof Global ? type.name : 'storage';
  const ofC = /(\w+)Storage$/.exec(name)?.[1] ?? '';
  const dtype = dtypeNamed(Object.hasOwn(STORAGE_DTYPES, ofC) ? STORAGE_DTYPES[ofC] : '');
  if (!dtype) return new Opaque(name);
  if ((typeof key !== 'string' && typeof key !== 'number') || !isWhole(count)) {
    throw malformed('expected a key and a number of elements of each storage');
  }
  const [first, size] = Array.isArray(view) ? [view[1], view[2]] : [0, count];
  if (!isWhole(first) || !isWhole(size) || first + size > count || count > Number.MAX_SAFE_INTEGER / 16) {
    throw malformed(`expected a view within the ${count} elements of storage ${quote(String(key))}`);
  }
  return new StorageRef({ key: String(key), dtype, count: size, first, whole: count });
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The numbers, where they are whole and at most 64: PyTorch's own limit of axes. */
function wholes(values: unknown): number[] | null {
  return Array.isArray(values) && values.length <= 64 && values.every(isWhole) ? [...values] : null;
}
