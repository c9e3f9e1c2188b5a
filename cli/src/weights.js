/** Weights of a whole model for what is kept of it. */

import { StateDictError } from 'layertap';
import { CommandError } from './failures.js';

/**
 * Loads a file of the whole model's weights into a model, or into a getter of some of its children. No more is read
 * than that.
 *
 * @param {import('./tensor-file.js').TensorFile} file
 * @param {import('layertap').Module<any>} model
 * @param {RegExp} [ignored] keys that the file may have although the model has no use for them
 * @throws {CommandError} with all missing, unexpected and mismatched keys
 */
export async function loadWeights(file, model, ignored) {
  const tensors = new Map([...file.tensors].filter(([key]) => !ignored?.test(key)));
  try {
    await model.loadStateDictAsync({ tensors, stream: (names) => file.stream(names) });
    file.checkUnchanged();
  } catch (error) {
    throw error instanceof StateDictError ? new CommandError(`${file.label}: ${error.message}`) : error;
  }
}
