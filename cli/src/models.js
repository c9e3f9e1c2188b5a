/**
 * Models by torchvision's names, and their options. Both lists are derived from the core: what builds a model is an exported
 * function with a name in lower case, and an option is known where a builder asks for it.
 */

import { models } from 'layertap';
import { CommandError } from './failures.js';

/** @typedef {import('layertap').Module<any>} Module */
/** @typedef {(options?: object) => Module} Builder */

/** @type {ReadonlyMap<string, Builder>} */
const BUILDERS = new Map(
  Object.entries(models)
    .filter(([name, member]) => typeof member === 'function' && name === name.toLowerCase())
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([name, member]) => [name, /** @type {Builder} */ (/** @type {unknown} */ (member))]),
);

/** The names of all models, in alphabetical order. */
export function modelNames() {
  return [...BUILDERS.keys()];
}

/**
 * A new model without weights.
 *
 * @param {string} name
 * @param {Readonly<Record<string, unknown>>} options torchvision's, in camelCase
 * @returns {Module}
 * @throws {CommandError} for an unknown name or option, with those that there are
 */
export function buildModel(name, options) {
  const build = BUILDERS.get(name);
  if (!build) throw new CommandError(`--model: expected one of ${modelNames().join(', ')}, got "${name}"`);
  const given = Object.keys(options);
  if (given.length > 0) {
    const known = optionsOf(build);
    const unknown = given.filter((option) => !known.has(option));
    if (unknown.length > 0) {
      const names = [...known].sort().join(', ');
      throw new CommandError(`--model-options: expected options of ${names} for ${name}, got ${quoted(unknown)}`);
    }
  }
  return build(options);
}

/**
 * The names of the options that a builder asks for. One that copies its options hides what is asked of the copy, so all that
 * make the same class are watched.
 *
 * @param {Builder} build
 * @returns {ReadonlySet<string>}
 */
function optionsOf(build) {
  const watched = [...BUILDERS.values()].map((builder) => ({ builder, ...watch(builder) }));
  const type = watched.find(({ builder }) => builder === build)?.type;
  const known = new Set(watched.filter((other) => other.type === type).flatMap(({ asked }) => asked));
  // A function, which JSON can't hold.
  known.delete('normLayer');
  return known;
}

/**
 * The options that a builder asks for, and the class of what it makes.
 *
 * @param {Builder} build
 */
function watch(build) {
  /** @type {string[]} */
  const asked = [];
  const get = (/** @type {object} */ _, /** @type {string | symbol} */ key) => {
    if (typeof key === 'string') asked.push(key);
  };
  const { constructor: type } = build(new Proxy({}, { get }));
  return { asked, type };
}

/** @param {readonly string[]} names */
function quoted(names) {
  return names.map((name) => JSON.stringify(name)).join(', ');
}
