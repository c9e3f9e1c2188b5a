/** `layertap extract`: features of some layers, computed up to the last of them. */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandError, UsageError } from './failures.js';
import { checkFormat, featureBytes, formatOf } from './feature-file.js';
import { contactSheet, heatmaps, overlayPng } from './heatmap.js';
import { checkInputOptions, presetWarnings, readInput } from './input.js';
import { rowOf } from './lane.js';
import { Network } from './network.js';
import { checkOutputs, writeFiles } from './output.js';
import { isOnePicture, namesBelow, picturesOf, STANDARD } from './pictures.js';
import { shownPicture } from './preparation.js';
import { bytesText, msText, progress, shapeText, status, table, timed } from './print.js';
import { outcomeOf, runPictures } from './run-pictures.js';

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
 * @property {import('./input.js').Preset} [preset]
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
 * @returns {Promise<import('./program.js').Outcome>}
 */
export async function extract(given) {
  const { pictures = [], outputDir } = given;
  const isMany = pictures.length > 0;
  if (isMany && (given.input !== undefined || given.image !== undefined)) {
    throw new UsageError(`expected pictures or --${given.input === undefined ? 'image' : 'input'}, got both`);
  }
  if (given.skipExisting && outputDir === undefined) {
    throw new UsageError('expected --skip-existing with --output-dir, got it without');
  }
  if (!isMany && outputDir !== undefined) throw new UsageError('expected --output-dir with pictures, got it without');
  if (!isMany) return extractOne(given);
  const isOne = pictures.length === 1 && isOnePicture(pictures[0]);
  if (given.output !== undefined && outputDir !== undefined) {
    throw new UsageError('expected --output or --output-dir, got both');
  }
  if (outputDir !== undefined) return extractAll(/** @type {any} */ (given));
  if (isOne && given.output !== undefined) return extractOne({ ...given, image: pictures[0] });
  if (given.output !== undefined) throw new UsageError('expected --output-dir with several pictures, got --output');
  throw new UsageError(`expected ${isOne ? '--output or --output-dir' : '--output-dir'} with pictures, got none`);
}

/**
 * One input's features as one file.
 *
 * @param {ExtractOptions} given
 * @returns {Promise<import('./program.js').Outcome>}
 */
async function extractOne(given) {
  checkInputOptions(given);
  const { output } = given;
  if (output === undefined) throw new UsageError("required option '--output <file>' not specified");
  const network = await Network.of(given);
  const { layers, heatmaps: folder } = given;
  const format = given.format ?? formatOf(output);
  checkFormat(format, layers.size);
  if (output === '-' && given.json) throw new UsageError('expected --output - or --json, got both');
  network.checkLayers(layers);

  status('reading …');
  const model = network.module;
  const { input, preset, prepare } = await readInput(given, network.source.preparation, 'imagenet');
  const tapped = network.tap(layers, input.shape);
  const info = tapped.featureInfo(input.shape).map(({ name, ...rest }) => ({ ...rest, name: String(name) }));
  const isPicture = prepare !== null;
  const maps = folder === undefined ? [] : heatmapPlaces(folder, info, { images: input.shape[0], isPicture });
  const heatmapFolder = folder === undefined ? null : { option: '--heatmaps', path: folder };
  const { input: inputPath, image: imagePath } = given;
  checkOutputs({
    inputs: {
      '--weights': network.source.path,
      '--input': inputPath,
      '--image': imagePath === '-' ? undefined : imagePath,
    },
    files: [...(output === '-' ? [] : [{ option: '--output', path: output }]), ...maps],
    folder: heatmapFolder,
  });
  const { features, weightsMs, runMs } = await featuresBy(network, input);
  const names = namesOf(features);
  const own = { option: '--output', path: output, bytes: featureBytes(format, names) };
  const shown = prepare && folder !== undefined ? shownPicture(input, prepare) : null;
  const drawn = await draw(names, { input, shown, places: maps });
  const warnings = [...presetWarnings(model, preset), ...drawn.warnings];
  const files = [...(output === '-' ? [] : [own]), ...drawn.files];
  if (output === '-') process.stdout.write(own.bytes);
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
      `wrote ${output === STANDARD ? 'to stdout' : output} (${bytesText(own.bytes.length)})`,
      ...maps.map((map) => `wrote ${map.path}`),
    ],
    warnings,
    isOnStderr: output === '-',
  };
}

/**
 * A file of features for each picture, in a folder.
 *
 * @param {ExtractOptions & { pictures: readonly string[], outputDir: string }} options
 * @returns {Promise<import('./program.js').Outcome>}
 */
