/** How options are taken: an object, of known names only, as Python refuses keyword arguments that a function hasn't. */

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
    const got = Array.isArray(options) ? JSON.stringify(options) : String(options);
    throw new ValueError(`${name}: expected options as an object { ${known.join(', ')} }, got ${got}`);
  }
  const unknown = Object.keys(options).filter((option) => !Object.hasOwn(defaults, option));
  if (unknown.length > 0) {
    const got = unknown.map((option) => JSON.stringify(option)).join(', ');
    throw new ValueError(`${name}: expected options of ${known.join(', ')}, got ${got}`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as never;
}
