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
  call(name: string, args: readonly unknown[], demand: Demand): unknown;
  /** What a persistent id stands for. */
  persistent(id: unknown, demand: Demand): unknown;
}

/**
 * @param expected what comes where the condition holds; `got` came
 * @throws {@link FormatError} where it doesn't, with the pickle's name and the byte
 */
export type Demand = (condition: unknown, expected?: string, got?: unknown) => asserts condition;

/**
 * The most opcodes of a pickle, values that it notes, and arguments and items of their lists that it calls something
 * with. A list, a dict, each key in it, a storage and a name count as eight at least, since a stranger needs a byte or
 * a few for one, and it takes hundreds. A state dict of 300 tensors makes some tens of thousands.
 */
const MOST_VALUES = 2 ** 21;
const LARGE_VALUES = 8;

/** Each part of a name is shorter, and so is a storage's key: all of it is looked at wherever it is used. */
export const NAME_LENGTH = 255;

const STOP = 0x2e;

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
  const memo: unknown[] = [];
  /** What counts towards {@link MOST_VALUES} so far, beside values that are noted. */
  let made = 0;
  let opcodeAt = 0;
  /** The end of what is read; beyond the bytes where they end before the pickle does. */
  let end = begin;

  /**
   * What opcodes put on the stack, if they put anything there. Opcodes are characters, each with the bytes of the
   * number behind it, if there is one: a value, an index, or how many bytes come behind that. A switch would be one
   * large function, which engines compile once it has run often: that takes longer than to read a pickle.
   */
  const acts: Readonly<Record<string, (operand: number) => unknown>> = {
    // BINPUT, LONG_BINPUT
    'q\x01r\x04'(index) {
      memo[index] = top();
    },
    // BINGET, LONG_BINGET
    'h\x01j\x04'(index) {
      demand(index in memo);
      return memo[index];
    },
    // BININT, which has a sign, BININT1, BININT2
    'J\x04K\x01M\x02': (number) => number | 0,
    // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
    // SHORT_BINSTRING, BINSTRING: Python 2's, ASCII where a state dict has it
    'X\x04\x8c\x01\x8d\x08U\x01T\x04': text,
    // MARK
    '(': () => MARK,
    // TUPLE, FROZENSET
    't\x91': popMark,
    // TUPLE1, TUPLE2, TUPLE3
    '\x85\x86\x87': () => pops(bytes[opcodeAt]! - 0x84),
    // REDUCE, NEWOBJ
    'R\x81': () => called(pops(2)),
    // NEWOBJ_EX, whose named arguments no name in the list takes
    '\x92': () => called(pops(3)),
    // BINPERSID
    Q() {
      count(LARGE_VALUES);
      return names.persistent(pop(), demand);
    },
    // EMPTY_TUPLE, EMPTY_LIST, EMPTY_SET
    ')]\x8f': () => [],
    // EMPTY_DICT
    '}': () => new Map(),
    // NEWTRUE, NEWFALSE
    '\x88\x89': () => bytes[opcodeAt] === 0x88,
    // NONE; BINFLOAT, on which no tensor depends
    'NG\x08': () => null,
    // LONG1, LONG4: what takes more than 32 bits; its last byte has the sign
    '\x8a\x01\x8b\x04': (count) => unsigned(count) - (bytes[end - 1]! >> 7) * 256 ** count,
    // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8: bytes, on which no tensor depends
    'C\x01B\x04\x8e\x08\x96\x08'(length) {
      end += length;
      return null;
    },
    // GLOBAL
    c: () => named([line(), line()]),
    // STACK_GLOBAL
    '\x93': () => named(pops(2)),
    // PROTO
    '\x80\x01': (protocol) => demand(protocol <= 5),
    // FRAME
    '\x95\x08'() {},
    // POP; BUILD: what sets an object's attributes
    '0b': () => void pop(),
    // POP_MARK
    '1': () => void popMark(),
    // APPEND
    a: () => append(pops(1)),
    // APPENDS, ADDITEMS
    'e\x90': () => append(popMark()),
    // SETITEM
    s: () => setItems(pops(2)),
    // SETITEMS
    u: () => setItems(popMark()),
    // MEMOIZE
    '\x94': () => void memo.push(top()),
    // STOP
    '.': pop,
  };
  const table: ((operand: number) => unknown)[] = [];
  let opcode = 0;
  for (const [opcodes, act] of Object.entries(acts)) {
    for (const one of opcodes) {
      const code = one.charCodeAt(0);
      if (code > 8) opcode = code;
      table[opcode] = code > 8 ? act : () => act(unsigned(code));
    }
  }

  return run();

  // A function of its own, which engines compile without what is above. Each opcode takes at least one byte and pushes
  // at most one value: so work is bounded by the bytes.
  function run(): Unpickled | null {
    for (;;) {
      opcodeAt = end++;
      const value = (table[bytes[opcodeAt]!] ?? demand)(0);
      if (!(end <= bytes.length)) return null;
      if (bytes[opcodeAt] === STOP) return { value, end };
      if (value !== undefined) stack.push(value);
      count(value instanceof Object ? LARGE_VALUES * ((value as Map<unknown, unknown>).size + 1 || 1) : 1);
    }
  }

  function count(values: number): void {
    made += values;
    if (made + memo.length > MOST_VALUES) check(false, `at most ${MOST_VALUES} values in ${where}`, 'more');
  }

  /** By itself it throws where the opcode isn't known, or doesn't find what it takes. */
  function demand(condition: unknown, expected = 'a pickle', got?: unknown): asserts condition {
    // What is asked of a number that isn't there is no fault.
    if (condition || !(end <= bytes.length)) return;
    check(false, `${expected} in ${where} at byte ${opcodeAt}`, got ?? `0x${bytes[opcodeAt]!.toString(16)}`);
  }

  /** A name of texts alone: what lists of lists are as text takes forever. */
  function named(parts: readonly unknown[]): Global {
    demand(parts.every((part) => typeof part === 'string' && part.length < NAME_LENGTH));
    count(LARGE_VALUES);
    return new Global(parts.join('.'));
  }

  function called([callee, args]: readonly unknown[]): unknown {
    if (callee instanceof Opaque) return callee;
    demand(callee instanceof Global && Array.isArray(args));
    for (const arg of args) count(Array.isArray(arg) ? arg.length : 1);
    return names.call(callee.name, args, demand) ?? new Opaque(callee.name);
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
    // With the two that came, and before they are looked at: eight for each key.
    count(3 * items.length);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      // A number becomes an object, since engines need long to tell numbers apart that a stranger has chosen.
      dict.set(typeof key === 'number' ? Object(key) : key, items[i + 1]);
    }
  }

  function top(): unknown {
    const value = stack.at(-1);
    demand(value !== undefined && value !== MARK);
    return value;
  }

  function pop(): unknown {
    const value = top();
    stack.pop();
    return value;
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
    return end > bytes.length ? NaN : count === 1 ? bytes[end - 1]! : littleEndian(bytes, end - count, count);
  }

  function text(length: number): string {
    end += length;
    // What goes on after the bytes may be long, and is read again with more of them.
    return end > bytes.length ? '' : textOf(bytes.subarray(end - length, end));
  }

  /** A text up to a line feed. Where there is none, `>>> 0` makes −1 a place beyond all bytes. */
  function line(): string {
    const before = text((bytes.indexOf(10, end) >>> 0) - end);
    end++;
    return before;
  }
}