async function extractAll(options) {
  const { layers, outputDir, heatmaps: folder, skipExisting = false, format = 'safetensors' } = options;
  checkFormat(format, layers.size);
  const all = await picturesOf(options.pictures);
  const stems = namesBelow(all);
  const placeOf = (/** @type {string} */ picture) => join(outputDir, `${stems.get(picture)}.${format}`);
  const pictures = skipExisting ? all.filter((picture) => !existsSync(placeOf(picture))) : all;
  const network = await Network.of(options);
  network.checkLayers(layers);
  checkOutputs({ inputs: {}, files: [], folder: { option: '--output-dir', path: outputDir } });
  if (folder !== undefined) checkOutputs({ inputs: {}, files: [], folder: { option: '--heatmaps', path: folder } });
  /** @type {import('layertap').FeatureInfo<any>[]} */
  let info = [];
  const ran = await runPictures({
    network,
    pictures,
    options,
    layers,
    keepsInputs: folder !== undefined,
    onReady(shape) {
      info = /** @type {any} */ (network.module).featureInfo(shape);
    },
    async take(picture, features, index, input) {
      /** @type {[string, import('layertap').Tensor<Float32Array>][]} */
      const own = namesOf(features).map(([name, feature]) => [name, rowOf(feature, index)]);
      for (const [name, { data }] of own) {
        const count = countNonFinite(data);
        if (count > 0)
          throw new CommandError(`"${name}" has ${count} of ${data.length} values that are NaN or infinite`);
      }
      let files = [{ option: '--output-dir', path: placeOf(picture), bytes: featureBytes(format, own) }];
      if (folder !== undefined) {
        const places = heatmapPlaces(join(folder, stems.get(picture) ?? ''), info, { images: 1, isPicture: true });
        const one = rowOf(input, index);
        const shown = shownPicture(one, network.preparation.prepare);
        files = [...files, ...(await draw(own, { input: one, shown, places })).files];
      }
      for (const place of new Set(files.map(({ path }) => dirname(path)))) mkdirSync(place, { recursive: true });
      await writeFiles(files);
    },
  });
  const skipped = all.length - pictures.length;
  const told = info.map(({ name, module, shape }) => ({ name: String(name), layer: module, shape }));
  return outcomeOf({
    ...{ command: 'extract', verb: 'extracted features of', network, ran, skipped },
    result: { features: told, outputDir, extracted: ran.done, skipped },
    lines: [`wrote ${outputDir}`],
  });
}

/**
 * Features of one input, which all threads share.
 *
 * @param {Network} network cut after its layers, and closed in the end
 * @param {import('./lane.js').Input} input
 */
async function featuresBy(network, input) {
  try {
    const [weightsMs, runner] = await timed(() => network.start(input.shape));
    const told = progress(`running ${network.model} on ${shapeText(input.shape)}`);
    const run = () => runner.run([{ picture: '', input }], (part) => told({ done: part, total: 1 }));
    const [runMs, { groups, failures }] = await timed(run);
    for (const { error } of failures) throw error;
    return { features: groups[0].output, weightsMs, runMs };
  } finally {
    await network.close();
  }
}

/**
 * Pictures of features: a heat map of each, of photos also over the photo, and all side by side.
 *
 * @param {readonly [string, import('layertap').Tensor<Float32Array>][]} names
 * @param {{ input: import('layertap').Tensor<Float32Array>, shown: import('layertap').Image | null,
 *   places: readonly import('./output.js').Named[] }} what none where there are no places
 * @returns {Promise<{ files: import('./output.js').OutputFile[], warnings: string[] }>}
 */
async function draw(names, { input, shown, places }) {
  const size = { height: input.shape[2], width: input.shape[3] };
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
 * @param {readonly { name: unknown, shape: readonly number[] }[]} features
 * @param {{ images: number, isPicture: boolean }} what
 * @returns {import('./output.js').Named[]}
 * @throws {CommandError} for a feature of one pixel, whose heat map would be black whatever it holds
 */
function heatmapPlaces(folder, features, { images, isPicture }) {
  /** @type {Set<string>} */
  const taken = new Set([SHEET]);
  const files = features.flatMap(({ name, shape }) => {
    if ((shape[2] ?? 1) * (shape[3] ?? 1) === 1) {
      const got = `"${name}" ${shapeText(shape)}`;
      throw new CommandError(`--heatmaps: expected features of more than one pixel, got ${got}; leave its layer out`);
    }
    const stem = uniqueStem(String(name), taken);
    if (isPicture) return [`${stem}.png`, `${uniqueStem(`${name}-overlay`, taken)}.png`];
    return Array.from({ length: images }, (_, n) => (images === 1 ? `${stem}.png` : `${stem}-${n}.png`));
  });
  if (isPicture) files.push(`${SHEET}.png`);
  return files.map((file) => ({ option: '--heatmaps', path: join(folder, file) }));
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
