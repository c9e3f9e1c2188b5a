/** Models by torchvision's names, and `layertap models`, which lists them. */

import { KeyError, LayertapError } from 'layertap';
import { createModel, listModels, modelInfo } from 'layertap/models';
import { CommandError } from './failures.js';
import { countText, table } from './print.js';

/** @typedef {import('layertap').Module<any>} Module */

/**
 * A new model without weights.
 *
 * @param {string} name
 * @param {Readonly<Record<string, unknown>>} options torchvision's, in camelCase
 * @param {string} [label] what named the model in messages
 * @returns {Module}
 * @throws {CommandError} for an unknown name, or an option that the model can't be built with
 */
export function buildModel(name, options, label = '--model') {
  if ('normLayer' in options) {
    throw new CommandError(
      '--model-options: expected options that JSON can hold, got "normLayer", which is a function',
    );
  }
  try {
    return createModel(name, options);
  } catch (error) {
    if (!(error instanceof LayertapError)) throw error;
    const isUnknown = error instanceof KeyError && error.message.startsWith('createModel: ');
    throw new CommandError(
      isUnknown
        ? `${label}: ${error.message.replace('createModel: ', '').replace('listModels()', 'npx layertap-cli models')}`
        : `--model-options: ${error.message}`,
    );
  }
}

/**
 * What a failure of something says; null where there is none.
 *
 * @param {() => unknown} action
 */
export function attempted(action) {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Describes the models whose names fit a pattern.
 *
 * @param {string} pattern `*` stands for any characters
 * @returns {import('./outcome.js').Outcome}
 * @throws {CommandError} where no name fits
 */
export function describeModels(pattern) {
  const names = listModels(pattern);
  if (names.length === 0) {
    // A name alone is misspelt, and the nearest ones are told.
    const near = attempted(() => buildModel(pattern, {}, 'models'));
    if (near?.includes('did you mean')) throw new CommandError(near);
    throw new CommandError(
      `models: expected a pattern that fits a name, such as "resnet*", got "${pattern}"; without one, all are listed`,
    );
  }
  const models = names.map((name) => modelInfo(name));
  const rows = models.map(({ name, family, parameters, inputSize, macs, smallestInput, taps }) => [
    name,
    family,
    countText(parameters),
    countText(macs),
    String(inputSize),
    String(smallestInput),
    taps.map(({ layer, reduction }) => `${layer} 1/${reduction}`).join(', '),
  ]);
  const head = ['model', 'family', 'parameters', 'MACs', 'at', 'smallest', 'stages'];
  return { result: { command: 'models', models }, lines: table([head, ...rows], new Set([2, 3, 4, 5])) };
}
