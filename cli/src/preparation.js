/**
 * What is done to a photo, as data where it can be: so a worker can do it, and an index can say it.
 */

import { imageClassification, semanticSegmentation, toTensor } from 'layertap';

/**
 * One of torchvision's presets with its options.
 *
 * @typedef {{ preset: 'imageClassification' | 'semanticSegmentation' | 'none', options: object }} Recipe
 */

/** What each preset does to a photo. */
const RECIPES = {
  imagenet: recipe('imageClassification'),
  segmentation: recipe('semanticSegmentation'),
  none: recipe('none'),
};

/** @typedef {keyof typeof RECIPES} Preset */

/** The presets' names. */
export const PRESETS = Object.keys(RECIPES);

/**
 * What is done to photos: by which name, whether the network sees the whole photo, in another size alone, and the
 * recipe, which is null where only a function is known.
 *
 * @typedef {{ name: string, isWhole: boolean, recipe: Recipe | null, prepare: (image: import('layertap').Image) =>
 *   import('layertap').Tensor<Float32Array> }} Prepared
 */

/**
 * @param {Recipe['preset']} preset
 * @returns {Recipe}
 */
function recipe(preset) {
  return { preset, options: {} };
}

/**
 * How photos are prepared: by the preset that was given, else as the weights want it, else by the default.
 *
 * @param {Preset | undefined} preset
 * @param {import('./weight-source.js').Preparation | undefined} own what the weights want
 * @param {Preset} [byDefault]
 * @returns {Prepared}
 */
export function preparationOf(preset, own, byDefault = 'imagenet') {
  if (preset === undefined && own) {
    const { preset: kind, options } = /** @type {Partial<Recipe>} */ (/** @type {unknown} */ (own.prepare));
    return { ...own, recipe: kind && options ? { preset: kind, options } : null };
  }
  const name = preset ?? byDefault;
  const recipe = RECIPES[name];
  return { name, isWhole: name === 'segmentation', recipe, prepare: (image) => prepared(image, recipe) };
}

/**
 * The network's input.
 *
 * @param {import('layertap').Image} image
 * @param {Recipe} recipe
 * @returns {import('layertap').Tensor<Float32Array>}
 */
export function prepared(image, { preset, options }) {
  if (preset === 'imageClassification') return imageClassification(image, options);
  return preset === 'semanticSegmentation' ? semanticSegmentation(image, options) : toTensor(image);
}

/**
 * The picture that a network saw: its input on the scale from 0 to 255 again. What black and white become tells the
 * scale of each channel.
 *
 * @param {import('layertap').Tensor<Float32Array>} input [1, 3, H, W]
 * @param {(image: import('layertap').Image) => import('layertap').Tensor<Float32Array>} prepare
 * @returns {import('layertap').Image}
 */
export function shownPicture({ data, shape }, prepare) {
  const [, , height, width] = shape;
  const plane = height * width;
  const flat = (/** @type {number} */ value) => {
    const out = prepare({ data: new Uint8Array(64 * 64 * 3).fill(value), width: 64, height: 64 });
    const middle = Math.floor(out.shape[2] / 2) * out.shape[3] + Math.floor(out.shape[3] / 2);
    return [0, 1, 2].map((c) => out.data[c * out.shape[2] * out.shape[3] + middle]);
  };
  const [black, white] = [flat(0), flat(255)];
  const pixels = new Uint8ClampedArray(plane * 3);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < plane; i++) {
      pixels[i * 3 + c] = ((data[c * plane + i] - black[c]) / (white[c] - black[c])) * 255;
    }
  }
  return { data: new Uint8Array(pixels.buffer), width, height };
}
