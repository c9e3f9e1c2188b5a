/**
 * What options choose from, and what a text says by itself. No core is loaded for these: help, shells and errors need
 * no more.
 */

/** What a file of features can be. */
export const FORMATS = /** @type {const} */ (['safetensors', 'npy', 'npz']);

/** @typedef {typeof FORMATS[number]} Format */

/** What can be done to a photo. */
export const PRESETS = /** @type {const} */ (['imagenet', 'segmentation', 'none']);

/** @typedef {typeof PRESETS[number]} Preset */

/** What numbers with a fraction can be written as. */
export const DTYPES = ['f32', 'f16', 'bf16'];

/** What the name of a repository of the Hugging Face hub begins with. */
export const HUB = 'hub:';

/** torchvision's names of weights, which have the model in them. */
export const FULL_NAME = /^\w+_Weights\.\w+$/;

/**
 * Whether the model follows from what weights are called.
 *
 * @param {string | undefined} weights
 */
export function namesModel(weights = '') {
  return weights.startsWith(HUB) || FULL_NAME.test(weights);
}
