/**
 * Every error that layertap throws on purpose. Each class has a stable `code`; messages read
 * `<public name>: <expected>, got <what came>[; <way out>]`. Broken invariants of the project itself
 * are not here: they fail an {@link assert}.
 */

/** The base class of all of layertap's errors, so that `catch` can tell them from anybody else's. */
export class LayertapError extends Error {
  /** A stable identifier, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A shape, rank or size that an operation can't take. */
export class ShapeError extends LayertapError {
  constructor(message: string) {
    super('ERR_SHAPE', message);
  }
}

/** A tensor whose dtype an operation can't take. */
export class DtypeError extends LayertapError {
  constructor(message: string) {
    super('ERR_DTYPE', message);
  }
}

/** An argument or option outside of what is allowed. */
export class ValueError extends LayertapError {
  constructor(message: string) {
    super('ERR_VALUE', message);
  }
}

/** A name that isn't there. */
export class KeyError extends LayertapError {
  constructor(message: string) {
    super('ERR_KEY', message);
  }
}

/** A state dict that doesn't fit a module. The message lists all problems at once, as PyTorch's does. */
export class StateDictError extends LayertapError {
  constructor(message: string) {
    super('ERR_STATE_DICT', message);
  }
}

/** A file that is malformed, truncated, or of a kind that isn't supported. */
export class FormatError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FORMAT', message, options);
  }
}

/** Memory that a plan needs and a host can't give. */
export class MemoryError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_MEMORY', message, options);
  }
}

/** A capability that the host lacks, or that a class leaves to its subclasses. */
export class UnsupportedError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_UNSUPPORTED', message, options);
  }
}

/** A server that can't be reached, refuses, or doesn't keep to HTTP. */
export class NetworkError extends LayertapError {
  /** The HTTP status that was answered, if it is what was wrong. */
  readonly status: number | undefined;

  constructor(message: string, { status, ...options }: ErrorOptions & { readonly status?: number } = {}) {
    super('ERR_NETWORK', message, options);
    this.status = status;
  }
}

/** A file that isn't the one any more that was opened. Opening it again gives the new one. */
export class FileChangedError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FILE_CHANGED', message, options);
  }
}

/** A thread that died, or threads that can't take a call now. */
export class ThreadError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_THREAD', message, options);
  }
}

/** The most characters of a text, and items of a list, that a message quotes. */
const MOST_CHARACTERS = 100;
const MOST_ITEMS = 8;

/**
 * What came, in a few words for a message: short however large it is, and never an error of its own.
 *
 * @returns e.g. `"10"`, `[256, 256]`, `a Uint8Array of 12`, `a detached Uint8Array`, `a Tensor (uint8, [1, 3, 4, 4])`
 */
export function describe(what: unknown): string {
  if (typeof what === 'string') return JSON.stringify(cut(what));
  if (typeof what === 'function') return `a function${what.name ? ` ${what.name}` : ''}`;
  if (typeof what !== 'object' || what === null) return cut(String(what));
  try {
    if (Array.isArray(what)) return enclosed(what.length, what.slice(0, MOST_ITEMS).map(describeItem), '[]');
    if (ArrayBuffer.isView(what)) {
      const name = kindOf(what);
      if (isDetached(what.buffer)) return `a detached ${name}`;
      return `${named(name)} of ${(what as { readonly length?: number }).length ?? what.byteLength}`;
    }
    const name = what.constructor?.name ?? 'Object';
    if (name === 'Object') {
      const keys = Object.keys(what);
      return enclosed(keys.length, keys.slice(0, MOST_ITEMS), '{}');
    }
    if (typeof (what as PromiseLike<unknown>).then === 'function') return `${named(name)} that was not awaited`;
    const { dtype, shape } = what as { readonly dtype?: unknown; readonly shape?: unknown };
    return `${named(name)}${typeof dtype === 'string' ? ` (${dtype}, ${describe(shape)})` : ''}`;
  } catch {
    return 'an object';
  }
}

/** What an object says that it is, in any realm. */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function named(name: string): string {
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Items of a list one level deep. */
function describeItem(item: unknown): string {
  return Array.isArray(item) ? `an array of ${item.length}` : describe(item);
}

function enclosed(count: number, first: readonly string[], [open, close]: string): string {
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

/** A text of at most `most` characters, for messages. */
export function cut(text: string, most = MOST_CHARACTERS): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** The first names as {@link describe} writes them, and how many more there are, for messages. */
export function listed(names: Iterable<unknown>, most = MOST_ITEMS): string {
  const all = [...names];
  const first = all.slice(0, most).map(describe).join(', ');
  return all.length > most ? `${first} and ${all.length - most} more` : first || 'none';
}

/**
 * Names in order of how few characters tell them apart from the nearest of some wrong ones; those that are equally near
 * as they come.
 */
export function byNearness(wrong: readonly string[], names: Iterable<string>): string[] {
  const nearest = (name: string) =>
    wrong.slice(0, MOST_ITEMS).reduce((least, one) => Math.min(least, distanceOf(cut(one), name)), Infinity);
  const distances = new Map(Array.from(names, (name) => [name, nearest(name)]));
  return [...distances.keys()].sort((a, b) => distances.get(a)! - distances.get(b)!);
}

/** How many characters have to be added, taken away or changed. */
export function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const character of from) {
    let [corner, left] = [row[0]!, row[0]! + 1];
    row = row.map((above, j) => {
      if (j > 0) left = Math.min(above + 1, left + 1, corner + Number(character !== to[j - 1]));
      corner = above;
      return left;
    });
  }
  return row[to.length]!;
}

/** Throws when the project's own invariant is broken: a bug in layertap, never a user's mistake. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`layertap bug: ${invariant}; please report it`);
}
