/** Whatever takes options refuses those that it doesn't know, as Python refuses keyword arguments. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../src/features/intermediate-layer-getter.ts';
import { imageFromRgb } from '../src/image/image.ts';
import { imageClassification, semanticSegmentation } from '../src/image/presets.ts';
import { Conv2dNormActivation } from '../src/models/blocks.ts';
import * as models from '../src/models/index.ts';
import { createModel, listModels } from '../src/models/registry.ts';
import { Hardswish, ReLU } from '../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../src/nn/batchnorm.ts';
import { Sequential } from '../src/nn/container.ts';
import { Conv2d } from '../src/nn/conv.ts';
import { Dropout } from '../src/nn/dropout.ts';
import { Linear } from '../src/nn/linear.ts';
import { AvgPool2d, MaxPool2d } from '../src/nn/pooling.ts';
import { Upsample } from '../src/nn/upsampling.ts';
import { withDefaults } from '../src/options.ts';
import { zeros } from '../src/tensor/tensor.ts';
import { thrown } from './support/thrown.ts';

type Take = (options: any) => unknown;

const RESNET = 'numClasses, groups, widthPerGroup, replaceStrideWithDilation, normLayer';
const MOBILENETV3 = 'numClasses, widthMult, reducedTail, dilated, normLayer, dropout';
const SEGMENTATION = 'numClasses, auxLoss, normLayer';

/** A builder by its name. */
function build(name: string): Take {
  return (models as unknown as Record<string, Take>)[name]!;
}

/** By the class that a message names. */
const families: Readonly<Record<string, string>> = {
  AlexNet: 'numClasses, dropout',
  ConvNeXt: 'numClasses, stochasticDepthProb, layerScale, normLayer',
  DenseNet: 'numClasses, bnSize, dropRate, memoryEfficient',
  EfficientNet: 'numClasses, stochasticDepthProb, normLayer',
  GoogLeNet: 'numClasses, auxLogits, transformInput, dropout, dropoutAux',
  Inception3: 'numClasses, auxLogits, transformInput, dropout',
  MNASNet: 'numClasses, dropout',
  MobileNetV2: 'numClasses, widthMult, invertedResidualSetting, roundNearest, normLayer, dropout',
  MobileNetV3: MOBILENETV3,
  RegNet: 'numClasses, stemWidth, normLayer, activation',
  ResNet: RESNET,
  ShuffleNetV2: 'numClasses',
  SqueezeNet: 'numClasses, dropout',
  VGG: 'numClasses, dropout',
};

/** What each builder's messages name: the class that it makes, but of segmentation networks the builder. */
const builders = listModels().map((name) => {
  const called = createModel(name).constructor.name;
  const known = families[called];
  return known ? ([called, known, build(name)] as const) : ([name, SEGMENTATION, build(name)] as const);
});

const image = imageFromRgb(new Uint8Array(3), 1, 1);

const others: readonly [name: string, known: string, take: Take][] = [
  ['Conv2d', 'stride, padding, dilation, groups, bias', (options) => new Conv2d(1, 1, 1, options)],
  ['MaxPool2d', 'stride, padding, dilation, ceilMode', (options) => new MaxPool2d(2, options)],
  ['AvgPool2d', 'stride, padding, ceilMode, countIncludePad, divisorOverride', (options) => new AvgPool2d(2, options)],
  ['compile', 'deterministic, pool, memoryBudgetBytes, weightStorage', (options) => new ReLU().compile(options)],
  ['loadStateDict', 'strict', (options) => new ReLU().loadStateDict({}, options)],
  [
    'forward',
    'only',
    (options) => new IntermediateLayerGetter(new Sequential(new ReLU()), {}).forward(zeros([1, 1]), options),
  ],
  ['BatchNorm2d', 'eps, momentum, affine', (options) => new BatchNorm2d(1, options)],
  ['FrozenBatchNorm2d', 'eps', (options) => new FrozenBatchNorm2d(1, options)],
  ['Linear', 'bias', (options) => new Linear(1, 1, options)],
  ['Dropout', 'inplace', (options) => new Dropout(0.5, options)],
  ['ReLU', 'inplace', (options) => new ReLU(options)],
  ['Hardswish', 'inplace', (options) => new Hardswish(options)],
  ['Upsample', 'size, scaleFactor, mode, alignCorners', (options) => new Upsample(options)],
  [
    'Conv2dNormActivation',
    'kernelSize, stride, groups, dilation, padding, bias, normLayer, activationLayer',
    (options) => new Conv2dNormActivation(1, 1, options),
  ],
  [
    'imageClassification',
    'mean, std, interpolation, cropSize, resizeSize',
    (options) => imageClassification(image, options),
  ],
  ['semanticSegmentation', 'mean, std, interpolation, resizeSize', (options) => semanticSegmentation(image, options)],
];

describe.each([...builders, ...others])('%s', (name, known, take) => {
  it('names the options that it does not know, and those that it does', () => {
    expect(thrown(() => take({ foo: 1, toString: 2 }))).toBe(
      `ValueError: ${name}: expected options of ${known}, got "foo", "toString"`,
    );
  });

  it('takes its options as an object only, not one after another as in Python', () => {
    const message = `ValueError: ${name}: expected options as an object { ${known} }, got`;
    expect(thrown(() => take(2))).toBe(`${message} 2`);
    expect(thrown(() => take(null))).toBe(`${message} null`);
    expect(thrown(() => take([2, 1]))).toBe(`${message} [2, 1]`);
  });
});

it('undefined is as not given', () => {
  expect(withDefaults('f', { a: undefined, b: null }, { a: 1, b: 2 })).toEqual({ a: 1, b: null });
  expect(String(new Conv2d(1, 1, 3, { stride: undefined as never }))).toBe(String(new Conv2d(1, 1, 3)));
});
