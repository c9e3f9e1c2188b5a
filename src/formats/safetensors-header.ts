/**
 * The header of a safetensors file: the length before it, and its JSON, which is checked against all of the format's
 * rules. A file either keeps them or ends in a FormatError, and nothing is allocated by what a header claims.
 */

import { cut, describe, FormatError, ValueError } from '../errors.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import { otherFormat } from './other-format.ts';
import { HeaderScanner, isSpace, malformed } from './safetensors-scanner.ts';
import { toBytes } from './to-bytes.ts';

/** The most bytes that a header may have; the reference implementation's limit. */
export const MAX_SAFETENSORS_HEADER_BYTES = 100_000_000;

/** Bytes of the length before the header. */
export const PREFIX_BYTES = 8;

/** The header's entry that is no tensor. */
export const METADATA = '__metadata__';

/** What opens a file without reading all of it, for messages. */
export const OPENER = 'openSafetensors';

/** The format's dtypes by rising alignment, which is the writer's order backwards; a Tensor's where it has one. */
export const FORMAT_DTYPES = {
  BOOL: 'bool',
  F4: undefined,
  F6_E2M3: undefined,
  F6_E3M2: undefined,
  U8: 'uint8',
  I8: 'int8',
  F8_E5M2: undefined,
  F8_E4M3: undefined,
  F8_E8M0: undefined,
  F8_E4M3FNUZ: undefined,
  F8_E5M2FNUZ: undefined,
  I16: 'int16',
  U16: undefined,
  F16: 'float16',
  BF16: 'bfloat16',
  I32: 'int32',
  U32: undefined,
  F32: 'float32',
  C64: undefined,
  F64: 'float64',
  I64: 'int64',
  U64: undefined,
} as const satisfies Record<string, Dtype | undefined>;

/** A dtype as the format spells it, e.g. `F32`. Some have no counterpart among layertap's. */
export type SafetensorsDtype = keyof typeof FORMAT_DTYPES;

/** All dtypes of the format, by rising alignment. */
export const DTYPE_NAMES = Object.keys(FORMAT_DTYPES) as SafetensorsDtype[];

/** The dtypes that a Tensor can have. */
export const READABLE = DTYPE_NAMES.filter((name) => FORMAT_DTYPES[name]);

/** What a header says of one tensor. */
export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: Shape;
  /** The tensor's first byte, counted from the end of the header. */
  readonly begin: number;
  /** The byte after the tensor's last, counted from the end of the header. */
  readonly end: number;
}

