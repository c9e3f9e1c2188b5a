/**
 * How arguments are taken: each is checked where it enters, once, so that nothing of a wrong type reaches the inside.
 */

import { describe, kindOf, ValueError } from './errors.ts';

/**
 * The options with the defaults in the place of those that aren't given, or given as undefined.
 *
 * @param name what was called, for the message
 * @param defaults one for each option: these are the names that are known
 * @throws {@link ValueError} naming the options that aren't known, and those that are
 */
export function withDefaults<O extends object, D extends Readonly<Record<keyof O, unknown>>>(
  name: string,
  options: O,
  defaults: D,
): { [K in keyof O]-?: Exclude<O[K], undefined> | D[K] } {
  const known = Object.keys(defaults);
  // A promise, a Map or a signal has none of these names: what it was meant for would be left out without a word.
  if (kindOf(options) !== 'Object') {
    throw new ValueError(`${name}: expected options as an object { ${known.join(', ')} }, got ${describe(options)}`);
  }
  const filled: Record<string, unknown> = { ...defaults };
  const unknown: string[] = [];
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(defaults, option)) unknown.push(describe(option));
    else if (value !== undefined) filled[option] = value;
  }
  if (unknown.length === 0) return filled as never;
  throw new ValueError(`${name}: expected options of ${known.join(', ')}, got ${unknown.join(', ')}`);
}

/** The largest whole number that a kernel takes. */
export const MAX_WHOLE = 2 ** 31 - 1;

/** The number. @throws {@link ValueError} where it isn't a whole one from `least` to {@link MAX_WHOLE} */
export function whole(name: string, value: unknown, least = 1): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= MAX_WHOLE) return value as number;
  throw new ValueError(`${name}: expected a whole number from ${least} to ${MAX_WHOLE}, got ${describe(value)}`);
}

/** The number. @throws {@link ValueError} where it isn't a finite one from `least` on */
export function finite(name: string, value: unknown, least = -Infinity): number {
  if (Number.isFinite(value) && (value as number) >= least) return value as number;
  const expected = least === -Infinity ? 'a finite number' : `a finite number >= ${least}`;
  throw new ValueError(`${name}: expected ${expected}, got ${describe(value)}`);
}

/** The flag. @throws {@link ValueError} where it is neither true nor false */
export function flag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new ValueError(`${name}: expected true or false, got ${describe(value)}`);
}

/** The function. @throws {@link ValueError} where it is something else, or a class, which can't be called */
export function callable<F>(name: string, value: F): F {
  const isClass = typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
  if (typeof value === 'function' && !isClass) return value;
  const got = isClass ? `the class ${(value as { readonly name: string }).name}`.trimEnd() : describe(value);
  throw new ValueError(`${name}: expected a function, got ${got}`);
}

/**
 * True for `'0'`, `'1'`, … up to 2³² − 2: the names that JavaScript puts first among an object's, whatever their order
 * was.
 */
export function isIndex(name: unknown): boolean {
  // Asked at each assignment: the first character tells it for most.
  return typeof name === 'string' && name.charCodeAt(0) < 0x3a && String(Number(name) >>> 0) === name;
}

/**
 * Whether it has names and items: an iterable but bytes and numbers, or a plain object. A promise, a signal or a date
 * seems to be an object without any.
 */
export function hasEntries(items: unknown): items is object {
  if (Object(items) !== items || ArrayBuffer.isView(items)) return false;
  // A plain object's prototype, in any realm, has none itself.
  const prototype = Object.getPrototypeOf(items) ?? Object.prototype;
  return Symbol.iterator in (items as object) || Object.getPrototypeOf(prototype) === null;
}

/** Whether it can be a name and its item. */
export function isPair(entry: unknown): boolean {
  return Array.isArray(entry) && entry.length === 2;
}

/** The names and items of what has some, in pairs; null for all else. */
export function pairsOf(items: unknown): [name: unknown, item: unknown][] | null {
  if (!hasEntries(items)) return null;
  const entries: unknown[] = Symbol.iterator in items ? [...(items as Iterable<unknown>)] : Object.entries(items);
  return entries.every(isPair) ? (entries as [unknown, unknown][]) : null;
}

/**
 * The entries of a Map, an iterable or a plain object, in the order in which they were given.
 *
 * @param name what was called, for the message
 * @throws {@link ValueError} for a plain object that doesn't tell the order, because names of it are whole numbers
 */
export function entriesInOrder<Item>(
  name: string,
  items: Iterable<readonly [string, Item]> | Readonly<Record<string, Item>>,
): readonly (readonly [string, Item])[] {
  if (Symbol.iterator in items) return [...(items as Iterable<readonly [string, Item]>)];
  const entries = Object.entries<Item>(items);
  const index = entries.find(([key]) => isIndex(key));
  if (index && entries.length > 1) {
    throw new ValueError(
      `${name}: expected a Map or entries, since objects keep no order of names like ${describe(index[0])}`,
    );
  }
  return entries;
}
