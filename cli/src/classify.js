/** `layertap classify`: the likeliest classes of pictures. */

import { readFileSync } from 'node:fs';
import { Tensor } from 'layertap';
import { softmax, topk } from 'layertap/tools';
import { categoriesOf, getModelWeights } from 'layertap/weights';
import { CommandError, reasonOf } from './failures.js';
import { Network } from './network.js';
import { picturesOf } from './pictures.js';
import { shapeText } from './print.js';
import { runPictures, summaryOf } from './run-pictures.js';

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
  const begin = performance.now();
  const { top, json = false } = options;
  const pictures = await picturesOf(options.pictures);
  const names = options.classes === undefined ? undefined : readNames(options.classes);
  const network = await Network.of(options);
  /** @type {{ picture: string, top: readonly Class[] }[]} */
  const results = [];
  try {
    const failed = await runPictures({
      pictures,
      preparation: network.preparation,
      options,
      async open(shape, count) {
        const started = await network.start(shape, count);
        return {
          width: started.width,
          compute: async (input, onProgress) => scoresOf(await started.run(input, onProgress)),
        };
      },
      take(picture, scores, index) {
        const count = scores.shape[1];
        const own = new Tensor(scores.data.slice(index * count, (index + 1) * count), [count]);
        if (own.data.some(Number.isNaN)) {
          throw new CommandError('expected scores that are numbers, got NaN; look at the weights');
        }
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
    const { name: preset } = network.preparation;
    return {
      result: { command: 'classify', model: network.model, preset, pictures: results, failed },
      lines:
        pictures.length > 1
          ? [summaryOf('classified', pictures.length, failed, { ms: performance.now() - begin })]
          : [],
      isFailed: failed.length > 0,
    };
  } finally {
    await network.close();
  }
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
