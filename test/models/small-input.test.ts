/** An input that is too small: the error names the layer, its size, and the smallest input that works. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { alexnet, inception_v3, resnet18, vgg11 } from '../../src/models/index.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { cat } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

/** What a pooling says of an image that its window doesn't fit into. */
const window = (least: string, kernel: string, got: string) =>
  `expected an input of at least ${least} pixels with padding (kernel ${kernel}, dilation 1x1), got ${got}`;

describe('an input smaller than the network takes', () => {
  it('names the layer, its size and the smallest input that works', () => {
    expect(thrown(() => alexnet().call(zeros([1, 3, 62, 90])))).toBe(
      `ShapeError: AlexNet: features.12: max_pool2d: ${window('3x3', '3x3', '2x4 from x [1, 256, 2, 4]')}; ` +
        'the smallest input that works is [1, 3, 63, 63]',
    );
    expect(thrown(() => vgg11().call(zeros([4, 3, 31, 32])))).toBe(
      `ShapeError: VGG: features.20: max_pool2d: ${window('2x2', '2x2', '1x2 from x [4, 512, 1, 2]')}; ` +
        'the smallest input that works is [4, 3, 32, 32]',
    );
  });

  it('names a layer inside of a block', () => {
    expect(thrown(() => inception_v3().call(zeros([1, 3, 74, 75])))).toBe(
      'ShapeError: Inception3: Mixed_7a.branch3x3_2.conv: ' +
        `conv2d: ${window('3x3', '3x3', '2x3 from x [1, 192, 2, 3]')}; ` +
        'the smallest input that works is [1, 3, 75, 75]',
    );
  });

  it('counts what a getter runs, in its runs and in its report', async () => {
    const getter = new IntermediateLayerGetter(alexnet().features, { 5: 'out' });
    const message =
      `ShapeError: IntermediateLayerGetter: 5: max_pool2d: ${window('3x3', '3x3', '2x2 from x [1, 192, 2, 2]')}; ` +
      'the smallest input that works is [1, 3, 31, 31]';
    expect(thrown(() => getter.forward(zeros([1, 3, 30, 30])))).toBe(message);
    expect(thrown(() => getter.featureInfo([1, 3, 30, 30]))).toBe(message);
    await expect(getter.forwardAsync(zeros([1, 3, 30, 30]))).rejects.toThrow(message.replace('ShapeError: ', ''));
  });
});

describe('an input that no size mends', () => {
  it('names the layer', () => {
    expect(thrown(() => resnet18().call(zeros([1, 4, 32, 32])))).toBe(
      'ShapeError: ResNet: conv1: conv2d: expected x with 3 channels (weight [64, 3, 7, 7], groups 1), ' +
        'got 4 in x [1, 4, 32, 32]',
    );
  });

  it('says no smallest input where a smaller one works', () => {
    class Odd extends Module {
      half = new Conv2d(1, 1, 2, { stride: 2 });

      forward(x: Value): Value {
        return cat([x, this.half.call(x)]);
      }
    }
    const problem = 'cat: expected tensors of one shape but for axis 1';
    expect(thrown(() => new Odd().call(zeros([1, 1, 8, 8])))).toBe(
      `ShapeError: ${problem}, got [1, 1, 8, 8], [1, 1, 4, 4]`,
    );
  });
});
