/** `layertap classify`: the likeliest classes of pictures. */

import { readFileSync } from 'node:fs';
import { Tensor } from 'layertap';
import { softmax, topk } from 'layertap/tools';
import { categoriesOf, getModelWeights } from 'layertap/weights';
import { CommandError, reasonOf } from './failures.js';
import { rowOf } from './lane.js';
import { Network } from './network.js';
import { picturesOf } from './pictures.js';
import { shapeText } from './print.js';
import { outcomeOf, runPictures } from './run-pictures.js';

/**
 * @typedef {import('./network.js').NetworkOptions & { pictures: readonly string[], top: number, classes?: string,
 *   autoOrient?: boolean, batch?: number, quiet?: boolean, json?: boolean }} ClassifyOptions
 */

/** @typedef {{ class: number, name: string | null, probability: number }} Class */

/**
 * Classifies the pictures, and prints each as soon as it is.
 *
 * @param {ClassifyOptions} options
 * @returns {Promise<import('./program.js').Outcome>}
 */
export async function classify(options) {
  const { top, json = false } = options;
  const pictures = await picturesOf(options.pictures);
  const names = options.classes === undefined ? undefined : readNames(options.classes);
  const network = await Network.of(options);
  /** @type {{ picture: string, top: readonly Class[] }[]} */
  const results = [];
  const ran = await runPictures({
    network,
    pictures,
    options,
    take(picture, output, index) {
      const own = rowOf(scoresOf(output), index);
      if (own.data.some(Number.isNaN)) {
        throw new CommandError('expected scores that are numbers, got NaN; look at the weights');
      }
      const count = own.shape[1];
      const { values, indices } = topk(softmax(own), Math.min(top, count));
      const known = names ?? namesOf(network, count);
      const classes = Array.from(indices.data, (index, i) => ({
        class: index,
        name: known?.[index] ?? null,
        probability: values.data[i],
      }));
      results.push({ picture, top: classes });
      if (!json) process.stdout.write(`${linesOf(picture, classes).join('\n')}\n`);
    },
  });
  const outcome = outcomeOf({ command: 'classify', verb: 'classified', network, ran, result: { pictures: results } });
  return pictures.length > 1 ? outcome : { ...outcome, lines: [] };
}

/**
 * @param {unknown} output
 * @returns {Tensor<Float32Array>}
 */
function scoresOf(output) {
  if (output instanceof Tensor && output.shape.length === 2) return /** @type {Tensor<Float32Array>} */ (output);
  const got = output instanceof Tensor ? shapeText(output.shape) : 'a map of others';
  throw new CommandError(`classify: expected a network with scores [N, classes], got ${got}; segment makes masks`);
}

/**
 * The classes' names, as the weights have them. A file doesn't say; torchvision's networks of as many classes as their
 * own weights have are taken to have these.
 *
 * @param {Network} network
 * @param {number} count
 * @returns {readonly string[] | null}
 */
function namesOf({ source, model }, count) {
  if (source.categories) return source.categories.length === count ? source.categories : null;
  try {
    const names = categoriesOf(/** @type {any} */ (getModelWeights(model).DEFAULT));
    return names?.length === count ? names : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} path
 * @returns {readonly string[]} a name a line
 */
function readNames(path) {
  try {
    return readFileSync(path, 'utf8')
      .replace(/\r?\n$/, '')
      .split(/\r?\n/);
  } catch (error) {
    throw new CommandError(`--classes ${path}: expected a readable file, got "${reasonOf(error)}"`);
  }
}

/**
 * @param {string} picture
 * @param {readonly Class[]} classes
 */
function linesOf(picture, classes) {
  const rows = classes.map(({ class: index, name, probability }) => {
    const percent = `${(probability * 100).toFixed(1)} %`.padStart(8);
    return `${percent}  ${name ?? `class ${index}`}`;
  });
  return [picture, ...rows];
}
