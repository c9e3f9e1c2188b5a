/** What a network is given: a tensor from a safetensors file, or a photo prepared by one of torchvision's presets. */

import { imageClassification, LRASPP, SimpleSegmentationModel, semanticSegmentation, toTensor } from 'layertap';
import { CommandError, UsageError } from './failures.js';
import { readPhoto } from './photo.js';
import { withTensorFile } from './tensor-file.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Input float32, [N, C, H, W] */
/** @typedef {import('layertap').Image} Image */

/** What each preset does to an image. */
export const PRESETS = {
  /** @param {Image} image */
  imagenet: (image) => imageClassification(image),
  /** @param {Image} image */
  segmentation: (image) => semanticSegmentation(image),
  /** @param {Image} image */
  none: (image) => toTensor(image),
};

/** @typedef {keyof typeof PRESETS} Preset */

/** The tensor's name in an input file. */
const NAME = 'input';

/**
 * The input that the options name: exactly one of a tensor and a photo. A photo is prepared by the preset that was
 * given, else as the weights want it, else by the default.
 *
 * @param {{ input?: string, image?: string, pictures?: readonly string[], preset?: Preset, autoOrient?: boolean
 *   }} options pictures where no option named the photo
 * @param {import('./source.js').Preparation | undefined} own what the weights want
 * @param {Preset} defaultPreset
 * @returns {Promise<{ input: Input, image: Image | null, preset: string | null, isWhole: boolean,
 *   prepare: ((image: Image) => Input) | null }>} with the photo as it was decoded, whether the network sees all of it,
 *   and in another size alone, and what was done to it
 */
export async function readInput({ input, image: path, pictures, preset, autoOrient = false }, own, defaultPreset) {
  if (input !== undefined) {
    return { input: await readTensor(input), image: null, preset: null, isWhole: false, prepare: null };
  }
  const option = pictures && pictures.length > 0 ? '' : '--image';
  const image = await readPhoto(option, /** @type {string} */ (path), { autoOrient });
  const chosen = preset ?? defaultPreset;
  const named = { name: chosen, isWhole: chosen === 'segmentation', prepare: PRESETS[chosen] };
  const { name, isWhole, prepare } = preset === undefined && own ? own : named;
  return { input: prepare(image), image, preset: name, isWhole, prepare };
}

/**
 * Checks, before anything is read, that the options name exactly one input.
 *
 * @param {{ input?: string, image?: string, preset?: Preset }} options
 * @throws {UsageError}
 */
export function checkInputOptions({ input, image, preset }) {
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
