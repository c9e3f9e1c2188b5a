/**
 * torchvision's networks by name, and those of the hub. The digits network needs none of it, so the worker fetches this
 * file after the first answer.
 */

import { type AnyModule, imageClassification, semanticSegmentation } from 'layertap';
import { createModel, listModels, type ModelName, modelInfo } from 'layertap/models';
import { vocPalette } from 'layertap/tools';
import { categoriesOf, getModelWeights } from 'layertap/weights';
import type { NetworkChoice } from '../protocol.ts';
import { type Repository, reposOf } from './hub.ts';
import { DIGITS, IMAGENET, type Network } from './network.ts';

export { openRepo } from './hub.ts';

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

/** Segmentation networks are made for 520 pixels, which take seconds. The page says so. */
const SEGMENTATION_SIZE = 260;

/** A network of torchvision. @param numClasses of the weights, where they are known */
export function torchvision(name: string, numClasses?: number): Network {
  const id = name as ModelName;
  const weights = getModelWeights(id).DEFAULT;
  const { preset, options } = weights.transforms();
  const isSegmentation = preset === 'semanticSegmentation';
  const own = numClasses === undefined ? {} : { numClasses };
  const model = createModel(name, { ...(OPTIONS[id] ?? {}), ...own });
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
    again: () => torchvision(id, numClasses),
    layers: taps.slice(-5).map(({ layer }) => layer),
    size: isSegmentation ? SEGMENTATION_SIZE : (cropSize ?? inputSize),
    ownSize: isSegmentation ? resizeSize : (cropSize ?? inputSize),
    classes: numClasses !== undefined && numClasses !== names?.length ? null : names,
    palette: paletteOf(Math.max(2, numClasses ?? 21)),
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

/** VOC's colours, of which there are 256: where there are more classes, they begin again. */
function paletteOf(classes: number): Network['palette'] {
  const colors = vocPalette(Math.min(256, classes));
  return Array.from({ length: classes }, (_, index) => colors[index % 256]!);
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
    // What the hub's weights change of it takes no memory.
    again: () => torchvision(name),
    layers: taps.slice(-5).map(({ layer }) => layer),
    size: preset.cropSize,
    ownSize: preset.cropSize,
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
