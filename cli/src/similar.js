/** `layertap similar`: the pictures of an index that are most like another one. */

import { existsSync } from 'node:fs';
import { Tensor } from 'layertap';
import { cosineSimilarity, topk } from 'layertap/tools';
import { vectorOf } from './embed.js';
import { checkMaker, readIndex, weightsOf } from './embedding-index.js';
import { CommandError } from './failures.js';
import { readPicture } from './lane.js';
import { Network } from './network.js';
import { preparationBy } from './preparation.js';
import { nameText } from './print.js';
import { runInput } from './run-pictures.js';

/**
 * @typedef {Partial<import('./network.js').NetworkOptions> & { index: string, query: string, top: number,
 *   layers?: Map<string, string>, autoOrient?: boolean, quiet?: boolean }} SimilarOptions
 */

/**
 * Embeds the query as the index's pictures were, and compares it with all of them.
 *
 * @param {SimilarOptions} options
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
export async function similar(options) {
  const { index: path, query, top } = options;
  const { maker, rows } = await readIndex('', path);
  if (rows.length === 0) throw new CommandError(`${path}: expected an index of pictures, got none in it`);
  const preparation = options.preset === undefined ? preparationBy(maker.preset, maker.recipe) : null;
  const given = {
    ...options,
    ...(preparation && { preparation }),
    model: options.model ?? maker.model,
    modelOptions: Object.keys(options.modelOptions ?? {}).length > 0 ? options.modelOptions : maker.modelOptions,
    weights: options.weights ?? weightsOf(maker, path),
    // Other weights have names of their own.
    weightsKey: options.weightsKey ?? (options.weights === undefined ? maker.weightsKey : undefined),
    weightsPrefix: options.weightsPrefix ?? (options.weights === undefined ? maker.weightsPrefix : undefined),
    preset:
      options.preset ?? /** @type {any} */ (['imagenet', 'segmentation', 'none'].find((one) => one === maker.preset)),
    deterministic: options.deterministic ?? maker.deterministic,
    autoOrient: options.autoOrient ?? maker.autoOrient,
  };
  const layers = options.layers ?? new Map([[maker.layer, maker.layer]]);
  const network = await Network.of(/** @type {any} */ (withoutUndefined(given)));
  network.checkLayers(layers);
  const own = {
    ...maker,
    model: network.model,
    layer: [...layers.keys()].join(),
    preset: network.preparation.name,
    recipe: network.preparation.recipe ?? undefined,
    network: undefined,
    autoOrient: given.autoOrient,
  };
  // Weights needn't be read for the rest.
  checkMaker(path, maker, own);
  const { path: file } = network.source;
  if (options.weights === undefined && file !== undefined && !existsSync(file)) {
    const wayOut = '--weights says where they are now';
    throw new CommandError(`${path}: expected its weights where they were, got no ${file}; ${wayOut}`);
  }
  const { input } = await readPicture(query, { autoOrient: given.autoOrient, prepare: network.preparation.prepare });
  network.tap(layers, input.shape);
  const { output: features } = await runInput(network, input, {
    quiet: options.quiet ?? false,
    onReady() {
      checkMaker(path, maker, { ...own, fingerprint: network.fingerprint(), network: network.structure() });
    },
  });
  const found = nearest(vectorOf(features, 0), rows, top);
  const width = found.reduce((most, { picture }) => Math.max(most, nameText(picture).length), 0);
  return {
    result: { command: 'similar', index: path, query, model: network.model, layer: maker.layer, similar: found },
    lines: found.map(({ picture, similarity }) => `${nameText(picture).padEnd(width)}  ${similarity.toFixed(4)}`),
  };
}

/**
 * The rows with the largest cosine similarity, all compared.
 *
 * @param {Float32Array} vector
 * @param {readonly import('./embedding-index.js').Row[]} rows
 * @param {number} top
 */
export function nearest(vector, rows, top) {
  const size = vector.length;
  if (rows[0].vector.length !== size) {
    throw new CommandError(`similar: expected vectors of ${rows[0].vector.length} numbers, got ${size}`);
  }
  const matrix = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) matrix.set(row.vector, i * size);
  const similarities = cosineSimilarity(new Tensor(vector, [1, size]), new Tensor(matrix, [rows.length, size]));
  const { values, indices } = topk(similarities, Math.min(top, rows.length));
  return Array.from(indices.data, (row, i) => ({ picture: rows[row].picture, similarity: values.data[i] }));
}

/**
 * @template {object} O
 * @param {O} options
 * @returns {O}
 */
function withoutUndefined(options) {
  return /** @type {O} */ (Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
}
