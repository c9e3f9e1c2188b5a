/**
 * Reads pickles of protocols 2 to 5 as plain data. Nothing is called by a name from the file: a name becomes what a
 * closed list has under it, or stays a name. What is made by an unknown name is {@link Opaque}: harmless, and in the
 * way only of whoever needs it.
 */

import { littleEndian } from './little-endian.ts';
import { check } from './pth-fault.ts';
import { textOf } from './utf8.ts';

/** A name that a pickle refers to, such as `torch._utils._rebuild_tensor_v2`. */
export class Global {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle makes by a name that isn't in the list. Its content isn't kept. */
export class Opaque extends Global {}

/** What names in a pickle stand for. */
export interface Names {
  /** What a call of the name gives; null where the name isn't in the list. */
  call(name: string, args: readonly unknown[]): unknown;
  /** What a persistent id stands for. @throws {@link FormatError} where there is no such thing */
  persistent(id: unknown): unknown;
}

/**
 * The most values that a pickle may put on the stack or note, of which a dict counts as eight. A stranger's byte may be
 * a dict, which takes hundreds; a state dict of 300 tensors makes 15,000.
 */
const MOST_VALUES = 2 ** 21;
const DICT_VALUES = 8;

const STOP = 0x2e;

/** Bytes of the number that follows each of these opcodes: a value, an index, or how many bytes come behind it. */
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  ...{ 67: 1, 75: 1, 85: 1, 104: 1, 113: 1, 128: 1, 138: 1, 140: 1 },
  77: 2,
  ...{ 66: 4, 74: 4, 84: 4, 88: 4, 106: 4, 114: 4, 139: 4 },
  ...{ 71: 8, 141: 8, 142: 8, 149: 8, 150: 8 },
};

/** What MARK, the opcode `(`, leaves for the opcode that takes up what comes behind it. */
const MARK = new Opaque('(');

/** A pickle's value, and where it ends. */
export interface Unpickled {
  readonly value: unknown;
  readonly end: number;
}

/**
 * The value of a pickle that begins at a place of `bytes`; null where the bytes end before the pickle does. Dicts are
 * Maps, without what Python sets as their attributes.
 *
 * @param where the pickle's name, for messages
 * @throws {@link FormatError} with the byte at which it isn't a pickle
 */
