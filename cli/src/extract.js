/** `layertap extract`: features of some layers, computed up to the last of them. */

import { join } from 'node:path';
import { IntermediateLayerGetter, saveSafetensors } from 'layertap';
import { heatmaps } from './heatmap.js';
import { checkInputOptions, readInput } from './input.js';
import { buildModel } from './models.js';
import { checkDistinct, checkFile, checkFolder, writeFiles } from './output.js';
import { bytesText, msText, shapeText, status, table } from './print.js';
import { TensorFile } from './tensor-file.js';
import { loadWeights } from './weights.js';

/**
 * @typedef {object} ExtractOptions
 * @property {string} model
 * @property {Record<string, unknown>} modelOptions
 * @property {string} weights
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
 * @param {ExtractOptions} options
 * @returns {Promise<{ result: object, lines: string[] }>} for --json, and for people
 */
export async function extract(options) {
  const { layers, output, heatmaps: folder, deterministic = false } = options;
  checkInputOptions(options);
  const { weights: weightsPath, input: inputPath, image: imagePath } = options;
  checkDistinct({ '--weights': weightsPath, '--input': inputPath, '--image': imagePath, '--output': output });
  const model = buildModel(options.model, options.modelOptions);
  const getter = new IntermediateLayerGetter(model, layers).compile({ deterministic });
  checkFile('--output', output);
  if (folder !== undefined) checkFolder('--heatmaps', folder);

  status('reading …');
  const { input, preset } = await readInput(options, 'imagenet');
  const weights = new TensorFile('--weights', weightsPath);
  const [weightsMs] = timed(() => {
    try {
      loadWeights(weights, model, getter);
    } finally {
      weights.close();
    }
  });

  status(`running ${options.model} on ${shapeText(input.shape)} …`);
  const info = getter.featureInfo(input.shape);
  const [runMs, features] = timed(() => getter.forward(input));
  /** @type {import('./output.js').OutputFile[]} */
  const files = [
    { option: '--output', path: output, bytes: saveSafetensors(namesOf(features), [], { sorted: false }) },
  ];
  const size = { height: input.shape[2], width: input.shape[3] };
  if (folder !== undefined) {
    const taken = new Set();
    for (const [name, feature] of features) {
      const maps = await heatmaps(feature, size);
      const stem = uniqueStem(String(name), taken);
      for (const [n, bytes] of maps.entries()) {
        const file = maps.length === 1 ? `${stem}.png` : `${stem}-${n}.png`;
        files.push({ option: '--heatmaps', path: join(folder, file), bytes });
      }
    }
  }
  await writeFiles(files, folder === undefined ? null : { option: '--heatmaps', path: folder });

  const binary = getter.compiled?.binary;
  const tapped = info.map(({ name, module, shape, reduction, macs, bytes }) => ({
    name: String(name),
    layer: module,
    shape,
    reduction,
    macs,
    bytes,
  }));
  const [{ path, bytes }, ...pngs] = files;
  return {
    result: {
      command: 'extract',
      model: options.model,
      input: input.shape,
      preset,
      binary,
      weightsMs,
      runMs,
      features: tapped,
      output: path,
      heatmaps: pngs.map((png) => png.path),
    },
    lines: [
      `tapped ${options.model} on ${shapeText(input.shape)} with the ${binary} binary in ${msText(runMs)} (weights read in ${msText(weightsMs)})`,
      ...table(tapped.map(({ name, layer, shape }) => [`  ${name}`, layer, shapeText(shape)])),
      `wrote ${path} (${bytesText(bytes.length)})`,
      ...pngs.map((png) => `wrote ${png.path}`),
    ],
  };
}

/**
 * Milliseconds that a function took, and what it returned.
 *
 * @template T
 * @param {() => T} run
 * @returns {[ms: number, result: T]}
 */
export function timed(run) {
  const begin = performance.now();
  const result = run();
  return [Math.round((performance.now() - begin) * 100) / 100, result];
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
 * A file's name for a feature: letters, digits, `.`, `_` and `-`, and no other feature's, in folders that ignore case too.
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
