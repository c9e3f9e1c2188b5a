/**
 * Reads and writes safetensors files: a JSON header, then the tensors' bytes, little-endian like every JavaScript
 * engine in use. The reader is strict: a file either keeps all of the format's rules or ends in a FormatError, and
 * nothing is allocated by what a header claims. Leaves out files in several shards; open-safetensors.ts reads over HTTP, by
 * the steps (length, header, tensor) that are exported here one by one.
 */

import { describe, FormatError, KeyError, ValueError } from '../errors.ts';
import { entriesInOrder, flag, withDefaults } from '../options.ts';
import { arrayOf, type Dtype, itemBytes } from '../tensor/dtype.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { otherFormat } from './other-format.ts';
import { cut } from './secrets.ts';
import { toBytes } from './to-bytes.ts';

/** The most bytes that a header may have; the reference implementation's limit. */
export const MAX_SAFETENSORS_HEADER_BYTES = 100_000_000;

/** The length field before the header. */
const PREFIX_BYTES = 8;

/** The format's dtypes by rising alignment, which is the writer's order backwards; `dtype` where a Tensor has it. */
const FORMAT_DTYPES = {
  BOOL: { bits: 8, dtype: 'bool' },
  F4: { bits: 4, dtype: undefined },
  F6_E2M3: { bits: 6, dtype: undefined },
  F6_E3M2: { bits: 6, dtype: undefined },
  U8: { bits: 8, dtype: 'uint8' },
  I8: { bits: 8, dtype: 'int8' },
  F8_E5M2: { bits: 8, dtype: undefined },
  F8_E4M3: { bits: 8, dtype: undefined },
  F8_E8M0: { bits: 8, dtype: undefined },
  F8_E4M3FNUZ: { bits: 8, dtype: undefined },
  F8_E5M2FNUZ: { bits: 8, dtype: undefined },
  I16: { bits: 16, dtype: 'int16' },
  U16: { bits: 16, dtype: undefined },
  F16: { bits: 16, dtype: 'float16' },
  BF16: { bits: 16, dtype: 'bfloat16' },
  I32: { bits: 32, dtype: 'int32' },
  U32: { bits: 32, dtype: undefined },
  F32: { bits: 32, dtype: 'float32' },
  C64: { bits: 64, dtype: undefined },
  F64: { bits: 64, dtype: 'float64' },
  I64: { bits: 64, dtype: 'int64' },
  U64: { bits: 64, dtype: undefined },
} as const satisfies Record<string, { bits: number; dtype: Dtype | undefined }>;

/** A dtype as the format spells it, e.g. `F32`. Some have no counterpart among layertap's. */
export type SafetensorsDtype = keyof typeof FORMAT_DTYPES;

const DTYPE_NAMES = Object.keys(FORMAT_DTYPES) as SafetensorsDtype[];
const READABLE = DTYPE_NAMES.filter((name) => FORMAT_DTYPES[name].dtype !== undefined);
const NAME_OF = new Map(READABLE.map((name) => [FORMAT_DTYPES[name].dtype as Dtype, name]));

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

/** An opened file: its checked header, and its tensors one by one. */
export interface SafetensorsFile extends SafetensorsHeader {
  /**
   * The tensor of that name: a view of the file's bytes where they are aligned for its dtype, as they are where the
   * writer padded the header and put wide dtypes first; else a copy, made on each call.
   *
   * @throws {@link KeyError} where the file has no such tensor
   * @throws {@link FormatError} where layertap has no such dtype (F4, F6, F8, U16, U32, U64, C64)
   */
  get(name: string): Tensor;
}

