/** `layertap weights`, which lists torchvision's weights. */

import { getModelWeights, getWeight, listWeights } from 'layertap/weights';
import { CommandError } from './failures.js';
import { attempted } from './models.js';
import { countText, table } from './print.js';

const MIB = 2 ** 20;

/**
 * Describes the weights whose names, or whose models' names, fit a pattern.
 *
 * @param {string} pattern `*` stands for any characters
 * @returns {import('./outcome.js').Outcome}
 * @throws {CommandError} where no name fits
 */
export function describeWeights(pattern) {
  const found = listWeights(pattern);
  if (found.length === 0) {
    // A name alone is misspelt, and the nearest ones are told.
    const near = attempted(() => (pattern.includes('.') ? getWeight(pattern) : getModelWeights(pattern)));
    if (near?.includes('did you mean')) throw new CommandError(near.replace(/^\w+: /, 'weights: '));
    throw new CommandError(
      `weights: expected a pattern that fits a name, such as "resnet*" or "*_V2", got "${pattern}"; without one, all ` +
        'are listed',
    );
  }
  const weights = found.map((one) => {
    const { model, name, url, sha256, meta } = one;
    const { preset, options } = one.transforms();
    const isDefault = getModelWeights(model).DEFAULT === one;
    return { weights: String(one), model, name, default: isDefault, url, sha256, preset, transforms: options, meta };
  });
  const rows = weights.map(({ weights: name, model, default: isDefault, transforms, meta }) => [
    model,
    name.replace(/^.*\./, '') + (isDefault ? ' (DEFAULT)' : ''),
    qualityText(meta.metrics),
    countText(meta.numParams),
    countText(meta.ops * 1e9),
    `${Math.round(meta.fileSize * (MIB / 1e6))} MB`,
    presetText(transforms),
    meta.license ?? '',
  ]);
  const head = ['model', 'weights', 'quality', 'parameters', 'MACs', 'file', 'photo', 'licence of their own'];
  return { result: { command: 'weights', weights }, lines: table([head, ...rows], new Set([3, 4, 5])) };
}

/**
 * The first figure, which is top-1 accuracy or mean IoU.
 *
 * @param {import('layertap/weights').WeightsMeta['metrics']} metrics
 */
function qualityText(metrics) {
  const [[name, value]] = Object.entries(Object.values(metrics)[0]);
  return Number.isNaN(value) ? '-' : `${name} ${value.toFixed(1)}`;
}

/** @param {import('layertap/weights').WeightsTransforms['options']} options */
function presetText(options) {
  const crop = 'cropSize' in options ? ` to ${options.cropSize}` : '';
  return `${options.resizeSize}${crop} ${options.interpolation}`;
}
