/** `layertap extract`: features of some layers, computed up to the last of them. */

import { join } from 'node:path';
import { saveSafetensors } from 'layertap';
import { CommandError } from './failures.js';
import { checkLayers, featuresOf } from './features.js';
import { heatmaps } from './heatmap.js';
import { checkInputOptions, presetWarnings, readInput } from './input.js';
import { buildModel } from './models.js';
import { checkOutputs, writeFiles } from './output.js';
import { bytesText, loading, msText, progress, shapeText, status, table, timed } from './print.js';
import { sourceOf, withModel } from './source.js';
import { withWeights } from './tensor-file.js';

/**
 * @typedef {object} ExtractOptions
 * @property {string} [model] unless the weights name it
 * @property {Record<string, unknown>} modelOptions
 * @property {string} weights
 * @property {string} [hubEndpoint]
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {Map<string, string>} layers
 * @property {string} [input]
 * @property {string} [image]
 * @property {import('./input.js').Preset} [preset]
 * @property {string} output
 * @property {string} [heatmaps]
 * @property {boolean} [deterministic]
 */

/**
 * Computes the features and writes them.
 *
 * @param {ExtractOptions} given
 * @returns {Promise<import('./program.js').Outcome>}
 */
export async function extract(given) {
  checkInputOptions(given);
  const source = await sourceOf(given.weights, given);
  const options = withModel(given, source);
  const { layers, output, heatmaps: folder, deterministic = false } = options;
  const model = source.build?.() ?? buildModel(options.model, options.modelOptions);
  checkLayers(model, layers);

  status('reading …');
  const { input, preset } = await readInput(options, source.preparation, 'imagenet');
  const { tapped, warnings: notOwn } = featuresOf(model, layers, input.shape);
  tapped.compile({ deterministic });
  const info = tapped.featureInfo(input.shape).map(({ name, ...rest }) => ({ ...rest, name: String(name) }));
  const maps = folder === undefined ? [] : heatmapPlaces(folder, info, input.shape[0]);
  const heatmapFolder = folder === undefined ? null : { option: '--heatmaps', path: folder };
  const { input: inputPath, image: imagePath } = options;
  checkOutputs({
    inputs: { '--weights': source.path, '--input': inputPath, '--image': imagePath },
    files: [{ option: '--output', path: output }, ...maps],
    folder: heatmapFolder,
  });
  const [weightsMs] = await timed(() =>
    withWeights(source, options, (file) => tapped.loadStateDictAsync(file, { onProgress: loading })),
  );

  const onProgress = progress(`running ${options.model} on ${shapeText(input.shape)}`);
  const [runMs, features] = await timed(() => tapped.forwardAsync(input, { onProgress }));
  const names = namesOf(features);
  /** @type {import('./output.js').OutputFile[]} */
  const files = [{ option: '--output', path: output, bytes: saveSafetensors(names, [], { sorted: false }) }];
  const warnings = [...notOwn, ...presetWarnings(model, preset)];
  const size = { height: input.shape[2], width: input.shape[3] };
  const left = maps.values();
  for (const [name, feature] of names) {
    const count = countNonFinite(feature.data);
    const got = `${count} of ${feature.data.length} values that are NaN or infinite`;
    if (count > 0 && folder !== undefined) {
      const wayOut = 'look at the weights and the input, or leave --heatmaps out';
      throw new CommandError(`--heatmaps: expected numbers to draw, got "${name}" with ${got}; ${wayOut}`);
    }
    if (count > 0) warnings.push(`"${name}" has ${got}; look at the weights and the input`);
    if (folder === undefined) continue;
    for (const { png, low, high } of await heatmaps(feature, size)) {
      const { option, path } = /** @type {import('./output.js').Named} */ (left.next().value);
      files.push({ option, path, bytes: png });
      if (low === high) warnings.push(`${path} is black: the mean activation of "${name}" is ${low} everywhere`);
    }
  }
  await writeFiles(files, heatmapFolder);

  const binary = tapped.compiled?.binary;
  const told = info.map(({ name, module, shape, reduction, macs, bytes }) => ({
    name,
    layer: module,
    shape,
    reduction,
    macs,
    bytes,
  }));
  const [{ path, bytes }] = files;
  return {
    result: {
      command: 'extract',
      model: options.model,
      input: input.shape,
      preset,
      binary,
      weightsMs,
      runMs,
      features: told,
      output: path,
      heatmaps: maps.map((map) => map.path),
    },
    lines: [
      `tapped ${options.model} on ${shapeText(input.shape)} with the ${binary} binary in ${msText(runMs)} ` +
        `(weights read in ${msText(weightsMs)})`,
      ...table(told.map(({ name, layer, shape }) => [`  ${name}`, layer, shapeText(shape)])),
      `wrote ${path} (${bytesText(bytes.length)})`,
      ...maps.map((map) => `wrote ${map.path}`),
    ],
    warnings,
  };
}

/**
 * @template T
 * @param {ReadonlyMap<unknown, T>} features
 * @returns {[string, T][]}
 */
function namesOf(features) {
  return [...features].map(([name, feature]) => [String(name), feature]);
}

/**
 * Where the heat maps go: for each feature one file for each image of the batch, in this order.
 *
 * @param {string} folder
 * @param {readonly { name: string, shape: readonly number[] }[]} features
 * @param {number} images
 * @returns {import('./output.js').Named[]}
 * @throws {CommandError} for a feature of one pixel, whose heat map would be black whatever it holds
 */
function heatmapPlaces(folder, features, images) {
  /** @type {Set<string>} */
  const taken = new Set();
  return features.flatMap(({ name, shape }) => {
    if ((shape[2] ?? 1) * (shape[3] ?? 1) === 1) {
      const got = `"${name}" ${shapeText(shape)}`;
      throw new CommandError(`--heatmaps: expected features of more than one pixel, got ${got}; leave its layer out`);
    }
    const stem = uniqueStem(name, taken);
    const files = Array.from({ length: images }, (_, n) => (images === 1 ? `${stem}.png` : `${stem}-${n}.png`));
    return files.map((file) => ({ option: '--heatmaps', path: join(folder, file) }));
  });
}

/**
 * How many of the values are NaN or infinite.
 *
 * @param {Float32Array} values
 */
function countNonFinite(values) {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) count++;
  return count;
}

/**
 * A file's name for a feature: letters, digits, `.`, `_` and `-`, and no other feature's, in folders that ignore case
 * too.
 *
 * @param {string} name
 * @param {Set<string>} taken
 */
function uniqueStem(name, taken) {
  const stem = name.replace(/[^\p{L}\p{N}._-]/gu, '_').replace(/^\./, '_');
  let unique = stem;
  for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${stem}_${n}`;
  taken.add(unique.toLowerCase());
  return unique;
}
