/**
 * The worker: from a photo, a network and a layer to the photo under the layer's heat map. A worker has no import map,
 * so the package is imported by its files.
 */

import { digitsNetwork } from './digits/network.mjs';
import { IntermediateLayerGetter, openWeights, semanticSegmentation } from './node_modules/layertap/dist/index.js';
import { createModel, listModels, modelInfo } from './node_modules/layertap/dist/models/registry.js';
import { heatmap, imageFrom, overlay } from './node_modules/layertap/dist/tools/index.js';

/** The network that comes with this folder. */
const DIGITS = 'digits';

/** Photos are scaled down to fit into this square. */
const SIDE = 512;

postMessage({ networks: [DIGITS, ...listModels()] });

/** What was tapped last, with its weights: the next photo needs nothing else. */
let last = { network: '', weights: undefined, layer: '', getter: undefined };

/** One question after the other, since reading weights takes turns of the event loop. */
let queue = Promise.resolve();

self.onmessage = ({ data: question }) => {
  if (question.photo) queue = queue.then(() => answer(question));
  else postMessage({ network: question.network, layers: layersOf(question.network) });
};

/** The layers that the page offers: the last one of each size. */
function layersOf(network) {
  if (network === DIGITS) return [1, 2, 3, 4].map((i) => `backbone.layer${i}`);
  return modelInfo(network).taps.map(({ layer }) => layer);
}

async function answer({ id, photo, network, weights, layer }) {
  try {
    const image = await imageOf(photo);
    const getter = await getterOf(network, weights, layer);
    // The whole photo, normalised as torchvision's presets have it.
    const x = semanticSegmentation(image, { resizeSize: null });
    const start = performance.now();
    const feature = getter.forward(x).get(layer);
    const ms = performance.now() - start;
    const { width, height } = image;
    const { data } = overlay(image, heatmap(feature, { width, height }));
    postMessage({ id, pixels: data, width, height, shape: [...feature.shape], ms }, [data.buffer]);
  } catch (error) {
    postMessage({ id, problem: error.message });
  }
}

/** A photo's pixels, colours as they are in the file, scaled down to fit. */
async function imageOf(photo) {
  const bitmap = await createImageBitmap(photo, { colorSpaceConversion: 'none' }).catch(() => {
    throw new Error(`${photo.name}: expected a picture that this browser can read`);
  });
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return imageFrom(canvas);
}

/** The network up to a layer. Of its weights, only the bytes of these layers are read. */
async function getterOf(network, weights, layer) {
  if (last.getter && last.network === network && last.weights === weights && last.layer === layer) return last.getter;
  const model = network === DIGITS ? digitsNetwork() : createModel(network);
  const getter = new IntermediateLayerGetter(model, { [layer]: layer });
  const source = weights ?? new URL('./digits/weights.safetensors', import.meta.url);
  const file = await openWeights(source);
  try {
    await getter.loadStateDictAsync(file);
  } finally {
    await file.close();
  }
  last = { network, weights, layer, getter };
  return getter;
}
