/**
 * Reads pickles of protocols 2 to 5 as plain data. Nothing is called by a name from the file: a name becomes what a
 * closed list has under it, or stays a name. What is made by an unknown name is {@link Opaque}: harmless, and in the
 * way only of whoever needs it.
 */

import { FormatError } from '../errors.ts';
import { quote, textOf } from './quoted.ts';

/** A name that a pickle refers to, such as `torch._utils._rebuild_tensor_v2`. */
export class Global {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle makes by a name that isn't in the list. Its content isn't kept. */
export class Opaque {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A dict. What Python sets as its attributes is `state`: a state dict's `_metadata`. */
export class Dict extends Map<unknown, unknown> {
  state: unknown = null;
}

/** What names in a pickle stand for. */
export interface Names {
  /** What a call of the name gives; null where the name isn't in the list. */
  call(name: string, args: readonly unknown[]): unknown;
  /** What a persistent id stands for. @throws {@link FormatError} where there is no such thing */
  persistent(id: unknown): unknown;
}

/** Ends the reading where the bytes end before the pickle does. */
class Unfinished extends Error {}

/** The most digits of a number: a stranger's number of a million takes seconds. */
const MAX_LONG_BYTES = 256;

/**
 * The most that a pickle may make: values on the stack, values noted, and lists, tuples and dicts, of which a dict
 * counts as eight. A stranger's byte may be a dict, which takes hundreds; a state dict of 300 tensors makes 5,000.
 */
const MOST_VALUES = 2 ** 20;
const DICT_VALUES = 8;

const STOP = 0x2e;
const BINGET = 0x68;
const LONG_BINGET = 0x6a;

/** What is between MARK and the opcode that takes it up. */
const MARK = new Opaque('MARK');

/** What an opcode makes that makes no value. */
const NOTHING = new Opaque('NOTHING');

/** A pickle's value, and where it ends. */
export interface Unpickled {
  readonly value: unknown;
  readonly end: number;
}

/**
 * The value of a pickle that begins at a place of `bytes`; null where the bytes end before the pickle does.
 *
 * @param where the pickle's name, for messages
 * @throws {@link FormatError} with the byte at which it isn't a pickle
 */
export function unpickle(bytes: Uint8Array, begin: number, where: string, names: Names): Unpickled | null {
  try {
    return new Unpickler(bytes, begin, where, names).run();
  } catch (error) {
    if (error instanceof Unfinished) return null;
    throw error;
  }
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  readonly #names: Names;
  #at: number;
  #opcodeAt = 0;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  /** Lists, tuples and dicts so far. */
  #made = 0;

  constructor(bytes: Uint8Array, begin: number, where: string, names: Names) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = begin;
    this.#where = where;
    this.#names = names;
  }

  /** Each opcode takes at least one byte and pushes at most one value: so work is bounded by the bytes. */
  run(): Unpickled {
    for (;;) {
      this.#opcodeAt = this.#at;
      const opcode = this.#number(1);
      if (opcode === STOP) return { value: this.#pop(), end: this.#at };
      const value = this.#valueOf(opcode);
      if (value === NOTHING) this.#act(opcode);
      else this.#stack.push(value);
      if (opcode !== BINGET && opcode !== LONG_BINGET && typeof value === 'object') {
        this.#made += value instanceof Dict ? DICT_VALUES : 1;
      }
      if (Math.max(this.#made, this.#stack.length, this.#memo.size) > MOST_VALUES) {
        throw this.#error(`expected at most ${MOST_VALUES} values, lists and dicts, got more`);
      }
    }
  }

  /** What an opcode puts on the stack; NOTHING where it does something else. */
  #valueOf(opcode: number): unknown {
    switch (opcode) {
      case 0x28: // MARK
        return MARK;
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.#view.getInt32(this.#take(4), true);
      case 0x4b: // BININT1
        return this.#number(1);
      case 0x4d: // BININT2
        return this.#number(2);
      case 0x8a: // LONG1
        return this.#long(this.#number(1));
      case 0x8b: // LONG4
        return this.#long(this.#number(4));
      case 0x47: // BINFLOAT
        return this.#view.getFloat64(this.#take(8), false);
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING: Python 2's, ASCII where a state dict has it
        return this.#text(this.#number(1));
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING: Python 2's, ASCII where a state dict has it
        return this.#text(this.#number(4));
      case 0x8d: // BINUNICODE8
        return this.#text(this.#number(8));
      case 0x43: // SHORT_BINBYTES
        return this.#data(this.#number(1));
      case 0x42: // BINBYTES
        return this.#data(this.#number(4));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#data(this.#number(8));
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
      case 0x8f: // EMPTY_SET
        return [];
      case 0x7d: // EMPTY_DICT
        return new Dict();
      case 0x74: // TUPLE
      case 0x6c: // LIST
      case 0x91: // FROZENSET
        return this.#popMark();
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#pops(opcode - 0x84);
      case 0x64: // DICT
        return this.#filled(new Dict(), this.#popMark());
      case BINGET:
        return this.#recalled(this.#number(1));
      case LONG_BINGET:
        return this.#recalled(this.#number(4));
      case 0x63: // GLOBAL
        return new Global(`${this.#line()}.${this.#line()}`);
      case 0x93: // STACK_GLOBAL
        return this.#global(...(this.#pops(2) as [unknown, unknown]));
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        return this.#called(...(this.#pops(2) as [unknown, unknown]));
      case 0x92: // NEWOBJ_EX, whose named arguments no name in the list takes
        return this.#called(...(this.#pops(3).slice(0, 2) as [unknown, unknown]));
      case 0x51: // BINPERSID
        return this.#names.persistent(this.#pop());
    }
    return NOTHING;
  }

  /** What an opcode does that puts nothing on the stack. */
  #act(opcode: number): void {
    switch (opcode) {
      case 0x80: {
        // PROTO
        const protocol = this.#number(1);
        if (protocol > 5) throw this.#error(`expected protocol 2 to 5, got ${protocol}`);
        break;
      }
      case 0x95: // FRAME
        this.#take(8);
        break;
      case 0x30: // POP
        this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popMark();
        break;
      case 0x32: // DUP
        this.#stack.push(this.#top());
        break;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popMark());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#pops(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        break;
      case 0x71: // BINPUT
        this.#memo.set(this.#number(1), this.#top());
        break;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#number(4), this.#top());
        break;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case 0x62: // BUILD
        this.#build(this.#pop());
        break;
      default: {
        const code = opcode.toString(16).padStart(2, '0');
        throw this.#error(`expected an opcode of protocols 2 to 5, got 0x${code}`);
      }
    }
  }

