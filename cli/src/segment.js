/** `layertap segment`: the class of each pixel, as masks. */

import { LRASPP, SimpleSegmentationModel, saveSafetensors } from 'layertap';
import { CommandError, UsageError } from './failures.js';
import { inputsOf, oneInputOf, presetWarnings, readInput } from './input.js';
import { rowOf } from './lane.js';
import { argmax, countClasses, encodeMask, MAX_CLASSES, resizeMask, threshold } from './mask.js';
import { Network } from './network.js';
import { checkEnd, checkOutputs, checkPictures, writeFiles, writePicture } from './output.js';
import { STANDARD } from './pictures.js';
import { withPlaces } from './places.js';
import { bytesText, msText, shapeText, status } from './print.js';
import { outcomeOf, runInput, runPictures } from './run-pictures.js';

/** The keys of the auxiliary head's weights, which torchvision's files have. */
const AUXILIARY = /^aux_classifier\./;

/** @typedef {import('layertap').Tensor<Float32Array>} Scores [1, C, H, W] */

/**
 * @typedef {import('./network.js').NetworkOptions & import('./input.js').InputOptions & { scores?: string,
 *   batch?: number, autoOrient?: boolean, json?: boolean }} SegmentOptions scores are a file, or with outputDir a
 *   folder
 */

/** How many pixels a class has. @typedef {{ class: number, pixels: number, name?: string }} Found */

/**
 * Computes the scores and writes the masks. Of a photo that was only resized, the mask has the photo's size; else the
 * input's. A pixel's class is the one with the highest score; of a network of one class, 1 where its score is above
 * 0.
 *
 * @param {SegmentOptions} given
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
export async function segment(given) {
  const one = oneInputOf(given);
  return one ? segmentOne(one) : segmentAll(/** @type {any} */ (given));
}

/**
 * One input's mask.
 *
 * @param {SegmentOptions & { output: string }} given
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
async function segmentOne(given) {
  const { output, scores: scoresPath, quiet = false } = given;
  if (output === STANDARD && given.json) throw new UsageError('expected --output - or --json, got both');
  if (scoresPath === STANDARD) {
    throw new UsageError(`expected --scores as a file, got ${STANDARD}, which stands for stdout`);
  }
  const places = [
    { option: '--output', path: output },
    ...(scoresPath === undefined ? [] : [{ option: '--scores', path: scoresPath }]),
  ];
  for (const place of places) checkEnd(place, place.option === '--scores' ? ['.safetensors'] : ['.png', STANDARD]);
  const network = await Network.of(given, 'segmentation');
  checkOutputs({ ...inputsOf(given, network.source), files: places });
  checkModel(network);
  if (!quiet) status('reading …');
  const { input, image, preset } = await readInput(given, network.preparation);
  if (input.shape[0] !== 1) {
    const got = shapeText(input.shape);
    throw new CommandError(`segment: expected an input of one image [1, C, H, W], as a mask is, got ${got}`);
  }
  checkClasses(network, input.shape);
  const fit = fitOf(network, scoresPath !== undefined);
  const { output: scores, weightsMs, runMs } = await runInput(network, input, { quiet, fit });
  const { mask, classes } = maskOf(network, scores, image && network.preparation.isWhole ? image : null);
  const own = { option: '--output', path: output, bytes: encodeMask(mask) };
  const files = output === STANDARD ? [] : [own];
  if (scoresPath !== undefined) files.push({ option: '--scores', path: scoresPath, bytes: scoresBytes(scores) });
  if (output === STANDARD) process.stdout.write(own.bytes);
  await writeFiles(files);

  const binary = network.module.compiled?.binary;
  const { width, height } = mask;
  const share = (/** @type {number} */ pixels) => `${((pixels / (width * height)) * 100).toFixed(1)} %`;
  return {
    result: {
      command: 'segment',
      model: network.model,
      input: input.shape,
      preset,
      binary,
      threads: network.threads,
      weightsMs,
      runMs,
      scores: [...scores].map(([name, { shape }]) => ({ name, shape })),
      mask: { width, height, classes },
      output,
      scoresOutput: scoresPath ?? null,
    },
    lines: [
      `segmented ${shapeText(input.shape)} with ${network.model} and the ${binary} binary in ${msText(runMs)} ` +
        `(weights read in ${msText(weightsMs)})`,
      ...classes.map(
        ({ class: index, name, pixels }) => `  class ${index}${name ? ` (${name})` : ''}: ${share(pixels)}`,
      ),
      `wrote ${output === STANDARD ? 'to stdout' : output} (${width} x ${height} pixels)`,
      ...files
        .filter(({ option }) => option === '--scores')
        .map(({ path, bytes }) => `wrote ${path} (${[...scores.keys()].join(', ')}; ${bytesText(bytes.length)})`),
    ],
    warnings: presetWarnings(network.module, preset),
    isOnStderr: output === STANDARD,
  };
}

