/** ResNet and its blocks: torchvision's options, refusals and shapes. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import {
  BasicBlock,
  Bottleneck,
  ResNet,
  resnet18,
  resnet34,
  resnet50,
  resnext50_32x4d,
  wide_resnet50_2,
} from '../../src/models/resnet.ts';
import { FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { noise } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const both = [false, true];
const eight = both.flatMap((a) => both.flatMap((b) => both.map((c) => [a, b, c] as const)));

describe('replaceStrideWithDilation', () => {
  it.each(eight)("%s, %s, %s: the last stage is as large as torchvision's", (...dilate) => {
    const size = 2 * 2 ** dilate.filter(Boolean).length;
    const features = new IntermediateLayerGetter(resnet50({ replaceStrideWithDilation: dilate }), { layer4: 'out' });
    const [info] = features.featureInfo([1, 3, 64, 64]);
    expect(info!.shape).toEqual([1, 2048, size, size]);
    expect(info!.reduction).toBe(64 / size);
  });

  it('gives the first block of a stage the dilation before it', () => {
    const { layer3, layer4 } = resnet50({ replaceStrideWithDilation: [false, true, true] });
    const dilations = (layer: typeof layer3) => [...layer].map((block) => (block as Bottleneck).conv2.dilation[0]);
    expect(dilations(layer3)).toEqual([1, 2, 2, 2, 2, 2]);
    expect(dilations(layer4)).toEqual([2, 4, 4]);
  });

  it('null is as none', () => {
    expect(String(resnet50({ replaceStrideWithDilation: null }))).toBe(String(resnet50()));
  });

  it('must be of three elements', () => {
    const attempt = (value: unknown) => thrown(() => resnet50({ replaceStrideWithDilation: value as never }));
    const message = 'ValueError: replace_stride_with_dilation should be None or a 3-element tuple, got ';
    expect(attempt([true, false])).toBe(`${message}[true, false]`);
    expect(attempt([])).toBe(`${message}[]`);
    expect(attempt(true)).toBe(`${message}true`);
    expect(attempt('ftt')).toBe(`${message}"ftt"`);
  });
});

describe('BasicBlock', () => {
  it("refuses what torchvision's refuses, in its words", () => {
    const message = 'ValueError: BasicBlock only supports groups=1 and base_width=64; got';
    expect(thrown(() => resnet18({ groups: 2 }))).toBe(`${message} groups 2 and widthPerGroup 64`);
    expect(thrown(() => resnet34({ widthPerGroup: 128 }))).toBe(`${message} groups 1 and widthPerGroup 128`);
    expect(thrown(() => resnet18({ replaceStrideWithDilation: [true, false, false] }))).toBe(
      'UnsupportedError: Dilation > 1 not supported in BasicBlock; got dilation 2',
    );
  });

  it('takes dilation where no block gets one: a last stage of one block', () => {
    const network = new ResNet(BasicBlock, [1, 1, 1, 1], { replaceStrideWithDilation: [false, false, true] });
    const [info] = new IntermediateLayerGetter(network, { layer4: 'x' }).featureInfo([1, 3, 64, 64]);
    expect(info!.shape).toEqual([1, 512, 4, 4]);
  });
});

it("a network's name decides its groups and width, as in torchvision", () => {
  expect(thrown(() => resnext50_32x4d({ groups: 8 }))).toBe(
    "ValueError: The parameter 'groups' expected value 32 but got 8 instead.",
  );
  expect(thrown(() => wide_resnet50_2({ widthPerGroup: 64 }))).toBe(
    "ValueError: The parameter 'widthPerGroup' expected value 128 but got 64 instead.",
  );
  expect(String(resnext50_32x4d({ groups: 32 }))).toBe(String(resnext50_32x4d()));
});

describe('ResNet', () => {
  it('takes another norm for all of its layers', () => {
    const network = resnet50({ normLayer: (channels) => new FrozenBatchNorm2d(channels) });
    const types = new Set([...network.modules()].map((module) => module.constructor.name));
    expect(types.has('FrozenBatchNorm2d')).toBe(true);
    expect(types.has('BatchNorm2d')).toBe(false);
    expect([...network.parameters()]).toHaveLength(53 + 2);
  });

  it('runs whole, and on a batch each image as on its own', () => {
    const network = fillParameters(new ResNet(Bottleneck, [1, 1, 1, 1], { numClasses: 5 }));
    const x = noise('x', [2, 3, 33, 35]);
    const logits = network.call(x) as Tensor<Float32Array>;
    expect(logits.shape).toEqual([2, 5]);
    const second = x.data.slice(3 * 33 * 35);
    const alone = network.call(new Tensor(second, [1, 3, 33, 35])) as Tensor<Float32Array>;
    for (const [i, v] of alone.data.entries()) expect(Math.abs(v - logits.data[5 + i]!)).toBeLessThan(1e-4);
  });

  it('refuses an image of other channels, and one too small for its windows only where a window does not fit', () => {
    const info = (shape: number[]) => new IntermediateLayerGetter(resnet18(), { layer4: 'x' }).featureInfo(shape);
    expect(thrown(() => info([1, 1, 32, 32]))).toBe(
      'ShapeError: IntermediateLayerGetter: conv1: ' +
        'conv2d: expected x with 3 channels (weight [64, 3, 7, 7], groups 1), got 1 in x [1, 1, 32, 32]',
    );
    expect(info([1, 3, 1, 1])[0]!.shape).toEqual([1, 512, 1, 1]);
  });
});
