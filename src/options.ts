/** How arguments are taken. Options: an object, of known names only, as Python refuses keyword arguments that a function hasn't. */

import { ValueError } from './errors.ts';

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
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ValueError(`${name}: expected options as an object { ${known.join(', ')} }, got ${describe(options)}`);
  }
  const unknown = Object.keys(options).filter((option) => !Object.hasOwn(defaults, option));
  if (unknown.length > 0) {
    const got = unknown.map((option) => JSON.stringify(option)).join(', ');
    throw new ValueError(`${name}: expected options of ${known.join(', ')}, got ${got}`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as never;
}

/** The most characters of a text, and items of a list, that a message quotes. */
const MOST_CHARACTERS = 60;
const MOST_ITEMS = 8;

/**
 * What came, in a few words for a message: short however large it is, and never an error of its own.
 *
 * @returns e.g. `"10"`, `[256, 256]`, `a Uint8Array of 12`, `a detached Uint8Array`, `a Tensor (uint8, [1, 3, 4, 4])`
 */
export function describe(what: unknown): string {
  if (typeof what === 'string') {
    return JSON.stringify(what.length > MOST_CHARACTERS ? `${what.slice(0, MOST_CHARACTERS)}…` : what);
  }
  if (typeof what === 'function') return `a function${what.name ? ` ${what.name}` : ''}`;
  if (typeof what !== 'object' || what === null) return String(what);
  try {
    if (Array.isArray(what)) return listed(what.length, what.slice(0, MOST_ITEMS).map(describeItem), '[]');
    if (ArrayBuffer.isView(what)) {
      const name = Object.prototype.toString.call(what).slice(8, -1);
      if (isDetached(what.buffer)) return `a detached ${name}`;
      return `${named(name)} of ${(what as { readonly length?: number }).length ?? what.byteLength}`;
    }
    const name = what.constructor?.name ?? 'Object';
    if (name === 'Object') {
      const keys = Object.keys(what);
      return listed(keys.length, keys.slice(0, MOST_ITEMS), '{}');
    }
    if (typeof (what as PromiseLike<unknown>).then === 'function') return `${named(name)} that was not awaited`;
    const { dtype, shape } = what as { readonly dtype?: unknown; readonly shape?: unknown };
    return `${named(name)}${typeof dtype === 'string' ? ` (${dtype}, ${describe(shape)})` : ''}`;
  } catch {
    return 'an object';
  }
}

function named(name: string): string {
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Items of a list one level deep. */
function describeItem(item: unknown): string {
  return Array.isArray(item) ? `an array of ${item.length}` : describe(item);
}

function listed(count: number, first: readonly string[], [open, close]: string): string {
  const items = [...first, ...(count > first.length ? [`… ${count} in all`] : [])].join(', ');
  return open === '{' && items ? `{ ${items} }` : `${open}${items}${close}`;
}

/** True where a buffer's memory was given away, by postMessage for example. Not every engine has `buffer.detached`. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
