/** The networks that can be chosen: the digits network, which comes with the page, and torchvision's by name. */

import {
  type AnyModule,
  Graph,
  IMAGENET_MEAN,
  IMAGENET_STD,
  type Image,
  imageClassification,
  type Shape,
  semanticSegmentation,
  type Tensor,
  Value,
} from 'layertap';
import { createModel, listModels, type ModelName, modelInfo } from 'layertap/models';
import { distinctPalette, vocPalette } from 'layertap/tools';
import { categoriesOf, getModelWeights } from 'layertap/weights';
import { CLASSES, digitsNetwork } from '../../../examples/digits/network.mjs';
import type { NetworkChoice, TreeNode } from '../protocol.ts';
import { type Repository, reposOf } from './hub.ts';

/** A network without weights, and what goes with it. */
export interface Network {
  readonly id: string;
  readonly kind: 'classification' | 'segmentation';
  readonly model: AnyModule;
  /** The layers that are shown first. */
  readonly layers: readonly string[];
  /** The side of the input that is proposed. */
  readonly size: number;
  /** The classes' names; null where they aren't known. */
  readonly classes: readonly string[] | null;
  readonly palette: readonly (readonly [number, number, number])[];
  /** By which the input is normalised. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The network's input of an image. */
  prepare(image: Image, size: number): Tensor<Float32Array>;
}

/** The network that comes with the page. */
export const DIGITS = 'digits';

/** torchvision's families in the order in which they are offered. */
const GROUPS: readonly [group: string, fits: RegExp][] = [
  ['Segmentation', /^(deeplabv3|fcn|lraspp)_/],
  ['ResNet', /^(wide_)?resne[tx]/],
  ['MobileNet', /^mobilenet/],
  ['EfficientNet', /^efficientnet/],
  ['ConvNeXt', /^convnext/],
  ['RegNet', /^regnet/],
  ['SqueezeNet and ShuffleNet', /^s(queeze|huffle)net/],
  ['DenseNet, VGG and others', /./],
];

/** All networks, in groups. */
export function choices(): NetworkChoice[] {
  const known = listModels().filter((name) => hasWeights(name));
  const group = (name: string) => GROUPS.findIndex(([, fits]) => fits.test(name));
  const others = known.map((id) => ({ id, rank: group(id) })).sort((a, b) => a.rank - b.rank);
  return [
    { id: DIGITS, group: 'Comes with this page', builtin: true, repos: [] },
    ...others.map(({ id, rank }) => ({ id, group: GROUPS[rank]![0], builtin: false, repos: reposOf(id) })),
  ];
}

function hasWeights(name: ModelName): boolean {
  try {
    return getModelWeights(name) !== undefined;
  } catch {
    return false;
  }
}

/** A network by its name. @param numClasses of the weights, where they are known */
export function network(id: string, numClasses?: number): Network {
  return id === DIGITS ? digits() : torchvision(id as ModelName, numClasses);
}

const IMAGENET = { mean: IMAGENET_MEAN, std: IMAGENET_STD };

function digits(): Network {
  return {
    id: DIGITS,
    kind: 'segmentation',
    model: digitsNetwork(),
    layers: ['backbone.relu', 'backbone.layer1', 'backbone.layer2', 'backbone.layer3', 'backbone.layer4'],
    size: 128,
    classes: CLASSES,
    palette: [[0, 0, 0], ...distinctPalette(10)],
    ...IMAGENET,
    // Scenes have 128 pixels in height; a picture of this size is taken as it is.
    prepare: (image, size) =>
      semanticSegmentation(image, { resizeSize: Math.min(image.width, image.height) === size ? null : size }),
  };
}

/** Segmentation networks are made for 520 pixels, which take seconds; half of it shows as much. */
const SEGMENTATION_SIZE = 260;

function torchvision(id: ModelName, numClasses?: number): Network {
  const weights = getModelWeights(id).DEFAULT;
  const { preset, options } = weights.transforms();
  const isSegmentation = preset === 'semanticSegmentation';
  const own = numClasses === undefined ? {} : { numClasses };
  const model = createModel(id as string, { ...(OPTIONS[id] ?? {}), ...own });
  const { taps, inputSize } = modelInfo(id);
  const names = categoriesOf(weights);
  const { resizeSize, cropSize, ...rest } = options as {
    readonly resizeSize: number;
    readonly cropSize: number;
    readonly interpolation: 'bilinear' | 'bicubic';
  };
  return {
    id,
    kind: isSegmentation ? 'segmentation' : 'classification',
    model,
    layers: taps.slice(-5).map(({ layer }) => layer),
    size: isSegmentation ? SEGMENTATION_SIZE : (cropSize ?? inputSize),
    classes: numClasses !== undefined && numClasses !== names?.length ? null : names,
    palette: numClasses && numClasses > 256 ? [] : vocPalette(numClasses ?? 21),
    ...IMAGENET,
    prepare: (image, size) =>
      isSegmentation
        ? semanticSegmentation(image, { ...rest, resizeSize: size })
        : imageClassification(image, {
            ...rest,
            cropSize: size,
            resizeSize: Math.round((resizeSize * size) / cropSize),
          }),
  };
}

/** The network of a repository of the hub. */
export function hubNetwork({ name, model, labels, preset }: Repository): Network {
  const { taps } = modelInfo(name as ModelName);
  const { mean, std, interpolation } = preset;
  const names = categoriesOf(getModelWeights(name).DEFAULT);
  const isImagenet = model.stateShapes().size > 0 && rowsOf(model) === names?.length;
  return {
    id: name,
    kind: 'classification',
    model,
    layers: taps.slice(-5).map(({ layer }) => layer),
    size: preset.cropSize,
    classes: labels?.some((label) => !/^n\d{8}$/.test(label)) ? labels : isImagenet ? names : null,
    palette: [],
    ...{ mean, std },
    prepare(image, size) {
      const resizeSize = Math.round((preset.resizeSize * size) / preset.cropSize);
      return imageClassification(image, { interpolation, mean, std, cropSize: size, resizeSize });
    },
  };
}

/** How many classes a network tells apart: rows of its last weight. */
function rowsOf(model: AnyModule): number | undefined {
  return [...model.stateShapes().values()].findLast((shape) => shape.length > 1)?.[0];
}

/** What goes with torchvision's weights: Inceptions normalise again, and their heads for training aren't run. */
const OPTIONS: Readonly<Record<string, object>> = {
  googlenet: { auxLogits: false, transformInput: true },
  inception_v3: { transformInput: true },
};

/** The shape of a network's input of an image: a square crop, or the image with a shorter side of that size. */
export function inputShape({ kind }: Network, { width, height }: Image, size: number): Shape {
  if (kind === 'classification') return [1, 3, size, size];
  const scale = size / Math.min(width, height);
  return [1, 3, Math.floor(height * scale), Math.floor(width * scale)];
}

/** The network's own tree, with the shape of each layer's output for a square input. */
export function treeOf({ model, size }: Network): TreeNode {
  const graph = new Graph([[1, 3, size, size]]);
  model.call(graph.inputs[0]!);
  const nodeOf = (module: AnyModule, path: string, name: string): TreeNode => {
    const output = path === '' ? null : graph.outputOf(module);
    const shape = output instanceof Value && output.shape.length > 1 ? output.shape : null;
    const children = Array.from(module.namedChildren(), ([child, below]) =>
      nodeOf(below, path === '' ? child : `${path}.${child}`, child),
    );
    // Bundlers number classes of one name.
    return { path, name, type: module.constructor.name.replace(/\$\d+$/, ''), shape, children };
  };
  return nodeOf(model, '', '');
}
