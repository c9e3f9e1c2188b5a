/** `layertap classify`: the likeliest classes of pictures. */

import { readFileSync } from 'node:fs';
import { softmax, topk } from 'layertap/tools';
import { categoriesOf, getModelWeights } from 'layertap/weights';
import { CommandError, reasonOf } from './failures.js';
import { rowOf } from './lane.js';
import { Network } from './network.js';
import { picturesOf } from './pictures.js';
import { nameText, shapeText } from './print.js';
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
 * @returns {Promise<import('./outcome.js').Outcome>}
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
    onInput: (shape) => checkOutput(network, shape, options.classes, names),
    take(picture, output, index) {
      const own = rowOf(output, index);
      if (!own.data.every(Number.isFinite)) {
        throw new CommandError('expected scores that are numbers, got NaN or infinities; look at the weights');
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
 * Fails a network without scores of classes, and names that are none of its classes, before weights are read.
 *
 * @param {Network} network
 * @param {readonly number[]} shape of the input
 * @param {string | undefined} path of the names
 * @param {readonly string[] | undefined} names
 * @throws {CommandError}
 */
function checkOutput(network, shape, path, names) {
  const output = network.outputFor(shape);
  if (output === null) return;
  if (output.shape?.length !== 2) {
    const got = output.shape ? shapeText(output.shape) : `${network.model} with masks, which segment makes`;
    throw new CommandError(`classify: expected a network with scores [N, classes], got ${got}`);
  }
  const [, count] = output.shape;
  if (names && names.length !== count) {
    throw new CommandError(`--classes ${path}: expected ${count} names, one a line, got ${names.length}`);
  }
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
    return (
      readFileSync(path, 'utf8')
        // Some editors begin a file with a mark.
        .replace(/^\uFEFF|\r?\n$/g, '')
        .split(/\r?\n/)
    );
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
  return [nameText(picture), ...rows];
}
