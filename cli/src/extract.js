/** `layertap extract`: features of some layers, computed up to the last of them. */

import { join } from 'node:path';
import { FORMATS } from './choices.js';
import { CommandError, UsageError } from './failures.js';
import { checkFormat, featureBytes, formatOf } from './feature-file.js';
import { contactSheet, heatmaps, overlayPng } from './heatmap.js';
import { inputsOf, oneInputOf, presetWarnings, readInput } from './input.js';
import { rowOf } from './lane.js';
import { Network } from './network.js';
import { checkEnd, checkOutputs, checkPictures, writeFiles, writePicture } from './output.js';
import { STANDARD } from './pictures.js';
import { withPlaces } from './places.js';
import { shownPicture } from './preparation.js';
import { bytesText, msText, shapeText, status, table, warn } from './print.js';
import { outcomeOf, runInput, runPictures } from './run-pictures.js';

/**
 * @typedef {object} ExtractOptions
 * @property {string} [model] unless the weights name it
 * @property {Record<string, unknown>} modelOptions
 * @property {string} weights
 * @property {string} [hubEndpoint]
 * @property {string | false} [cache]
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {Map<string, string>} layers
 * @property {string} [input]
 * @property {string} [image]
 * @property {import('./preparation.js').Preset} [preset]
 * @property {string} [output]
 * @property {string} [heatmaps]
 * @property {boolean} [deterministic]
 * @property {number} [threads]
 * @property {readonly string[]} [pictures]
 * @property {string} [outputDir]
 * @property {import('./feature-file.js').Format} [format]
 * @property {boolean} [skipExisting]
 * @property {boolean} [autoOrient]
 * @property {number} [batch]
 * @property {boolean} [quiet]
 * @property {boolean} [json]
 */

/**
 * Computes the features and writes them.
 *
 * @param {ExtractOptions} given
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
export async function extract(given) {
  const one = oneInputOf(given);
  return one ? extractOne(one) : extractAll(/** @type {any} */ (given));
}

/**
 * One input's features as one file.
 *
 * @param {ExtractOptions & { output: string }} given
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
async function extractOne(given) {
  const { output, layers, heatmaps: folder, quiet = false } = given;
  const isPrinted = output === STANDARD;
  if (isPrinted && given.json) throw new UsageError('expected --output - or --json, got both');
  if (given.format === undefined) {
    const known = [...FORMATS.map((format) => `.${format}`), STANDARD];
    checkEnd({ option: '--output', path: output }, known, '; --format says the format of other names');
  }
  const named = formatOf(output);
  const format = given.format ?? named ?? 'safetensors';
  if (named && named !== format)
    throw new UsageError(`expected --format ${named} for ${output}, got --format ${format}`);
  checkFormat(format, layers.size);
  const network = await Network.of(given);
  network.checkLayers(layers);

  if (!quiet) status('reading …');
  const model = network.module;
  const { input, image, preset } = await readInput(given, network.preparation);
  const tapped = network.tap(layers, input.shape);
  const info = tapped.featureInfo(input.shape).map(({ name, ...rest }) => ({ ...rest, name: String(name) }));
  const isPicture = image !== null;
  if (folder !== undefined) checkDrawn(info);
  const drawable = info.map(({ name }) => name);
  const maps = folder === undefined ? [] : heatmapPlaces(folder, drawable, { images: input.shape[0], isPicture });
  const heatmapFolder = folder === undefined ? null : { option: '--heatmaps', path: folder };
  const places = { files: [{ option: '--output', path: output }, ...maps], folder: heatmapFolder };
  checkOutputs({ ...inputsOf(given, network.source), ...places });
  const { output: features, weightsMs, runMs } = await runInput(network, input, { quiet });
  const names = namesOf(features);
  const own = { option: '--output', path: output, bytes: featureBytes(format, names) };
  const shown = isPicture && folder !== undefined ? shownPicture(input, network.preparation.prepare) : null;
  const drawn = await draw(names, { input, shown, places: maps });
  const warnings = [...presetWarnings(model, preset), ...drawn.warnings];
  const files = [...(isPrinted ? [] : [own]), ...drawn.files];
  if (isPrinted) process.stdout.write(own.bytes);
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
  return {
    result: {
      command: 'extract',
      model: network.model,
      input: input.shape,
      preset,
      binary,
      threads: network.threads,
      weightsMs,
      runMs,
      features: told,
      output,
      heatmaps: maps.map((map) => map.path),
    },
    lines: [
      `tapped ${network.model} on ${shapeText(input.shape)} with the ${binary} binary in ${msText(runMs)} ` +
        `(weights read in ${msText(weightsMs)})`,
      ...table(told.map(({ name, layer, shape }) => [`  ${name}`, layer, shapeText(shape)])),
      `wrote ${isPrinted ? 'to stdout' : output} (${bytesText(own.bytes.length)})`,
      ...maps.map((map) => `wrote ${map.path}`),
    ],
    warnings,
    isOnStderr: isPrinted,
  };
}

/**
 * A file of features for each picture, in a folder.
 *
 * @param {ExtractOptions & { pictures: readonly string[], outputDir: string }} options
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
async function extractAll(options) {
  const { layers, outputDir, heatmaps: folder, format = 'safetensors' } = options;
  checkFormat(format, layers.size);
  const folders = { '--output-dir': outputDir, '--heatmaps': folder };
  const { all, left, placesOf } = await withPlaces(options, folders, (below, names = [...layers.values()]) => [
    { option: '--output-dir', path: `${below(outputDir)}.${format}` },
    ...(folder === undefined ? [] : heatmapPlaces(below(folder), names, { images: 1, isPicture: true })),
  ]);
  const network = await Network.of(options);
  const model = network.module;
  network.checkLayers(layers);
  checkPictures({
    inputs: { '--weights': network.source.path },
    pictures: all,
    left,
    folders,
    placesOf,
  });
  /** @type {import('layertap').FeatureInfo<any>[]} */
  let info = [];
  const ran = await runPictures({
    network,
    pictures: left,
    options,
    layers,
    keepsInputs: folder !== undefined,
    onReady(shape) {
      info = /** @type {any} */ (network.module).featureInfo(shape);
    },
    async take(picture, features, index, { input }) {
      /** @type {[string, import('layertap').Tensor<Float32Array>][]} */
      const own = namesOf(features).map(([name, feature]) => [name, rowOf(feature, index)]);
      const one = input && rowOf(input, index);
      const shown = one && shownPicture(one, network.preparation.prepare);
      if (one) checkDrawn(own.map(([name, { shape }]) => ({ name, shape })));
      const [place, ...places] = placesOf(
        picture,
        own.map(([name]) => name),
      );
      const drawn = await draw(own, { input: one, shown, places });
      for (const warning of drawn.warnings) warn(`${picture}: ${warning}`);
      await writePicture([{ ...place, bytes: featureBytes(format, own) }, ...drawn.files]);
    },
  });
  const skipped = all.length - left.length;
  const told = info.map(({ name, module, shape }) => ({ name: String(name), layer: module, shape }));
  return {
    ...outcomeOf({
      ...{ command: 'extract', verb: 'extracted features of', network, ran, skipped },
      result: { features: told, outputDir, extracted: ran.done, skipped },
      lines: ran.done > 0 ? [`wrote ${outputDir}`] : [],
    }),
    warnings: presetWarnings(model, network.preparation.name),
  };
}

