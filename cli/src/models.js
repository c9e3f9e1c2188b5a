/**
 * Models by torchvision's names. The list is derived from the core: what builds one is a function with a name in
 * lower case.
 */

import { LayertapError, models } from 'layertap';
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
 * @throws {CommandError} for an unknown name, or an option that the model can't be built with
 */
export function buildModel(name, options) {
  const build = BUILDERS.get(name);
  if (!build) throw new CommandError(`--model: expected one of ${modelNames().join(', ')}, got "${name}"`);
  if ('normLayer' in options) {
    throw new CommandError(
      '--model-options: expected options that JSON can hold, got "normLayer", which is a function',
    );
  }
  try {
    return build(options);
  } catch (error) {
    throw error instanceof LayertapError ? new CommandError(`--model-options: ${error.message}`) : error;
  }
}