/**
 * The number of header bytes that follow the first eight.
 *
 * @param prefix at least the file's first eight bytes, or the whole of a shorter file
 * @param fileBytes the size of the whole file
 * @throws {@link FormatError} where the file is too short, or the header longer than the file or 100,000,000 bytes; where the first bytes
 *   are those of another format, with what that is
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, fileBytes: number): number {
  const first = toBytes('safetensorsHeaderBytes', prefix);
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
    throw malformed(`expected a header of at most ${MAX_SAFETENSORS_HEADER_BYTES} bytes, got ${length}`);
  }
  if (end > fileBytes) throw malformed(`header ends at byte ${end} of ${fileBytes}`);
  return Number(length);
}

/**
 * The checked content of a header: JSON in UTF-8 with no key twice, and tensors that fill the data exactly. Stricter
 * than the reference implementation, which takes a name twice (the last one counts), unknown fields, entries written
 * as arrays, `"__metadata__": null`, and sizes beyond 2⁵³ − 1.
 *
 * @param header the header's bytes alone, without the length before it
 * @param dataBytes how many bytes follow the header; undefined where a stream doesn't tell before its end
 * @throws {@link FormatError} at the first rule that is broken
 * @see https://github.com/huggingface/safetensors#format
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number | undefined): SafetensorsHeader {
  const parsing = parsingSafetensorsHeader(toBytes('parseSafetensorsHeader', header), dataBytes);
  for (;;) {
    const { done, value } = parsing.next();
    if (done) return value;
  }
}

/** Entries of a header that are read at a stretch. */
const STRETCH = 2048;

/** @internal As {@link parseSafetensorsHeader}, in stretches of some milliseconds: a stranger's header may have millions of entries. */
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
        if (metadata.has(key)) throw malformed(`${METADATA} has key ${quote(key)} twice`);
        metadata.set(
          key,
          scanner.string(() => `a string under key ${quote(key)} of ${METADATA}`),
        );
        if (++entries % STRETCH === 0) yield;
      }
    } else {
      const { size } = tensors;
      tensors.set(name, readInfo(scanner, name));
      if (tensors.size === size) throw malformed(`tensor ${quote(name)} appears twice`);
      if (++entries % STRETCH === 0) yield;
    }
  }
  scanner.end();
  return { metadata, tensors: yield* layingOut(tensors, dataBytes) };
}

/**
 * The tensor that a file's bytes stand for: a view of them where they are aligned for its dtype, else a copy.
 *
 * @param name for messages
 * @param info from the header; its offsets aren't looked at
 * @param bytes the tensor's bytes alone
 * @throws {@link FormatError} where layertap has no such dtype, or there are too few or too many bytes
 */
export function decodeSafetensorsTensor(name: string, info: TensorInfo, bytes: Uint8Array): Tensor {
  const dtype = checkReadable(name, info);
  const expected = byteCount(name, info.dtype, info.shape);
  const data = toBytes('decodeSafetensorsTensor', bytes);
  if (data.length !== expected) {
    throw malformed(`tensor ${quote(name)}: expected ${expected} bytes of data, got ${data.length}`);
  }
  const aligned = data.byteOffset % itemBytes(dtype) === 0 ? data : data.slice();
  const Elements = arrayOf(dtype);
  return new Tensor(new Elements(aligned.buffer, aligned.byteOffset, expected / itemBytes(dtype)), info.shape, dtype);
}

/** @internal layertap's dtype of a tensor. @throws {@link FormatError} where it has none */
export function checkReadable(name: string, info: TensorInfo): Dtype {
  const { dtype } = FORMAT_DTYPES[info.dtype];
  if (dtype !== undefined) return dtype;
  throw malformed(`tensor ${quote(name)}: expected a dtype of ${READABLE.join(', ')}, got ${info.dtype}`);
}

/**
 * A safetensors file, its header checked and its tensors not yet made. Tensors share the memory of `bytes`: it must
 * not be changed while they are in use.
 *
 * @param bytes the whole file
 * @throws {@link ValueError} where `bytes` isn't binary
 * @throws {@link FormatError} where the file breaks a rule of the format
 */
export function readSafetensors(bytes: Uint8Array | ArrayBuffer): SafetensorsFile {
  return readFile(toBytes('readSafetensors', bytes));
}

