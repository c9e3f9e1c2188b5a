/** What is computed of a picture: the mean of a network's last feature over all pixels, at length 1. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { IntermediateLayerGetter, imageClassification, openWeights } from 'layertap';
import { createModel, modelInfo } from 'layertap/models';
import { globalAveragePool, l2Normalize } from 'layertap/tools';
import { digitsNetwork } from './digits/network.mjs';
import { readFrom } from './files.mjs';

/** torchvision's preset, with the sizes that most of its weights want. */
const PRESET = { resizeSize: 256, cropSize: 224 };

const DIGITS = { model: 'digits', weights: fileURLToPath(new URL('digits/weights.safetensors', import.meta.url)) };

/**
 * @typedef {object} Fingerprint what a vector depends on; vectors of another one can't be compared with it
 * @property {string} model torchvision's name, or `digits`
 * @property {string} weights SHA-256 of the weights' file
 * @property {string} layer
 * @property {string} preset
 */

/**
 * @typedef {object} Embedding
 * @property {(image: import('layertap').Image) => Float32Array} embed a vector of length 1
 * @property {number} size of a vector
 * @property {Fingerprint} fingerprint
 */

/**
 * @param {{ model?: string, weights?: string }} options a model's name with the file of its weights; the digits network
 *   unless given
 * @returns {Promise<Embedding>}
 */
export async function createEmbedding(options = {}) {
  if ((options.model === undefined) !== (options.weights === undefined)) {
    throw new Error('embedding: expected --model and --weights together, got one of them');
  }
  const { model, weights } = /** @type {typeof DIGITS} */ ({ ...DIGITS, ...options });
  const { network, layer } = model === DIGITS.model ? digits() : torchvision(model);
  const getter = new IntermediateLayerGetter(network, { [layer]: 'out' });
  const bytes = await readFrom('embedding: expected readable weights', weights, () => readFile(weights));
  await getter.loadStateDictAsync(await openWeights(bytes));

  const { shape } = getter.featureInfo([1, 3, PRESET.cropSize, PRESET.cropSize])[0];
  return {
    embed(image) {
      const features = getter.forward(imageClassification(image, PRESET));
      const feature = /** @type {import('layertap').Tensor} */ (features.get('out'));
      return l2Normalize(globalAveragePool(feature)).data;
    },
    size: shape[1],
    fingerprint: {
      model,
      weights: createHash('sha256').update(bytes).digest('hex'),
      layer,
      preset: `imageClassification ${JSON.stringify(PRESET)}`,
    },
  };
}

const digits = () => ({ network: digitsNetwork(), layer: 'backbone.layer4' });

/** A network without values, and its last layer of features. @param {any} name which the package checks */
function torchvision(name) {
  const layers = modelInfo(name).taps.map(({ layer }) => layer);
  const network = /** @type {import('layertap').Module} */ (createModel(name));
  return { network, layer: layers[layers.length - 1] };
}