  #global(module: unknown, name: unknown): Global {
    // Of texts alone: what lists of lists are as text takes forever.
    if (typeof module === 'string' && typeof name === 'string') return new Global(`${module}.${name}`);
    throw this.#error('expected a name as texts');
  }

  #called(callee: unknown, args: unknown): unknown {
    if (callee instanceof Opaque) return new Opaque(callee.name);
    if (!(callee instanceof Global)) throw this.#error('expected a name to call');
    if (!Array.isArray(args)) throw this.#error(`expected arguments of ${quote(callee.name)} as a tuple`);
    return this.#names.call(callee.name, args) ?? new Opaque(callee.name);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (list instanceof Opaque) return;
    if (!Array.isArray(list)) throw this.#error('expected a list to append to');
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const dict = this.#top();
    if (dict instanceof Opaque) return;
    if (!(dict instanceof Dict)) throw this.#error('expected a dict to set items of');
    this.#filled(dict, items);
  }

  #filled(dict: Dict, items: readonly unknown[]): Dict {
    if (items.length % 2 !== 0) throw this.#error('expected a value for each key');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
    return dict;
  }

  #build(state: unknown): void {
    const object = this.#top();
    if (object instanceof Dict) object.state = state;
  }

  #recalled(index: number): unknown {
    if (this.#memo.has(index)) return this.#memo.get(index);
    throw this.#error(`expected a value that was noted, got number ${index}`);
  }

  #top(): unknown {
    const top = this.#stack.at(-1);
    if (this.#stack.length === 0 || top === MARK) throw this.#error('expected a value on the stack');
    return top;
  }

  #pop(): unknown {
    const top = this.#top();
    this.#stack.length--;
    return top;
  }

  #pops(count: number): unknown[] {
    const values = this.#stack.splice(-count);
    if (values.length < count || values.includes(MARK)) throw this.#error('expected a value on the stack');
    return values;
  }

  #popMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#error('expected a mark on the stack');
    const values = this.#stack.slice(mark + 1);
    this.#stack.length = mark;
    return values;
  }

  /** Where so many bytes begin, which are taken. */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new Unfinished();
    this.#at = at + count;
    return at;
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. */
  #number(bytes: number): number {
    const at = this.#take(bytes);
    if (bytes === 1) return this.#bytes[at]!;
    if (bytes === 2) return this.#view.getUint16(at, true);
    if (bytes === 4) return this.#view.getUint32(at, true);
    return Number(this.#view.getBigUint64(at, true));
  }

  /** A number of any size, as two's complement; a BigInt where it isn't exact as a number. */
  #long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) {
      throw this.#error(`expected a number of at most ${MAX_LONG_BYTES} bytes, got ${length}`);
    }
    const at = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!);
    const signed = BigInt.asIntN(8 * length, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  #text(length: number): string {
    const at = this.#take(length);
    return textOf(this.#bytes.subarray(at, at + length));
  }

  #data(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  /** A text up to a line feed. */
  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    const at = this.#take(end < 0 ? Infinity : end + 1 - this.#at);
    return textOf(this.#bytes.subarray(at, end));
  }

  #error(problem: string): FormatError {
    return new FormatError(`pth: ${this.#where} at byte ${this.#opcodeAt}: ${problem}`);
  }
}
