/** `layertap embed`: a vector for each picture, the mean of a layer's feature over pixels at length 1. */

import { globalAveragePool, l2Normalize } from 'layertap/tools';
import {
  checkMaker,
  folderOf,
  indexFiles,
  indexFormatOf,
  indexPlaces,
  jsonLine,
  namedFolder,
  namedWeights,
  pathFrom,
  readExisting,
} from './embedding-index.js';
import { CommandError, UsageError } from './failures.js';
import { presetWarnings } from './input.js';
import { rowOf } from './lane.js';
import { Network } from './network.js';
import { appendTo, checkOutputs, writeFiles, written } from './output.js';
import { fullPath, picturesOf, STANDARD } from './pictures.js';
import { outcomeOf, runPictures } from './run-pictures.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Tensor */

/**
 * @typedef {import('./network.js').NetworkOptions & { pictures: readonly string[], layers: Map<string, string>,
 *   output: string, skipExisting?: boolean, autoOrient?: boolean, batch?: number, quiet?: boolean, json?: boolean
 *   }} EmbedOptions
 */

/** Embeddings are written so often, so that a run that is cut short can go on. */
const SAVED_EVERY = 256;

/**
 * Embeds the pictures and writes the vectors.
 *
 * @param {EmbedOptions} options
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
export async function embed(options) {
  const { output, layers, skipExisting = false, json = false } = options;
  const layer = onlyLayer(layers);
  const format = indexFormatOf(output);
  const isPrinted = output === STANDARD;
  if (isPrinted && json) throw new UsageError('expected --output - or --json, got both, which write to stdout');
  if (skipExisting && (format === 'npy' || isPrinted)) {
    throw new UsageError('expected --skip-existing with .safetensors or .jsonl, whose rows have names');
  }
  const all = await picturesOf(options.pictures);
  const network = await Network.of(options);
  const model = network.module;
  network.checkLayers(layers);
  checkOutputs({ inputs: { '--weights': network.source.path }, pictures: all, files: indexPlaces(output) });
  const existing = skipExisting ? await readExisting(output, format) : null;
  const rows = existing?.rows ?? [];
  const folder = folderOf(existing, output);
  const known = new Set(rows.map(({ picture }) => fullPath(picture, folder)));
  const pictures = all.filter((picture) => !known.has(fullPath(picture)));
  let maker = existing?.maker ?? null;
  /** Rows that the file lacks. */
  let unsaved = 0;
  const save = async () => {
    unsaved = 0;
    const files = indexFiles(output, { maker: /** @type {import('./embedding-index.js').Maker} */ (maker), rows });
    await written(() => writeFiles(files));
  };
  const own = {
    model: network.model,
    modelOptions: options.modelOptions,
    layer,
    preset: network.preparation.name,
    ...(network.preparation.recipe && { recipe: network.preparation.recipe }),
    weights: namedWeights(network.source, options.weights, output),
    ...(options.weightsKey !== undefined && { weightsKey: options.weightsKey }),
    ...(options.weightsPrefix !== undefined && { weightsPrefix: options.weightsPrefix }),
    deterministic: options.deterministic ?? false,
    autoOrient: options.autoOrient ?? false,
    folder: namedFolder(folder, output),
  };
  let isBegun = false;
  // Where nothing is new, no weights are read.
  if (maker) checkMaker(`--output ${output}`, maker, { ...own, fingerprint: maker.fingerprint });
  const ran = await runPictures({
    network,
    pictures,
    options,
    layers,
    async onReady(shape) {
      const made = { ...own, fingerprint: network.fingerprint(), network: network.structure() };
      if (maker) checkMaker(`--output ${output}`, maker, made);
      maker = made;
      const [{ shape: feature }] = /** @type {any} */ (network.module).featureInfo(shape);
      const size = rows[0]?.vector.length ?? feature[1];
      if (size !== feature[1]) {
        throw new CommandError(`--output ${output}: expected vectors of ${feature[1]} numbers in it, got ${size}`);
      }
    },
    async take(picture, features, index) {
      if (format === 'npy' && /[\r\n]/.test(picture)) {
        throw new CommandError('expected a name without line breaks for .npy, which names pictures by lines');
      }
      const row = { picture: pathFrom(picture, folder), vector: vectorOf(features, index) };
      if (format === 'jsonl') {
        const line = `${jsonLine(row, /** @type {import('./embedding-index.js').Maker} */ (maker))}\n`;
        // Whole lines of before, to which others are added.
        if (!isPrinted && !isBegun) await save();
        isBegun = true;
        if (isPrinted) process.stdout.write(line);
        else await written(() => appendTo(output, line));
      } else {
        rows.push(row);
        if (++unsaved === SAVED_EVERY) await save();
      }
    },
  });
  if (unsaved > 0) await save();
  const skipped = all.length - pictures.length;
  const { done: embedded } = ran;
  return {
    ...outcomeOf({
      ...{ command: 'embed', verb: 'embedded', network, ran, skipped },
      result: { layer, fingerprint: maker?.fingerprint ?? null, embedded, skipped, output },
      lines: embedded > 0 ? [`wrote ${isPrinted ? 'to stdout' : output}`] : [],
    }),
    warnings: presetWarnings(model, network.preparation.name),
    isOnStderr: isPrinted,
  };
}

/**
 * @param {ReadonlyMap<string, string>} layers
 * @throws {UsageError} for several
 */
export function onlyLayer(layers) {
  const [layer, ...more] = layers.keys();
  if (more.length === 0) return layer;
  throw new UsageError(`expected one layer in --layers, whose feature is the vector, got ${layers.size}`);
}

/**
 * A picture's vector: the means of its layer's feature over pixels, at length 1.
 *
 * @param {ReadonlyMap<string, Tensor>} features of the batch, the layer's alone
 * @param {number} index of the picture
 * @returns {Float32Array}
 * @throws {CommandError} for a vector that says nothing
 */
export function vectorOf(features, index) {
  const [feature] = features.values();
  const vector = l2Normalize(globalAveragePool(rowOf(feature, index))).data;
  if (vector.every(Number.isFinite)) return vector;
  throw new CommandError('expected numbers in the layer, got NaN or infinities; look at the weights');
}
