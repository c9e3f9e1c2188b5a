/** What a network is given: a tensor from a safetensors file, or photos. */

import { LRASPP, SimpleSegmentationModel } from 'layertap';
import { CommandError, UsageError } from './failures.js';
import { readPhoto } from './photo.js';
import { isOnePicture } from './pictures.js';
import { withTensorFile } from './tensor-file.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Input float32, [N, C, H, W] */
/** @typedef {import('layertap').Image} Image */

/** The tensor's name in an input file. */
const NAME = 'input';

/**
 * The options that say what is read, and where to.
 *
 * @typedef {object} InputOptions
 * @property {readonly string[]} [pictures]
 * @property {string} [image]
 * @property {string} [input]
 * @property {string} [output] of one input
 * @property {string} [outputDir] of several
 * @property {boolean} [skipExisting]
 */

/**
 * The options of one input, or null where they are of several pictures, for which a folder is there.
 *
 * @template {InputOptions} Options
 * @param {Options} options
 * @returns {Options & { output: string } | null} with the picture as `image`
 * @throws {UsageError} where they don't fit together
 */
export function oneInputOf(options) {
  const { pictures = [], image, input, output, outputDir } = options;
  const isSome = pictures.length > 0;
  if (isSome && (input !== undefined || image !== undefined)) {
    throw new UsageError(`expected pictures or --${input === undefined ? 'image' : 'input'}, got both`);
  }
  if (options.skipExisting && outputDir === undefined) {
    throw new UsageError('expected --skip-existing with --output-dir, got it without');
  }
  if (!isSome && outputDir !== undefined) throw new UsageError('expected --output-dir with pictures, got it without');
  if (output !== undefined && outputDir !== undefined) {
    throw new UsageError('expected --output or --output-dir, got both');
  }
  if (outputDir !== undefined) return null;
  if (!isSome) {
    checkInputOptions(options);
    if (output !== undefined) return { ...options, output };
    throw new UsageError("required option '--output <file>' not specified");
  }
  const isOne = pictures.length === 1 && isOnePicture(pictures[0]);
  if (isOne && output !== undefined) return { ...options, output, image: pictures[0] };
  if (output !== undefined) throw new UsageError('expected --output-dir with several pictures, got --output');
  throw new UsageError(`expected ${isOne ? '--output or --output-dir' : '--output-dir'} with pictures, got none`);
}

/**
 * What a command reads for one input, as `checkOutputs` takes it.
 *
 * @param {InputOptions} options
 * @param {import('./weight-source.js').WeightSource} source
 * @returns {import('./output.js').Inputs}
 */
export function inputsOf({ input, image, pictures = [] }, { path }) {
  const named = pictures.length > 0 ? undefined : image;
  return { inputs: { '--weights': path, '--input': input, '--image': named }, pictures };
}

/**
 * The input that the options name: a tensor or a photo.
 *
 * @param {{ input?: string, image?: string, pictures?: readonly string[], autoOrient?: boolean }} options
 *   pictures where no option named the photo
 * @param {import('./preparation.js').Prepared} preparation
 * @returns {Promise<{ input: Input, image: Image | null, preset: string | null }>} with the photo as it was decoded,
 *   and what was done to it
 */
export async function readInput({ input, image: path, pictures, autoOrient = false }, { name, prepare }) {
  if (input !== undefined) return { input: await readTensor(input), image: null, preset: null };
  const option = pictures && pictures.length > 0 ? '' : '--image';
  const image = await readPhoto(option, /** @type {string} */ (path), { autoOrient });
  return { input: prepare(image), image, preset: name };
}

/**
 * Checks, before anything is read, that the options name exactly one input.
 *
 * @param {{ input?: string, image?: string, preset?: string }} options
 * @throws {UsageError}
 */
function checkInputOptions({ input, image, preset }) {
  if (input === undefined && image === undefined) throw new UsageError('expected --input or --image, got neither');
  if (input !== undefined && image !== undefined) throw new UsageError('expected --input or --image, got both');
  if (input !== undefined && preset !== undefined) {
    throw new UsageError('expected --preset only with --image, got it with --input');
  }
}

/**
 * What should be known of a preset with a model.
 *
 * @param {import('layertap').Module<any>} model
 * @param {string | null} preset
 * @returns {string[]}
 */
export function presetWarnings(model, preset) {
  const isSegmentation = model instanceof SimpleSegmentationModel || model instanceof LRASPP;
  if (preset !== 'none' || !isSegmentation) return [];
  return [
    '--preset none leaves pixels in 0..1; segmentation networks with weights of torchvision expect normalised ones',
  ];
}

/**
 * @param {string} path
 * @returns {Promise<Input>}
 */
function readTensor(path) {
  return withTensorFile('--input', path, async (file, label) => {
    const info = file.tensors.get(NAME);
    if (!info) {
      const names = [...file.tensors.keys()].slice(0, 8).map((name) => JSON.stringify(name));
      throw new CommandError(`${label}: expected a tensor named "${NAME}", got ${names.join(', ') || 'none'}`);
    }
    const { dtype, shape } = info;
    if (dtype !== 'F32') throw new CommandError(`${label}: expected "${NAME}" in F32, got ${dtype}`);
    if (shape.length !== 4 || shape.includes(0)) {
      const got = `[${shape.join(', ')}]`;
      throw new CommandError(`${label}: expected "${NAME}" [N, C, H, W] without empty axes, got ${got}`);
    }
    const tensors = await file.load([NAME]);
    return /** @type {import('layertap').Tensor} */ (tensors.get(NAME)).float();
  });
}