/**
 * A mask for each picture, in a folder.
 *
 * @param {SegmentOptions & { pictures: readonly string[], outputDir: string }} options
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
async function segmentAll(options) {
  const { outputDir, scores: scoresFolder } = options;
  const folders = { '--output-dir': outputDir, '--scores': scoresFolder };
  const { all, left, placesOf } = await withPlaces(options, folders, (below) => [
    { option: '--output-dir', path: `${below(outputDir)}.png` },
    ...(scoresFolder === undefined ? [] : [{ option: '--scores', path: `${below(scoresFolder)}.safetensors` }]),
  ]);
  const network = await Network.of(options, 'segmentation');
  checkPictures({
    inputs: { '--weights': network.source.path },
    pictures: all,
    left,
    folders,
    placesOf,
  });
  checkModel(network);
  /** @type {{ picture: string, width: number, height: number, classes: Found[] }[]} */
  const masks = [];
  const ran = await runPictures({
    network,
    pictures: left,
    options,
    fit: fitOf(network, scoresFolder !== undefined),
    onInput: (shape) => checkClasses(network, shape),
    async take(picture, batch, index, { size }) {
      const scores = new Map(Array.from(batch, ([name, of]) => [String(name), rowOf(of, index)]));
      const { mask, classes } = maskOf(network, scores, network.preparation.isWhole ? size : null);
      const [place, ...others] = placesOf(picture);
      await writePicture([
        { ...place, bytes: encodeMask(mask) },
        ...others.map((other) => ({ ...other, bytes: scoresBytes(scores) })),
      ]);
      masks.push({ picture, width: mask.width, height: mask.height, classes });
    },
  });
  const skipped = all.length - left.length;
  return {
    ...outcomeOf({
      ...{ command: 'segment', verb: 'segmented', network, ran, skipped },
      result: { masks, outputDir, scoresOutput: scoresFolder ?? null, segmented: ran.done, skipped },
      lines: ran.done > 0 ? [`wrote ${outputDir}`] : [],
    }),
    warnings: presetWarnings(network.module, network.preparation.name),
  };
}

/**
 * The mask of some scores, and which classes it has.
 *
 * @param {Network} network
 * @param {Map<string, Scores>} scores
 * @param {{ width: number, height: number } | null} size the mask's, where it isn't that of the scores
 * @throws {CommandError} for scores that say nothing
 */
function maskOf({ source }, scores, size) {
  const out = /** @type {Scores} */ (scores.get('out'));
  checkScores(scores);
  const count = out.shape[1];
  const small = count === 1 ? threshold(out) : argmax(out);
  const mask = size ? resizeMask(small, size) : small;
  const names = source.categories?.length === count ? source.categories : null;
  /** @type {Found[]} */
  const classes = countClasses(mask).map((found) => ({ ...found, ...(names && { name: names[found.class] }) }));
  return { mask, classes };
}

/** @param {Map<string, Scores>} scores */
function scoresBytes(scores) {
  return saveSafetensors(scores, [], { sorted: false });
}

/**
 * What fits a file to the network: the auxiliary head is worth its time only where its scores are kept.
 *
 * @param {Network} network
 * @param {boolean} keepsScores
 * @returns {(file: import('layertap').TensorStream) => import('layertap').TensorStream}
 */
function fitOf(network, keepsScores) {
  return (file) => {
    const hasAux = [...file.tensors.keys()].some((key) => AUXILIARY.test(key));
    if (hasAux && keepsScores) network.extend({ auxLoss: true });
    return hasHead(network.module) ? file : withoutAuxiliary(file);
  };
}

/**
 * @param {import('layertap').Module<any>} model
 */
function hasHead(model) {
  return model instanceof SimpleSegmentationModel && model.aux_classifier !== null;
}

/**
 * The file as one of a network without the auxiliary head.
 *
 * @param {import('layertap').TensorStream} file
 * @returns {import('layertap').TensorStream}
 */
function withoutAuxiliary(file) {
  const tensors = new Map([...file.tensors].filter(([key]) => !AUXILIARY.test(key)));
  return { tensors, stream: (...args) => file.stream(...args) };
}

/**
 * @param {Network} network
 * @throws {CommandError}
 */
function checkModel({ model, module }) {
  if (module instanceof SimpleSegmentationModel || module instanceof LRASPP) return;
  throw new CommandError(`--model: expected a segmentation model such as deeplabv3_resnet50, got "${model}"`);
}

/**
 * Fails a network with more classes than a mask holds, which shapes alone tell.
 *
 * @param {Network} network
 * @param {readonly number[]} input
 * @throws {CommandError}
 */
function checkClasses(network, input) {
  const count = network.outputFor(input)?.get('out').shape[1] ?? 0;
  if (count <= MAX_CLASSES) return;
  throw new CommandError(`segment: expected at most ${MAX_CLASSES} classes, as a mask holds, got ${count}`);
}

/**
 * Fails scores that say nothing about their pixels' classes.
 *
 * @param {ReadonlyMap<string, Scores>} scores
 */
function checkScores(scores) {
  for (const [name, { data }] of scores) {
    const count = data.reduce((sum, score) => sum + Number(Number.isNaN(score)), 0);
    if (count === 0) continue;
    const got = `${count} of ${data.length} in "${name}" that are NaN`;
    throw new CommandError(`segment: expected scores that are numbers, got ${got}; look at the weights and the input`);
  }
}