function readFile(file: Uint8Array): SafetensorsFile {
  const dataBegin = PREFIX_BYTES + safetensorsHeaderBytes(file, file.length);
  const data = file.subarray(dataBegin);
  const { metadata, tensors } = parseSafetensorsHeader(file.subarray(PREFIX_BYTES, dataBegin), data.length);
  return {
    metadata,
    tensors,
    get(name) {
      const info = tensors.get(name);
      if (!info) {
        throw new KeyError(`safetensors: expected a tensor of ${listNames(tensors.keys())}, got ${quote(name)}`);
      }
      return decodeSafetensorsTensor(name, info, data.subarray(info.begin, info.end));
    },
  };
}

/**
 * All tensors of a safetensors file, in the order of their bytes; views of the file where they are aligned, as with
 * {@link readSafetensors}.
 *
 * @param bytes the whole file
 * @throws {@link ValueError} where `bytes` isn't binary
 * @throws {@link FormatError} where the file breaks a rule of the format, or layertap lacks the dtype of a tensor
 */
export function loadSafetensors(bytes: Uint8Array | ArrayBuffer): Map<string, Tensor> {
  const file = readFile(toBytes('loadSafetensors', bytes));
  return new Map(Array.from(file.tensors.keys(), (name) => [name, file.get(name)]));
}

/**
 * The bytes of a safetensors file; the same tensors in any order give the same bytes, and those that the reference
 * implementation writes: by alignment and dtype from the widest down, then by name, after a header padded with spaces
 * to a multiple of eight bytes. Metadata is written in the order given.
 *
 * @param tensors names and tensors: a state dict, a Map, entries, or a plain object
 * @param metadata free texts for `__metadata__`, e.g. `{ format: 'pt' }`
 * @param options `sorted: false` for the order given, which readers list the tensors in; of mixed dtypes, some may then
 *   lie unaligned
 * @throws {@link ValueError} where a name is `__metadata__`, comes twice or isn't well-formed Unicode, a metadata
 *   value isn't a string, or the header is longer than 100,000,000 bytes; where the order counts and a plain object doesn't
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
  for (const [key, value] of texts) checkText(`metadata ${quote(key)}`, value);
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

const METADATA = '__metadata__';

/** Reads one tensor's entry and checks all that can be said without the other tensors. What messages need is made when one is written. */
function readInfo(scanner: HeaderScanner, name: string): TensorInfo {
  const tensor = () => `tensor ${quote(name)}`;
  let dtype: SafetensorsDtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const members = scanner.members(
    () => `an object for ${tensor()}`,
    () => `a field of ${tensor()}`,
  );
  const once = (field: string, before: unknown) => {
    if (before !== undefined) throw malformed(`${tensor()} has ${field} twice`);
  };
  for (const field of members) {
    if (field === 'dtype') {
      once(field, dtype);
      const text = scanner.string(() => `a string as dtype of ${tensor()}`);
      dtype = checkDtype(name, text);
    } else if (field === 'shape') {
      once(field, shape);
      shape = scanner.integers(() => `whole numbers as shape of ${tensor()}`);
    } else if (field === 'data_offsets') {
      once(field, offsets);
      offsets = scanner.integers(() => `whole numbers as data_offsets of ${tensor()}`);
    } else {
      throw malformed(`${tensor()}: expected the fields dtype, shape and data_offsets, got ${quote(field)}`);
    }
  }
  if (dtype === undefined) throw malformed(`${tensor()} has no dtype`);
  if (shape === undefined) throw malformed(`${tensor()} has no shape`);
  if (offsets === undefined) throw malformed(`${tensor()} has no data_offsets`);
  if (offsets.length !== 2) throw malformed(`${tensor()}: expected 2 data_offsets, got ${offsets.length}`);
  return { dtype, shape: Object.freeze(shape), begin: offsets[0]!, end: offsets[1]! };
}

function checkDtype(name: string, dtype: string): SafetensorsDtype {
  if (DTYPE_NAMES.includes(dtype as SafetensorsDtype)) return dtype as SafetensorsDtype;
  throw malformed(`tensor ${quote(name)}: expected a dtype of ${DTYPE_NAMES.join(', ')}, got ${quote(dtype)}`);
}

