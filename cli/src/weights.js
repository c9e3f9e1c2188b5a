/** Weights of a whole model for what is kept of it. */

import { StateDictError } from 'layertap';
import { CommandError } from './failures.js';

/** @typedef {import('layertap').Module<any>} Module */

/**
 * Loads a file of the whole model's weights into what is kept of it, reading no more than that. Keys of children that
 * were dropped are ignored, and so are those of children that the model could have and doesn't (`aux_classifier`);
 * all others must match.
 *
 * @param {import('./tensor-file.js').TensorFile} file
 * @param {Module} model the whole model
 * @param {Module} kept the model itself, or a getter of some of its children
 * @throws {CommandError} with all missing, unexpected and mismatched keys
 */
export function loadWeights(file, model, kept) {
  const keptNames = new Set([...kept.namedChildren()].map(([name]) => name));
  // A child that a model was built without is a property that is null.
  const names = new Set(Object.keys(model));
  const wanted = [...file.tensors.keys()].filter((key) => {
    const child = key.slice(0, Math.max(key.indexOf('.'), 0));
    return keptNames.has(child) || !names.has(child);
  });
  try {
    kept.loadStateDict(wanted.map((key) => /** @type {const} */ ([key, file.get(key)])));
  } catch (error) {
    throw error instanceof StateDictError ? new CommandError(`${file.label}: ${error.message}`) : error;
  }
}
