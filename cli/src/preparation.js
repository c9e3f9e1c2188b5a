/**
 * What is done to a photo, as data where it can be: so a worker can do it, and an index can say it.
 */

import {
  centerCrop,
  IMAGENET_MEAN,
  IMAGENET_STD,
  imageClassification,
  normalize,
  resize,
  semanticSegmentation,
  toTensor,
} from 'layertap';

/** @typedef {import('./choices.js').Preset} Preset */
/** @typedef {import('./weight-source.js').Recipe} Recipe */

const SHARED = { interpolation: 'bilinear', mean: IMAGENET_MEAN, std: IMAGENET_STD };

/** What each preset does to a photo. @type {Record<Preset, Recipe>} */
const RECIPES = {
  imagenet: { preset: 'imageClassification', options: { resizeSize: 256, cropSize: 224, ...SHARED } },
  segmentation: { preset: 'semanticSegmentation', options: { resizeSize: 520, ...SHARED } },
  none: { preset: 'none', options: {} },
};

/**
 * What the presets of recipes do.
 *
 * @type {Record<Recipe['preset'], (image: import('layertap').Image, options: any) =>
 *   import('layertap').Tensor<Float32Array>>}
 */
const PREPARE = {
  imageClassification,
  semanticSegmentation,
  none: (image) => toTensor(image),
  squash(image, { resizeSize, cropSize, interpolation, mean, std }) {
    const squashed = resize(image, { height: resizeSize, width: resizeSize }, interpolation);
    return normalize(toTensor(centerCrop(squashed, cropSize)), mean, std);
  },
};

/**
 * What is done to photos: by which name, whether the network sees the whole photo, in another size alone, and the
 * recipe, which is null where only a function is known.
 *
 * @typedef {{ name: string, isWhole: boolean, recipe: Recipe | null, prepare: (image: import('layertap').Image) =>
 *   import('layertap').Tensor<Float32Array> }} Prepared
 */

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
    return { ...own, recipe: own.recipe ?? (kind && options ? { preset: kind, options } : null) };
  }
  const name = preset ?? byDefault;
  const recipe = RECIPES[name];
  return { name, isWhole: name === 'segmentation', recipe, prepare: (image) => prepared(image, recipe) };
}

/**
 * How photos are prepared by a recipe that an index has; null where that isn't known here.
 *
 * @param {string} name
 * @param {Recipe | undefined} recipe
 * @returns {Prepared | null}
 */
export function preparationBy(name, recipe) {
  if (!recipe || !Object.hasOwn(PREPARE, recipe.preset)) return null;
  const isWhole = recipe.preset === 'semanticSegmentation';
  return { name, isWhole, recipe, prepare: (image) => prepared(image, recipe) };
}

/**
 * A recipe as a text, the same for those that do the same.
 *
 * @param {Recipe} recipe
 */
export function recipeText({ preset, options }) {
  const entries = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${preset} ${JSON.stringify(Object.fromEntries(entries))}`;
}

/**
 * The network's input.
 *
 * @param {import('layertap').Image} image
 * @param {Recipe} recipe
 * @returns {import('layertap').Tensor<Float32Array>}
 */
export function prepared(image, { preset, options }) {
  return PREPARE[preset](image, options);
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
