/** `layertap segment`: the class of each pixel, as a mask. */

import { Graph, LRASPP, SimpleSegmentationModel, saveSafetensors } from 'layertap';
import { CommandError } from './failures.js';
import { checkInputOptions, presetWarnings, readInput } from './input.js';
import { argmax, countClasses, encodeMask, MAX_CLASSES, resizeMask, threshold } from './mask.js';
import { buildModel } from './models.js';
import { checkOutputs, writeFiles } from './output.js';
import { bytesText, loading, msText, progress, shapeText, status, timed } from './print.js';
import { sourceOf, withModel } from './source.js';
import { withWeights } from './tensor-file.js';

/** The keys of the auxiliary head's weights, which torchvision's files have. */
const AUXILIARY = /^aux_classifier\./;

/** @typedef {import('layertap').Tensor<Float32Array>} Scores [1, C, H, W] */

/**
 * @typedef {object} SegmentOptions
 * @property {string} [model] unless the weights name it
 * @property {Record<string, unknown>} modelOptions
 * @property {string} weights
 * @property {string} [hubEndpoint]
 * @property {string | false} [cache]
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {string} [input]
 * @property {string} [image]
 * @property {import('./input.js').Preset} [preset]
 * @property {string} output
 * @property {string} [scores]
 * @property {boolean} [deterministic]
 */

/**
 * Computes the scores and writes the mask. Of a photo that was only resized, the mask has the photo's size; else the
 * input's. A pixel's class is the one with the highest score; of a network of one class, 1 where its score is above
 * 0.
 *
 * @param {SegmentOptions} given
 * @returns {Promise<import('./program.js').Outcome>}
 */
export async function segment(given) {
  checkInputOptions(given);
  const source = await sourceOf(given.weights, given);
  const options = withModel(given, source);
  const { output, scores: scoresPath, deterministic = false } = options;
  const { input: inputPath, image: imagePath } = options;
  checkOutputs({
    inputs: { '--weights': source.path, '--input': inputPath, '--image': imagePath },
    files: [
      { option: '--output', path: output },
      ...(scoresPath === undefined ? [] : [{ option: '--scores', path: scoresPath }]),
    ],
  });
  const whole = buildModel(options.model, options.modelOptions);
  checkModel(options.model, whole);

  status('reading …');
  const { input, image, preset, isWhole } = await readInput(options, source.preparation, 'segmentation');
  if (input.shape[0] !== 1) {
    const got = shapeText(input.shape);
    throw new CommandError(`segment: expected an input of one image [1, C, H, W], as a mask is, got ${got}`);
  }
  const classCount = classesOf(whole, input.shape);
  if (classCount > MAX_CLASSES) {
    throw new CommandError(`segment: expected at most ${MAX_CLASSES} classes, as a mask holds, got ${classCount}`);
  }
  const [weightsMs, model] = await timed(() =>
    withWeights(source, options, async (file) => {
      // The auxiliary head is worth its time only where its scores are kept.
      const hasAux = [...file.tensors.keys()].some((key) => AUXILIARY.test(key));
      const auxLoss = hasAux && scoresPath !== undefined && { auxLoss: true };
      const built = buildModel(options.model, { ...auxLoss, ...options.modelOptions });
      await built.loadStateDictAsync(hasHead(built) ? file : withoutAuxiliary(file), { onProgress: loading });
      return built.compile({ deterministic });
    }),
  );

  const onProgress = progress(`running ${options.model} on ${shapeText(input.shape)}`);
  const [runMs, outputs] = await timed(() => model.callAsync(input, { onProgress }));
  const scores = /** @type {Map<string, Scores>} */ (outputs);
  const out = /** @type {Scores} */ (scores.get('out'));
  checkScores(scores);
  const small = classCount === 1 ? threshold(out) : argmax(out);
  const mask = image && isWhole ? resizeMask(small, image) : small;
  const names = source.categories?.length === classCount ? source.categories : null;
  const classes = countClasses(mask).map((found) => ({ ...found, ...(names && { name: names[found.class] }) }));
  /** @type {import('./output.js').OutputFile[]} */
  const files = [{ option: '--output', path: output, bytes: encodeMask(mask) }];
  if (scoresPath !== undefined) {
    files.push({ option: '--scores', path: scoresPath, bytes: saveSafetensors(scores, [], { sorted: false }) });
  }
  await writeFiles(files);

  const binary = model.compiled?.binary;
  const { width, height } = mask;
  const share = (/** @type {number} */ pixels) => `${((pixels / (width * height)) * 100).toFixed(1)} %`;
  return {
    result: {
      command: 'segment',
      model: options.model,
      input: input.shape,
      preset,
      binary,
      weightsMs,
      runMs,
      scores: [...scores].map(([name, { shape }]) => ({ name, shape })),
      mask: { width, height, classes },
      output,
      scoresOutput: scoresPath ?? null,
    },
    lines: [
      `segmented ${shapeText(input.shape)} with ${options.model} and the ${binary} binary in ${msText(runMs)} ` +
        `(weights read in ${msText(weightsMs)})`,
      ...classes.map(
        ({ class: index, name, pixels }) => `  class ${index}${name ? ` (${name})` : ''}: ${share(pixels)}`,
      ),
      `wrote ${output} (${width} x ${height} pixels)`,
      ...files
        .slice(1)
        .map(({ path, bytes }) => `wrote ${path} (${[...scores.keys()].join(', ')}; ${bytesText(bytes.length)})`),
    ],
    warnings: presetWarnings(whole, preset),
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
 * @param {string} name
 * @param {import('layertap').Module<any>} model
 */
function checkModel(name, model) {
  if (model instanceof SimpleSegmentationModel || model instanceof LRASPP) return;
  throw new CommandError(`--model: expected a segmentation model such as deeplabv3_resnet50, got "${name}"`);
}

/**
 * How many classes a model tells apart, known from shapes alone.
 *
 * @param {import('layertap').Module<any>} model
 * @param {readonly number[]} input
 */
function classesOf(model, input) {
  return model.call(new Graph([input]).inputs[0]).get('out').shape[1];
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
