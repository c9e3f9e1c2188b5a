/**
 * What PyTorch's pickles hold, by a closed list of names: storages, tensors that are views of them, and dicts. All else
 * stays {@link Opaque}.
 */

import { describe } from '../errors.ts';
import { DTYPES, type Dtype } from '../tensor/dtype.ts';
import { numel, type Shape } from '../tensor/shape.ts';
import { type Demand, Global, NAME_LENGTH, type Names, Opaque } from './pickle.ts';

/** A dtype as PyTorch spells it: those without a counterpart among layertap's have none. */
export interface PthDtype {
  readonly name: string;
  readonly dtype: Dtype | undefined;
  /** Bytes of an element. */
  readonly bytes: number;
}

/** The dtypes of storage classes that are named after one of C's types, as `FloatStorage` is. */
const STORAGE_DTYPES: Readonly<Record<string, string>> = {
  Float: 'float32',
  Half: 'float16',
  Double: 'float64',
  Long: 'int64',
  Int: 'int32',
  Short: 'int16',
  Char: 'int8',
  Byte: 'uint8',
  ComplexFloat: 'complex64',
  ComplexDouble: 'complex128',
  Untyped: 'uint8',
};

/** The dtype of a name, which ends with the bits of an element; null where there is none. */
function dtypeNamed(name: string): PthDtype | null {
  const found = /^(?:bool|[a-z]+(8|16|32|64|128))$/.exec(name);
  return found && { name, dtype: DTYPES.find((dtype) => dtype === name), bytes: Number(found[1] ?? 8) / 8 };
}

/** What a pickle says of a storage: an array of elements that lies elsewhere in the file. */
export class StorageRef {
  declare readonly key: string;
  declare readonly dtype: PthDtype;
  /** Where it begins in the storage of that key, in bytes. Files of PyTorch before 0.4 have views of storages. */
  declare readonly begin: number;
  /** Bytes of it. */
  declare readonly bytes: number;
  /** Bytes of all of the key's storage. */
  declare readonly wholeBytes: number;

  constructor(fields: StorageRef) {
    Object.assign(this, fields);
  }
}

/** A tensor of a file: a view of a storage. */
export type TensorRef = InstanceType<typeof TensorRef>;

/** Its class, by the name that messages have for a tensor. */
export const TensorRef = class Tensor {
  declare readonly storage: StorageRef;
  declare readonly elements: PthDtype;
  /** As PyTorch spells it. */
  declare readonly dtype: string;
  declare readonly shape: Shape;
  /** From an element to the next one of each axis, in elements. */
  declare readonly stride: readonly number[];
  /** The bytes of the key's storage that it looks at: from its first element to its last. */
  declare readonly begin: number;
  declare readonly end: number;

  constructor(fields: Omit<Tensor, 'isContiguous'>) {
    Object.assign(this, fields);
  }

  /** True where its elements lie one behind the other, in order. */
  get isContiguous(): boolean {
    return this.shape.every((size, axis, all) => size === 1 || this.stride[axis] === numel(all.slice(axis + 1)));
  }
};

/** What PyTorch's names stand for: calls of these functions alone. */
export class TorchNames implements Names {
  /** Storages that came, by their keys. */
  readonly storages = new Map<unknown, StorageRef>();

  /** A storage: `('storage', type, key, location, elements)`, and in old files a view of that. */
  persistent(id: unknown, demand: Demand): unknown {
    const [kind, type, key, , count, view] = Array.isArray(id) ? (id as unknown[]) : [];
    // The class of a module, with its source: what is made by it is opaque.
    if (kind === 'module') return type;
    const [, first, size] = (Array.isArray(view) ? view : [0, 0, count]) as unknown[];
    const isWithin = isWhole(first) && isWhole(size) && isWhole(count) && first + size <= count;
    const isNamed = kind === 'storage' && type instanceof Global && typeof key === 'string' && key.length < NAME_LENGTH;
    if (!isNamed || !isWithin) demand(false, "a storage's type, key and elements", describe(id));
    const [, ctype = ''] = /\b(\w+)Storage$/.exec(type.name) ?? [];
    // Others are named after their dtype: Bool, BFloat16, and QInt8, whose size tells where the storages behind it are.
    // What an object inherits under a name is no dtype's name.
    const dtype = dtypeNamed(STORAGE_DTYPES[ctype] ?? ctype.toLowerCase());
    if (!dtype) return new Opaque(type.name);
    const storage = new StorageRef({
      key,
      dtype,
      begin: first * dtype.bytes,
      bytes: size * dtype.bytes,
      wholeBytes: count * dtype.bytes,
    });
    this.storages.set(key, storage);
    return storage;
  }

  call(name: string, args: readonly unknown[], demand: Demand): unknown {
    switch (name) {
      case 'collections.OrderedDict':
      case 'collections.defaultdict':
      case 'builtins.dict':
      case '__builtin__.dict': {
        // They are called with nothing, or with pairs in a list.
        const pairs: readonly unknown[] = args.find(Array.isArray) ?? [];
        return new Map(
          pairs.filter((pair): pair is [string, unknown] => {
            return Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string';
          }),
        );
      }
      case 'torch.Size':
      case 'torch.nn.parameter.Parameter':
      case 'torch._utils._rebuild_parameter':
      case 'torch._utils._rebuild_parameter_with_state':
        return args[0];
      case 'torch._utils._rebuild_tensor':
      case 'torch._utils._rebuild_tensor_v2':
      case 'torch._utils._rebuild_tensor_v3':
        return tensorOf(args, demand);
      case 'torch._tensor._rebuild_from_type_v2': {
        const [callee, , inner] = args;
        if (callee instanceof Global && /_tensor(_v|$)/.test(callee.name) && Array.isArray(inner)) {
          return tensorOf(inner, demand);
        }
      }
    }
    return null;
  }
}

/** A tensor within its storage; opaque where that or its dtype is, or where elements aren't those that are stored. */
function tensorOf(args: readonly unknown[], demand: Demand): unknown {
  const [storage, offset, shape, stride, , , given] = args;
  if (!(storage instanceof StorageRef)) return null;
  // The third version names a dtype where the second one may have a dict: of bits that say that the elements are the
  // negative ones, or conjugate.
  const elements = given instanceof Global ? dtypeNamed(given.name.slice('torch.'.length)) : storage.dtype;
  const bits = given instanceof Map && given.size;
  if (!elements || bits) return null;
  const isLaidOut = isWhole(offset) && areWhole(shape) && areWhole(stride) && stride.length === shape.length;
  if (!isLaidOut) {
    const got = [offset, shape, stride].map(describe).join(', ');
    demand(false, "a tensor's offset, size and stride", got);
  }
  const count = numel(shape);
  const span = count && shape.reduce((sum, size, axis) => sum + (size - 1) * stride[axis]!, 1);
  const begin = storage.begin + offset * elements.bytes;
  const end = begin + span * elements.bytes;
  const after = end - storage.begin;
  // PyTorch's own begin at multiples of an element.
  if ((count && after > storage.bytes) || begin % elements.bytes) {
    demand(
      false,
      `tensors within the ${storage.bytes} bytes of storage ${describe(storage.key)}`,
      `one up to byte ${after}`,
    );
  }
  // Copies: a pickle may change its lists later.
  return new TensorRef({ storage, elements, dtype: elements.name, shape: [...shape], stride: [...stride], begin, end });
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether these are whole numbers, and at most 64: PyTorch's own limit of axes. */
function areWhole(values: unknown): values is readonly number[] {
  return Array.isArray(values) && values.length <= 64 && values.every(isWhole);
}