export function unpickle(bytes: Uint8Array, begin: number, where: string, names: Names): Unpickled | null {
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  /** Values that were put on the stack so far. */
  let made = 0;
  let opcode = 0;
  let opcodeAt = 0;
  /** The end of what is read; beyond the bytes where they end before the pickle does. */
  let end = begin;

  // Each opcode takes at least one byte and pushes at most one value: so work is bounded by the bytes.
  for (;;) {
    opcodeAt = end;
    opcode = bytes[end++]!;
    const operand = unsigned(NUMBER_BYTES[opcode] ?? 0);
    if (end > bytes.length) return null;
    if (opcode === STOP) return { value: pop(), end };
    const value = done(operand);
    if (value !== undefined) {
      stack.push(value);
      made += value instanceof Map ? DICT_VALUES : 1;
    }
    if (made + memo.size > MOST_VALUES) check(false, `at most ${MOST_VALUES} values in ${where}`, 'more');
  }

  /** Does what the opcode says; what it puts on the stack, if it puts anything there. */
  function done(operand: number): unknown {
    switch (opcode) {
      case 0x28: // MARK
        return MARK;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        return opcode === 0x88;
      case 0x4e: // NONE
      case 0x47: // BINFLOAT, on which no tensor depends
        return null;
      case 0x4a: // BININT, which has a sign
      case 0x4b: // BININT1
      case 0x4d: // BININT2
        return operand | 0;
      case 0x8a: // LONG1: what takes more than 32 bits; its last byte has the sign
      case 0x8b: // LONG4
        return unsigned(operand) - (bytes[end - 1]! >> 7) * 256 ** operand;
      case 0x8c: // SHORT_BINUNICODE
      case 0x58: // BINUNICODE
      case 0x8d: // BINUNICODE8
      case 0x55: // SHORT_BINSTRING: Python 2's, ASCII where a state dict has it
      case 0x54: // BINSTRING
        return text(operand);
      case 0x43: // SHORT_BINBYTES: bytes, on which no tensor depends
      case 0x42: // BINBYTES
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        end += operand;
        return null;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
      case 0x8f: // EMPTY_SET
        return [];
      case 0x7d: // EMPTY_DICT
        return new Map();
      case 0x74: // TUPLE
      case 0x91: // FROZENSET
        return popMark();
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return pops(opcode - 0x84);
      case 0x68: // BINGET
      case 0x6a: // LONG_BINGET
        demand(memo.has(operand));
        return memo.get(operand);
      case 0x63: // GLOBAL
        return new Global(`${line()}.${line()}`);
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = pops(2);
        // Of texts alone: what lists of lists are as text takes forever.
        demand(typeof module === 'string' && typeof name === 'string');
        return new Global(`${module}.${name}`);
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        return called(pops(2));
      case 0x92: // NEWOBJ_EX, whose named arguments no name in the list takes
        return called(pops(3));
      case 0x51: // BINPERSID
        return names.persistent(pop());

      case 0x80: // PROTO
        return demand(operand <= 5);
      case 0x95: // FRAME
        return;
      case 0x30: // POP
      case 0x62: // BUILD: what sets an object's attributes
        pop();
        return;
      case 0x31: // POP_MARK
        popMark();
        return;
      case 0x61: // APPEND
        return append(pops(1));
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        return append(popMark());
      case 0x73: // SETITEM
        return setItems(pops(2));
      case 0x75: // SETITEMS
        return setItems(popMark());
      case 0x71: // BINPUT
      case 0x72: // LONG_BINPUT
        memo.set(operand, top());
        return;
      case 0x94: // MEMOIZE
        memo.set(memo.size, top());
        return;
    }
    demand(false);
  }

  /** @throws {@link FormatError} where the opcode isn't known, or doesn't find what it takes */
  function demand(condition: unknown): asserts condition {
    if (condition) return;
    const expected = `opcodes of protocols 2 to 5 with what they take in ${where} at byte ${opcodeAt}`;
    check(false, expected, `0x${opcode.toString(16)}`);
  }

  function called([callee, args]: readonly unknown[]): unknown {
    if (callee instanceof Opaque) return callee;
    demand(callee instanceof Global && Array.isArray(args));
    return names.call(callee.name, args) ?? new Opaque(callee.name);
  }

  function append(items: readonly unknown[]): void {
    const list = top();
    if (list instanceof Opaque) return;
    demand(Array.isArray(list));
    for (const item of items) list.push(item);
  }

  function setItems(items: readonly unknown[]): void {
    const dict = top();
    if (dict instanceof Opaque) return;
    demand(dict instanceof Map && items.length % 2 === 0);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  function top(): unknown {
    const value = stack.at(-1);
    demand(value !== undefined && value !== MARK);
    return value;
  }

  function pop(): unknown {
    return pops(1)[0];
  }

  function pops(count: number): unknown[] {
    const values = stack.splice(-count);
    demand(values.length === count && !values.includes(MARK));
    return values;
  }

  function popMark(): unknown[] {
    const mark = stack.lastIndexOf(MARK);
    demand(mark >= 0);
    const values = stack.splice(mark + 1);
    stack.pop();
    return values;
  }

  /** A number of so many bytes. Not looked for beyond the bytes, where a stranger's may have gigabytes. */
  function unsigned(count: number): number {
    end += count;
    return end > bytes.length ? NaN : littleEndian(bytes, end - count, count);
  }

  function text(length: number): string {
    end += length;
    return textOf(bytes.subarray(end - length, end));
  }

  /** A text up to a line feed. Where there is none, `>>> 0` makes −1 a place beyond all bytes. */
  function line(): string {
    const before = text((bytes.indexOf(10, end) >>> 0) - end);
    end++;
    return before;
  }
}