/**
 * Pictures of features: a heat map of each, of photos also over the photo, and all side by side.
 *
 * @param {readonly [string, import('layertap').Tensor<Float32Array>][]} names
 * @param {{ input: import('layertap').Tensor<Float32Array> | null, shown: import('layertap').Image | null,
 *   places: readonly import('./output.js').Named[] }} what is drawn, and where to: nothing where there are no places
 * @returns {Promise<{ files: import('./output.js').OutputFile[], warnings: string[] }>}
 */
async function draw(names, { input, shown, places }) {
  const size = { height: input?.shape[2] ?? 0, width: input?.shape[3] ?? 0 };
  const left = places.values();
  const isDrawn = places.length > 0;
  /** @type {import('./output.js').OutputFile[]} */
  const files = [];
  /** @type {string[]} */
  const warnings = [];
  const put = (/** @type {Uint8Array} */ bytes) => {
    const { option, path } = /** @type {import('./output.js').Named} */ (left.next().value);
    files.push({ option, path, bytes });
    return path;
  };
  const all = [];
  for (const [name, feature] of names) {
    const count = countNonFinite(feature.data);
    const got = `${count} of ${feature.data.length} values that are NaN or infinite`;
    if (count > 0 && isDrawn) {
      const wayOut = 'look at the weights and the input, or leave --heatmaps out';
      throw new CommandError(`--heatmaps: expected numbers to draw, got "${name}" with ${got}; ${wayOut}`);
    }
    if (count > 0) warnings.push(`"${name}" has ${got}; look at the weights and the input`);
    if (!isDrawn) continue;
    for (const { png, low, high, map } of await heatmaps(feature, size)) {
      const path = put(png);
      if (shown) put(await overlayPng(shown, map));
      all.push(map);
      if (low === high) warnings.push(`${path} is black: the mean activation of "${name}" is ${low} everywhere`);
    }
  }
  if (isDrawn && shown) put(await contactSheet(shown, all));
  return { files, warnings };
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
 * Where the heat maps go: for each feature one file for each image of the batch, in this order. Of a picture each is
 * followed by the one over the picture, and at the end comes the contact sheet.
 *
 * @param {string} folder
 * @param {readonly string[]} names the features'
 * @param {{ images: number, isPicture: boolean }} what
 * @returns {import('./output.js').Named[]}
 */
function heatmapPlaces(folder, names, { images, isPicture }) {
  /** @type {Set<string>} */
  const taken = new Set([SHEET]);
  const files = names.flatMap((name) => {
    const stem = uniqueStem(name, taken);
    if (isPicture) return [`${stem}.png`, `${uniqueStem(`${name}-overlay`, taken)}.png`];
    return Array.from({ length: images }, (_, n) => (images === 1 ? `${stem}.png` : `${stem}-${n}.png`));
  });
  if (isPicture) files.push(`${SHEET}.png`);
  return files.map((file) => ({ option: '--heatmaps', path: join(folder, file) }));
}

/**
 * Fails features that can't be drawn.
 *
 * @param {readonly { name: string, shape: readonly number[] }[]} features
 * @throws {CommandError} for a feature of one pixel, whose heat map would be black whatever it holds
 */
function checkDrawn(features) {
  for (const { name, shape } of features) {
    if ((shape[2] ?? 1) * (shape[3] ?? 1) > 1) continue;
    const got = `"${name}" ${shapeText(shape)}`;
    throw new CommandError(`--heatmaps: expected features of more than one pixel, got ${got}; leave its layer out`);
  }
}

/** The name of the file with the picture and all its heat maps. */
const SHEET = 'contact-sheet';

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