/** Bytes that a shape and a dtype ask for. */
function byteCount(name: string, dtype: SafetensorsDtype, shape: Shape): number {
  const { bits } = FORMAT_DTYPES[dtype];
  let total = bits;
  for (const size of shape) {
    total *= size;
    // A product of two safe integers that isn't safe itself is never rounded to a safe one.
    if (total > Number.MAX_SAFE_INTEGER) {
      const got = `${dtype} ${cut(formatShape(shape))}`;
      throw malformed(`tensor ${quote(name)}: expected at most ${Number.MAX_SAFE_INTEGER} bits, got ${got}`);
    }
  }
  if (total % 8 !== 0) {
    throw malformed(`tensor ${quote(name)}: expected whole bytes, got ${total} bits of ${dtype}`);
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
    const tensor = () => `tensor ${quote(name)}`;
    if (begin !== filled) {
      const fault = begin > filled ? 'after a hole' : 'inside of another tensor';
      throw malformed(`${tensor()} begins at byte ${begin}, ${fault}: expected byte ${filled}`);
    }
    if (end < begin) throw malformed(`${tensor()} ends at byte ${end}, before its begin at byte ${begin}`);
    if (dataBytes !== undefined && end > dataBytes) throw malformed(`${tensor()} ends at byte ${end} of ${dataBytes}`);
    const expected = byteCount(name, dtype, shape);
    if (end - begin !== expected) {
      const got = `${end - begin} (from ${begin} to ${end})`;
      throw malformed(`${tensor()}: expected ${expected} bytes for ${dtype} ${cut(formatShape(shape))}, got ${got}`);
    }
    filled = end;
    ordered.set(name, info);
    if (ordered.size % STRETCH === 0) yield;
  }
  if (dataBytes !== undefined && filled !== dataBytes) throw malformed(`tensors end at byte ${filled} of ${dataBytes}`);
  return ordered;
}

/** What a message says was expected; a function where making the text takes time. */
type Expected = string | (() => string);

function textOf(expected: Expected): string {
  return typeof expected === 'string' ? expected : expected();
}

/**
 * Reads the header's JSON, whose form is known beforehand: it never nests values that it doesn't expect, so nothing
 * recurses, and it sees each key, where `JSON.parse` would keep the last of two.
 */
class HeaderScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The keys of an object, each while the scanner stands before its value, which is to be read before the next. */
  *members(expected: Expected, expectedKey: Expected): Generator<string, void, void> {
    this.#take('{', expected);
    if (this.#takes('}')) return;
    do {
      const key = this.string(expectedKey);
      this.#take(':', '":"');
      yield key;
    } while (this.#takes(','));
    this.#take('}', '"," or "}"');
  }

  /** An array of whole numbers from 0 to 2⁵³ − 1. */
  integers(expected: Expected): number[] {
    const numbers: number[] = [];
    this.#take('[', expected);
    if (this.#takes(']')) return numbers;
    do numbers.push(this.#integer(expected));
    while (this.#takes(','));
    this.#take(']', '"," or "]"');
    return numbers;
  }

  /** A string, its escapes resolved. */
  string(expected: Expected): string {
    const text = this.#text;
    this.#take('"', expected);
    const begin = this.#at;
    let escapes = false;
    for (;;) {
      const unit = text.charCodeAt(this.#at);
      if (unit === 0x22) break;
      if (Number.isNaN(unit) || unit < 0x20) throw this.#unexpected('the rest of a string');
      if (unit === 0x5c) {
        escapes = true;
        this.#at++;
      }
      this.#at++;
    }
    const end = this.#at++;
    if (!escapes) return text.slice(begin, end);
    const literal = text.slice(begin - 1, end + 1);
    try {
      const value: string = JSON.parse(literal);
      if (!hasLoneSurrogate(value)) return value;
    } catch {}
    throw malformed(
      `expected a string with valid escapes at character ${begin - 1} of the header, got ${cut(literal)}`,
    );
  }

  /** Nothing but white space to the end. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected('the end');
  }

  #integer(expected: Expected): number {
    this.#skipSpace();
    const begin = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    const digits = this.#text.slice(begin, this.#at);
    if (digits === '' || '.eE'.includes(this.#text[this.#at] ?? ' ')) throw this.#unexpected(expected);
    if (digits.length > 1 && digits[0] === '0') {
      this.#at = begin;
      throw this.#unexpected(() => `${textOf(expected)} without leading zeros`);
    }
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) {
      throw malformed(`expected ${textOf(expected)} up to ${Number.MAX_SAFE_INTEGER}, got ${cut(digits)}`);
    }
    return value;
  }

  #take(char: string, expected: Expected): void {
    if (!this.#takes(char)) throw this.#unexpected(expected);
  }

  #takes(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #unexpected(expected: Expected): FormatError {
    const at = Math.min(this.#at, this.#text.length);
    const code = this.#text.codePointAt(at);
    const got = code === undefined ? 'its end' : JSON.stringify(String.fromCodePoint(code));
    return malformed(`expected ${textOf(expected)} at character ${at} of the header, got ${got}`);
  }
}

/** JSON's white space: space, tab, line feed, carriage return. */
function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError('safetensors: expected a header in UTF-8, got bytes that are not', { cause });
  }
}

function checkUnique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    checkText(what, name);
    if (seen.has(name)) throw new ValueError(`saveSafetensors: expected each ${what} once, got ${quote(name)} twice`);
    seen.add(name);
  }
}

/** By what it has, since a page may hold two copies of this library. */
function checkTensor(name: string, tensor: unknown): void {
  const { dtype, shape, data } = Object(tensor) as Partial<Tensor>;
  if (!NAME_OF.has(dtype as Dtype) || !Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new ValueError(`saveSafetensors: expected a Tensor as ${quote(name)}, got ${describe(tensor)}`);
  }
  if (data.length !== numel(shape)) {
    const got = `${data.length}; it was detached, by postMessage for example`;
    throw new ValueError(`saveSafetensors: expected ${numel(shape)} elements of ${quote(name)}, got ${got}`);
  }
}

function checkText(what: string, text: unknown): void {
  if (typeof text !== 'string') {
    throw new ValueError(`saveSafetensors: expected a string as ${what}, got ${describe(text)}`);
  }
  if (hasLoneSurrogate(text)) {
    throw new ValueError(`saveSafetensors: expected well-formed Unicode as ${what}, got ${quote(text)}`);
  }
}

function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
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

function malformed(message: string): FormatError {
  return new FormatError(`safetensors: ${message}`);
}

/** @internal A name for messages, in quotes; a hostile file may have names of megabytes. */
export function quote(name: string): string {
  return JSON.stringify(cut(name));
}

/** @internal The first few names, for messages. */
export function listNames(names: Iterable<string>): string {
  const listed: string[] = [];
  for (const name of names) {
    if (listed.length === 8) return `${listed.join(', ')}, …`;
    listed.push(typeof name === 'string' ? quote(name) : describe(name));
  }
  return listed.join(', ') || 'none';
}

/** @param inOrder whether the order counts, which a plain object may not tell */
function entriesOf<Item>(
  what: string,
  items: Iterable<readonly [string, Item]> | Readonly<Record<string, Item>>,
  inOrder: boolean,
): readonly (readonly [string, Item])[] {
  if (typeof items !== 'object' || items === null || ArrayBuffer.isView(items)) {
    throw new ValueError(`saveSafetensors: expected ${what} as a Map, entries or an object, got ${describe(items)}`);
  }
  const entries =
    inOrder || Symbol.iterator in items ? entriesInOrder('saveSafetensors', items) : Object.entries<Item>(items);
  const other = entries.find((entry) => !Array.isArray(entry) || entry.length !== 2);
  if (other === undefined) return entries;
  throw new ValueError(`saveSafetensors: expected ${what} as pairs of name and value, got ${describe(other)}`);
}