/** A checked header. */
export interface SafetensorsHeader {
  /** The free texts under `__metadata__`, in the header's order; empty where there are none. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The tensors in the order of their bytes, which need not be the header's. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * The number of header bytes that follow the first eight.
 *
 * @param prefix at least the file's first eight bytes, or the whole of a shorter file
 * @param fileBytes the size of the whole file
 * @throws {@link FormatError} where the file is too short, or the header longer than the file or 100,000,000 bytes;
 *   where the first bytes are those of another format, with what that is
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, fileBytes: number): number {
  const first = toBytes('safetensorsHeaderBytes', prefix, OPENER);
  if (typeof fileBytes !== 'number' || !(fileBytes >= 0)) {
    throw new ValueError(`safetensorsHeaderBytes: expected fileBytes as a number >= 0, got ${describe(fileBytes)}`);
  }
  const isShort = first.length < PREFIX_BYTES;
  const length = isShort ? 0n : new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  const end = PREFIX_BYTES + Number(length);
  const mayBegin = first.length <= PREFIX_BYTES || first[PREFIX_BYTES] === 0x7b || isSpace(first[PREFIX_BYTES]!);
  if (isShort || end > fileBytes || length > MAX_SAFETENSORS_HEADER_BYTES || !mayBegin) {
    const other = otherFormat(first);
    if (other) throw malformed(`expected a safetensors file, got ${other}`);
  }
  if (isShort || fileBytes < PREFIX_BYTES) {
    throw malformed(`expected at least 8 bytes, got ${Math.min(first.length, fileBytes)}`);
  }
  if (length > MAX_SAFETENSORS_HEADER_BYTES) {
    const most = `a header of at most ${MAX_SAFETENSORS_HEADER_BYTES} bytes`;
    throw malformed(`expected ${most}, got ${length}; is it a safetensors file?`);
  }
  if (end > fileBytes) throw malformed(`header ends at byte ${end} of ${fileBytes}`);
  return Number(length);
}

/**
 * The checked content of a header: JSON in UTF-8 with no key twice, and tensors that fill the data exactly. Stricter
 * than the reference implementation, which takes a name twice (the last one counts), unknown fields, entries written
 * as arrays, `"__metadata__": null`, sizes beyond 2⁵³ − 1, and more than 64 axes.
 *
 * @param header the header's bytes alone, without the length before it
 * @param dataBytes how many bytes follow the header; undefined where a stream doesn't tell before its end
 * @throws {@link FormatError} at the first rule that is broken
 * @see https://github.com/huggingface/safetensors#format
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number | undefined): SafetensorsHeader {
  const parsing = parsingSafetensorsHeader(toBytes('parseSafetensorsHeader', header, OPENER), dataBytes);
  for (;;) {
    const { done, value } = parsing.next();
    if (done) return value;
  }
}

/** Entries of a header that are read at a stretch. */
const STRETCH = 2048;

/**
 * @internal As {@link parseSafetensorsHeader}, in stretches of {@link STRETCH} entries: a stranger's header may have
 * millions.
 */
export function* parsingSafetensorsHeader(
  header: Uint8Array,
  dataBytes: number | undefined,
): Generator<void, SafetensorsHeader, void> {
  const scanner = new HeaderScanner(decodeUtf8(header));
  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  let hasMetadata = false;
  let entries = 0;
  for (const name of scanner.members('a JSON object', 'a tensor name')) {
    if (name === METADATA) {
      if (hasMetadata) throw malformed(`${METADATA} appears twice`);
      hasMetadata = true;
      for (const key of scanner.members(`an object under ${METADATA}`, `a key of ${METADATA}`)) {
        if (metadata.has(key)) throw malformed(`${METADATA} has key ${describe(key)} twice`);
        metadata.set(key, scanner.string(`a string under key ${describe(key)} of ${METADATA}`));
        if (++entries % STRETCH === 0) yield;
      }
    } else {
      const { size } = tensors;
      tensors.set(name, readInfo(scanner, name));
      if (tensors.size === size) throw malformed(`tensor ${describe(name)} appears twice`);
      if (++entries % STRETCH === 0) yield;
    }
  }
  scanner.end();
  return { metadata, tensors: yield* layingOut(tensors, dataBytes) };
}

/** The fields of a tensor's entry. */
interface Fields {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly number[];
}

/**
 * A tensor's entry as nearly all writers have it: without white space, and with the fields in this order. One match
 * takes less time than reading it piece by piece.
 */
const USUAL =
  /\{"dtype":"\w+","shape":\[([1-9]\d{0,9},?\b){0,9}\],"data_offsets":\[(0|[1-9]\d{0,14}),(0|[1-9]\d{0,14})\]\}/y;

/** Reads one tensor's entry and checks all that can be said without the other tensors. */
function readInfo(scanner: HeaderScanner, name: string): TensorInfo {
  const usual = scanner.match(USUAL);
  const fields: Fields = usual ? JSON.parse(usual[0]) : readFields(scanner, `tensor ${describe(name)}`);
  const [begin, end] = fields.data_offsets as [number, number];
  return { dtype: checkDtype(name, fields.dtype), shape: Object.freeze(fields.shape), begin, end };
}

const FIELDS = ['dtype', 'shape', 'data_offsets'];

/** Reads a tensor's entry piece by piece. */
function readFields(scanner: HeaderScanner, tensor: string): Fields {
  const fields: Record<string, string | number[]> = {};
  for (const field of scanner.members(`an object for ${tensor}`, `a field of ${tensor}`)) {
    if (!FIELDS.includes(field)) {
      throw malformed(`${tensor}: expected the fields dtype, shape and data_offsets, got ${describe(field)}`);
    }
    if (field in fields) throw malformed(`${tensor} has ${field} twice`);
    fields[field] =
      field === 'dtype'
        ? scanner.string(`a string as dtype of ${tensor}`)
        : scanner.integers(`whole numbers as ${field} of ${tensor}`);
  }
  for (const field of FIELDS) {
    if (!(field in fields)) throw malformed(`${tensor} has no ${field}`);
  }
  const { length } = fields.data_offsets!;
  if (length !== 2) throw malformed(`${tensor}: expected 2 data_offsets, got ${length}`);
  return fields as unknown as Fields;
}

function checkDtype(name: string, dtype: string): SafetensorsDtype {
  if (DTYPE_NAMES.includes(dtype as SafetensorsDtype)) return dtype as SafetensorsDtype;
  throw malformed(`tensor ${describe(name)}: expected a dtype of ${DTYPE_NAMES.join(', ')}, got ${describe(dtype)}`);
}

/** Bytes that a shape and a dtype ask for. */
export function byteCount(name: string, dtype: SafetensorsDtype, shape: Shape): number {
  // Names tell the bits of an element: BF16, F6_E2M3. BOOL takes a byte.
  const bits = Number(/\d+/.exec(dtype)?.[0] ?? 8);
  let total = bits;
  for (const size of shape) {
    total *= size;
    // A product of two safe integers that isn't safe itself is never rounded to a safe one.
    if (total > Number.MAX_SAFE_INTEGER) {
      const got = `${dtype} ${cut(formatShape(shape))}`;
      throw malformed(`tensor ${describe(name)}: expected at most ${Number.MAX_SAFE_INTEGER} bits, got ${got}`);
    }
  }
  if (total % 8 !== 0) {
    throw malformed(`tensor ${describe(name)}: expected whole bytes, got ${total} bits of ${dtype}`);
  }
  return total / 8;
}

/** The tensors by offset, which must fill the data: from its begin, without holes, to its end. In stretches, too. */
function* layingOut(
  given: ReadonlyMap<string, TensorInfo>,
  dataBytes: number | undefined,
): Generator<void, ReadonlyMap<string, TensorInfo>, void> {
  const tensors = [...given].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  const ordered = new Map<string, TensorInfo>();
  let filled = 0;
  for (const [name, info] of tensors) {
    const { dtype, shape, begin, end } = info;
    if (begin !== filled) {
      const fault = begin > filled ? 'after a hole' : 'inside of another tensor';
      throw malformed(`tensor ${describe(name)} begins at byte ${begin}, ${fault}: expected byte ${filled}`);
    }
    const expected = byteCount(name, dtype, shape);
    if (end - begin !== expected) {
      const what = `${expected} bytes for ${dtype} ${cut(formatShape(shape))}`;
      throw malformed(`tensor ${describe(name)}: expected ${what}, got ${end - begin} (from ${begin} to ${end})`);
    }
    filled = end;
    ordered.set(name, info);
    if (ordered.size % STRETCH === 0) yield;
  }
  if (dataBytes !== undefined && filled !== dataBytes) {
    const fault = filled > dataBytes ? 'the end is missing: ' : '';
    throw malformed(`${fault}tensors end at byte ${filled} of ${dataBytes} behind the header`);
  }
  return ordered;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError('safetensors: expected a header in UTF-8, got bytes that are not', { cause });
  }
}
