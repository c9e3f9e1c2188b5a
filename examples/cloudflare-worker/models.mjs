/** What can be served, by name: how it is built, what it wants to see, and what it answers. */

import {
  IntermediateLayerGetter,
  imageClassification,
  mobilenet_v3_large,
  resnet18,
  resnet50,
  semanticSegmentation,
} from 'layertap';
import { digitsNetwork } from './digits/network.mjs';

/**
 * @typedef {object} Served
 * @property {() => import('layertap').Module<any>} build without weights
 * @property {(image: import('layertap').Image) => import('layertap').Tensor<Float32Array>} prepare
 * @property {(network: any, x: any) => Map<string, import('layertap').Tensor<Float32Array>>} features
 * @property {((network: any, x: any) => import('layertap').Tensor<Float32Array>) | null} scores of 2 to 256 classes at
 *   each pixel, for networks that segment
 * @property {readonly (readonly number[])[] | null} inputShapes that are known before: weights then go straight into
 *   WebAssembly memory, and are held once
 * @property {(size: { width: number, height: number }) => { width: number, height: number }} inputSize of the network's
 *   input for an image of that size; told before anything is decoded
 * @property {number} maxInputPixels of the network's input: time and activations grow with it
 * @property {number} maxPixels of an image, for decoding it
 */

/** For weights and activations: a Workers isolate has 128 MB, for the picture and the code too. */
const MEMORY_BUDGET_BYTES = 80 * 2 ** 20;

/** @type {Readonly<Record<string, Served>>} */
export const MODELS = {
  digits: {
    build: digitsNetwork,
    prepare: (image) => semanticSegmentation(image, { resizeSize: null }),
    features: (network, x) => network.backbone.forward(x),
    scores: (network, x) => network.call(x).get('out'),
    inputShapes: null,
    inputSize: (size) => size,
    maxInputPixels: 512 * 512,
    maxPixels: 512 * 512,
  },
  resnet18: classifier(() => new IntermediateLayerGetter(resnet18(), { layer4: 'out' })),
  resnet50: classifier(() => new IntermediateLayerGetter(resnet50(), { layer4: 'out' }), {
    // Within less than the others have: the weights may be inside the Worker, which holds them until they are packed.
    memoryBudgetBytes: 60 * 2 ** 20,
    weightStorage: 'f16',
  }),
  mobilenet_v3_large: classifier(() => new IntermediateLayerGetter(mobilenet_v3_large(), { features: 'out' })),
};

/**
 * A classifier's features of a picture that is resized and cropped to 224 × 224.
 *
 * @param {() => IntermediateLayerGetter} build
 * @param {import('layertap').CompileOptions} options where its weights don't fit otherwise
 * @returns {Served}
 */
function classifier(build, options = {}) {
  return {
    build: () => build().compile({ memoryBudgetBytes: MEMORY_BUDGET_BYTES, ...options }),
    prepare: (image) => imageClassification(image),
    features: (network, x) => network.forward(x),
    scores: null,
    inputShapes: [[1, 3, 224, 224]],
    inputSize: () => ({ width: 224, height: 224 }),
    maxInputPixels: 224 * 224,
    maxPixels: 1920 * 1080,
  };
}
