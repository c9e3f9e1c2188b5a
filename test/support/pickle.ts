/** Writes pickles by hand, as older and newer PyTorch and strangers do: each value is its opcodes, as Latin-1. */

import { type Entry, zipOf } from './zip.ts';

/** The bytes of opcodes. */
export const bytesOf = (opcodes: string) => Uint8Array.from(opcodes, (letter) => letter.charCodeAt(0));

function number(value: number | bigint, bytes: number): string {
  let opcodes = '';
  for (let i = 0; i < bytes; i++) opcodes += String.fromCharCode(Number((BigInt(value) >> BigInt(8 * i)) & 255n));
  return opcodes;
}

export const u32 = (value: number) => number(value, 4);
export const i64 = (value: number | bigint) => number(value, 8);
export const int = (value: number) => `J${u32(value)}`;
export const text = (value: string) => {
  const utf8 = Buffer.from(value).toString('latin1');
  return `X${u32(utf8.length)}${utf8}`;
};
export const tuple = (...items: readonly string[]) => `(${items.join('')}t`;
export const list = (...items: readonly string[]) => `](${items.join('')}e`;
export const global = (name: string) => `c${name.replace(/\.([^.]*)$/, '\n$1')}\n`;
export const call = (name: string, ...args: readonly string[]) => `${global(name)}${tuple(...args)}R`;
export const dict = (entries: Readonly<Record<string, string>>) =>
  `}(${Object.entries(entries)
    .map(([key, value]) => text(key) + value)
    .join('')}u`;

/** A tensor, and the storage that it views: all of it unless said otherwise. */
export interface PickledTensor {
  readonly key?: string;
  readonly count?: number;
  readonly type?: string;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly stride?: readonly number[];
  /** What follows the number of elements in legacy files: a view, or none. */
  readonly view?: string;
  readonly rebuilder?: string;
  /** What follows the stride. */
  readonly rest?: readonly string[];
}

/** A tensor of two floats in storage "0", unless told otherwise. */
export function pickledTensor(tensor: PickledTensor = {}): string {
  const { key = '0', count = 2, type = 'torch.FloatStorage', offset = 0, view = '' } = tensor;
  const { shape = [count], stride = [1], rebuilder = 'torch._utils._rebuild_tensor_v2' } = tensor;
  const { rest = ['\x89', call('collections.OrderedDict')] } = tensor;
  const storage = `${tuple(text('storage'), global(type), text(key), text('cpu'), int(count), view)}Q`;
  return call(rebuilder, storage, int(offset), tuple(...shape.map(int)), tuple(...stride.map(int)), ...rest);
}

/** A pickle of protocol 2. */
export const pickle = (value: string, protocol = 2) => `\x80${String.fromCharCode(protocol)}${value}.`;

/** A zip file of a pickled object and storages of floats. */
export function zipWith(object: string, storages: Readonly<Record<string, readonly number[]>> = {}): Uint8Array {
  const contents = Object.entries(storages).map(
    ([key, values]): Entry => ({
      name: `archive/data/${key}`,
      content: new Uint8Array(Float32Array.from(values).buffer),
    }),
  );
  return zipOf([{ name: 'archive/data.pkl', content: bytesOf(pickle(object)) }, ...contents]);
}

/** A legacy file of a pickled object and storages of floats, in their order, and what it says of its machine. */
export function legacyWith(
  object: string,
  storages: Readonly<Record<string, readonly number[]>> = {},
  isLittleEndian = true,
): Uint8Array {
  const magic = pickle('\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19');
  const system = pickle(dict({ protocol_version: 'M\xe9\x03', little_endian: isLittleEndian ? '\x88' : '\x89' }));
  const keys = pickle(list(...Object.keys(storages).map(text)));
  const contents = Object.values(storages).map(
    (values) => i64(values.length) + Buffer.from(Float32Array.from(values).buffer).toString('latin1'),
  );
  return bytesOf([magic, pickle('M\xe9\x03'), system, pickle(object), keys, ...contents].join(''));
}
