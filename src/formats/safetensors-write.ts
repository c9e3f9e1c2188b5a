/** Writes safetensors files, byte for byte as the reference implementation does. */

import { describe, ValueError } from '../errors.ts';
import { entriesInOrder, flag, hasEntries, isPair, withDefaults } from '../options.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { numel } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  DTYPE_NAMES,
  FORMAT_DTYPES,
  MAX_SAFETENSORS_HEADER_BYTES,
  METADATA,
  PREFIX_BYTES,
  READABLE,
} from './safetensors-header.ts';
import { hasLoneSurrogate } from './safetensors-scanner.ts';

/** How the format spells a tensor's dtype. */
const NAME_OF = new Map(READABLE.map((name) => [FORMAT_DTYPES[name] as Dtype, name]));

/**
 * The bytes of a safetensors file; the same tensors in any order give the same bytes, and those that the reference
 * implementation writes: by alignment and dtype from the widest down, then by name, after a header padded with spaces
 * to a multiple of eight bytes. Metadata is written in the order given.
 *
 * @param tensors names and tensors: a state dict, a Map, entries, or a plain object
 * @param metadata free texts for `__metadata__`, e.g. `{ format: 'pt' }`
 * @param options `sorted: false` for the order given, which readers list the tensors in; of mixed dtypes, some may then
 *   lie unaligned
 * @throws {@link ValueError} where a name is `__metadata__`, comes twice or isn't well-formed Unicode, a metadata value
 *   isn't a string, or the header is longer than 100,000,000 bytes; where the order counts and a plain object doesn't
 *   tell it, because a name of several is a whole number
 */
export function saveSafetensors(
  tensors: Iterable<readonly [string, Tensor]> | Readonly<Record<string, Tensor>>,
  metadata: Iterable<readonly [string, string]> | Readonly<Record<string, string>> = {},
  options: { readonly sorted?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const { sorted } = withDefaults('saveSafetensors', options, { sorted: true });
  flag('saveSafetensors: sorted', sorted);
  const entries = entriesOf('tensors', tensors, !sorted).map(([name, tensor]) => {
    checkText('tensor name', name);
    checkTensor(name, tensor);
    return { name, tensor, dtype: NAME_OF.get(tensor.dtype)! };
  });
  checkUnique(
    'tensor name',
    entries.map(({ name }) => name),
  );
  if (entries.some(({ name }) => name === METADATA)) {
    throw new ValueError(`saveSafetensors: expected a tensor name other than "${METADATA}", which holds the metadata`);
  }
  if (sorted) {
    entries.sort(
      (a, b) => DTYPE_NAMES.indexOf(b.dtype) - DTYPE_NAMES.indexOf(a.dtype) || compareCodePoints(a.name, b.name),
    );
  }

  // Built as text: as an object, integer-like names would come first.
  const members: string[] = [];
  const texts = entriesOf('metadata', metadata, true);
  checkUnique(
    'metadata key',
    texts.map(([key]) => key),
  );
  for (const [key, value] of texts) checkText(`metadata ${describe(key)}`, value);
  if (texts.length > 0) members.push(`"${METADATA}":{${texts.map((text) => text.map(toJson).join(':')).join(',')}}`);
  let dataBytes = 0;
  for (const { name, tensor, dtype } of entries) {
    const end = dataBytes + tensor.byteLength;
    members.push(`${toJson(name)}:${toJson({ dtype, shape: tensor.shape, data_offsets: [dataBytes, end] })}`);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > MAX_SAFETENSORS_HEADER_BYTES) {
    throw new ValueError(
      `saveSafetensors: expected a header of at most ${MAX_SAFETENSORS_HEADER_BYTES} bytes, got ${headerBytes}`,
    );
  }

  const file = new Uint8Array(PREFIX_BYTES + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, PREFIX_BYTES);
  file.fill(0x20, PREFIX_BYTES + json.length, PREFIX_BYTES + headerBytes);
  let at = PREFIX_BYTES + headerBytes;
  for (const { tensor } of entries) {
    file.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.byteLength), at);
    at += tensor.byteLength;
  }
  return file;
}

function checkUnique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    checkText(what, name);
    if (seen.has(name))
      throw new ValueError(`saveSafetensors: expected each ${what} once, got ${describe(name)} twice`);
    seen.add(name);
  }
}

/** By what it has, since a page may hold two copies of this library. */
function checkTensor(name: string, tensor: unknown): void {
  const { dtype, shape, data } = Object(tensor) as Partial<Tensor>;
  if (!NAME_OF.has(dtype as Dtype) || !Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new ValueError(`saveSafetensors: expected a Tensor as ${describe(name)}, got ${describe(tensor)}`);
  }
  if (data.length !== numel(shape)) {
    const got = `${data.length}; it was detached, by postMessage for example`;
    throw new ValueError(`saveSafetensors: expected ${numel(shape)} elements of ${describe(name)}, got ${got}`);
  }
}

function checkText(what: string, text: unknown): void {
  if (typeof text !== 'string') {
    throw new ValueError(`saveSafetensors: expected a string as ${what}, got ${describe(text)}`);
  }
  if (hasLoneSurrogate(text)) {
    throw new ValueError(`saveSafetensors: expected well-formed Unicode as ${what}, got ${describe(text)}`);
  }
}

/** Orders strings by their code points, which is the order of their UTF-8 bytes; `<` compares UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  const rank = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function toJson(value: unknown): string {
  return JSON.stringify(value);
}

/** @param inOrder whether the order counts, which a plain object may not tell */
function entriesOf<Item>(
  what: string,
  items: Iterable<readonly [string, Item]> | Readonly<Record<string, Item>>,
  inOrder: boolean,
): readonly (readonly [string, Item])[] {
  if (!hasEntries(items)) {
    throw new ValueError(`saveSafetensors: expected ${what} as a Map, entries or an object, got ${describe(items)}`);
  }
  const entries =
    inOrder || Symbol.iterator in items ? entriesInOrder('saveSafetensors', items) : Object.entries<Item>(items);
  const other = entries.find((entry) => !isPair(entry));
  if (other === undefined) return entries;
  throw new ValueError(`saveSafetensors: expected ${what} as pairs of name and value, got ${describe(other)}`);
}
