/** What layers print, refuse and pad. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import * as layertap from '../../src/index.ts';
import {
  CELU,
  ELU,
  GELU,
  Hardtanh,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  SELU,
  Softmax,
  Softmax2d,
  Softplus,
  Tanh,
} from '../../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Dropout, Dropout2d } from '../../src/nn/dropout.ts';
import { ChannelShuffle, Flatten, Unflatten } from '../../src/nn/flatten.ts';
import * as functional from '../../src/nn/functional.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { GroupNorm, LayerNorm, LocalResponseNorm } from '../../src/nn/normalization.ts';
import { ConstantPad2d, PixelShuffle, PixelUnshuffle, ZeroPad2d } from '../../src/nn/padding-layers.ts';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../../src/nn/pooling.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

describe('printing', () => {
  // The right column is PyTorch 1.13's.
  const printed: [layer: Module, text: string][] = [
    [
      new MaxPool2d(3, { stride: 2, padding: 1 }),
      'MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)',
    ],
    [new MaxPool2d([3, 2]), 'MaxPool2d(kernel_size=(3, 2), stride=(3, 2), padding=0, dilation=1, ceil_mode=False)'],
    [
      new MaxPool2d(3, { stride: 2, ceilMode: true }),
      'MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=True)',
    ],
    [
      new MaxPool2d(3, { stride: [2, 1], padding: [1, 0], dilation: [2, 1] }),
      'MaxPool2d(kernel_size=3, stride=(2, 1), padding=(1, 0), dilation=(2, 1), ceil_mode=False)',
    ],
    [new AvgPool2d(2), 'AvgPool2d(kernel_size=2, stride=2, padding=0)'],
    [
      new AvgPool2d([2, 3], { stride: 1, padding: [1, 0], ceilMode: true }),
      'AvgPool2d(kernel_size=(2, 3), stride=1, padding=(1, 0))',
    ],
    [new AdaptiveAvgPool2d(1), 'AdaptiveAvgPool2d(output_size=1)'],
    [new AdaptiveAvgPool2d([1, 1]), 'AdaptiveAvgPool2d(output_size=(1, 1))'],
    [new AdaptiveAvgPool2d([null, 7]), 'AdaptiveAvgPool2d(output_size=(None, 7))'],
    [new Upsample({ scaleFactor: 2 }), 'Upsample(scale_factor=2.0, mode=nearest)'],
    [new Upsample({ scaleFactor: [2, 1.5], mode: 'bilinear' }), 'Upsample(scale_factor=(2.0, 1.5), mode=bilinear)'],
    [new Upsample({ size: 7 }), 'Upsample(size=7, mode=nearest)'],
    [new Upsample({ size: [7, 8], mode: 'bilinear', alignCorners: true }), 'Upsample(size=(7, 8), mode=bilinear)'],
    [new Flatten(), 'Flatten(start_dim=1, end_dim=-1)'],
    [new Flatten(2), 'Flatten(start_dim=2, end_dim=-1)'],
    [new Flatten(0, 2), 'Flatten(start_dim=0, end_dim=2)'],
    [new Unflatten(1, [2, 5]), 'Unflatten(dim=1, unflattened_size=(2, 5))'],
    [new ChannelShuffle(3), 'ChannelShuffle(groups=3)'],
    [new Dropout(), 'Dropout(p=0.5, inplace=False)'],
    [new Dropout(0.1, { inplace: true }), 'Dropout(p=0.1, inplace=True)'],
    [new Dropout(1), 'Dropout(p=1, inplace=False)'],
    [new Identity(), 'Identity()'],
    [new ReLU(), 'ReLU()'],
    [new ReLU({ inplace: true }), 'ReLU(inplace=True)'],
    [new ReLU6(), 'ReLU6()'],
    [new ReLU6({ inplace: true }), 'ReLU6(inplace=True)'],
    [new LeakyReLU(), 'LeakyReLU(negative_slope=0.01)'],
    [new LeakyReLU(0.2, { inplace: true }), 'LeakyReLU(negative_slope=0.2, inplace=True)'],
    [new ELU(), 'ELU(alpha=1.0)'],
    [new CELU(2), 'CELU(alpha=2.0)'],
    [new SELU({ inplace: true }), 'SELU(inplace=True)'],
    [new Mish(), 'Mish()'],
    [new Tanh(), 'Tanh()'],
    [new Softplus(), 'Softplus(beta=1, threshold=20)'],
    [new Hardtanh(), 'Hardtanh(min_val=-1.0, max_val=1.0)'],
    [new Softmax(1), 'Softmax(dim=1)'],
    [new Softmax(), 'Softmax(dim=None)'],
    [new LogSoftmax(-1), 'LogSoftmax(dim=-1)'],
    [new Softmax2d(), 'Softmax2d()'],
    [new GroupNorm(2, 6), 'GroupNorm(2, 6, eps=1e-05, affine=True)'],
    [new LocalResponseNorm(5, { k: 2 }), 'LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=2.0)'],
    [new GELU(), "GELU(approximate='none')"],
    [new GELU({ approximate: 'tanh' }), "GELU(approximate='tanh')"],
    [new ZeroPad2d(2), 'ZeroPad2d((2, 2, 2, 2))'],
    [new ConstantPad2d([1, 0, 2, 0], 3.5), 'ConstantPad2d(padding=(1, 0, 2, 0), value=3.5)'],
    [new PixelShuffle(2), 'PixelShuffle(upscale_factor=2)'],
    [new PixelUnshuffle(3), 'PixelUnshuffle(downscale_factor=3)'],
    [new LayerNorm(8), 'LayerNorm((8,), eps=1e-05, elementwise_affine=True)'],
    [
      new LayerNorm([4, 6], { eps: 1e-6, elementwiseAffine: false }),
      'LayerNorm((4, 6), eps=1e-06, elementwise_affine=False)',
    ],
    [new Dropout2d(0.2), 'Dropout2d(p=0.2, inplace=False)'],
    [new PReLU(), 'PReLU(num_parameters=1)'],
    [new PReLU({ numParameters: 8 }), 'PReLU(num_parameters=8)'],
    [new PReLU(8, { init: 0.5 }), 'PReLU(num_parameters=8)'],
    [new Linear(3, 4), 'Linear(in_features=3, out_features=4, bias=True)'],
    [new Linear(3, 4, { bias: false }), 'Linear(in_features=3, out_features=4, bias=False)'],
    [new BatchNorm2d(4), 'BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)'],
    [
      new BatchNorm2d(4, { eps: 1e-3, momentum: 0.01 }),
      'BatchNorm2d(4, eps=0.001, momentum=0.01, affine=True, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 1e-6 }),
      'BatchNorm2d(4, eps=1e-06, momentum=0.1, affine=True, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 1.5e-7 }),
      'BatchNorm2d(4, eps=1.5e-07, momentum=0.1, affine=True, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 1.25e-5 }),
      'BatchNorm2d(4, eps=1.25e-05, momentum=0.1, affine=True, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 1e-12, momentum: null, affine: false }),
      'BatchNorm2d(4, eps=1e-12, momentum=None, affine=False, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 1e16 }),
      'BatchNorm2d(4, eps=1e+16, momentum=0.1, affine=True, track_running_stats=True)',
    ],
    [
      new BatchNorm2d(4, { eps: 12345678 }),
      'BatchNorm2d(4, eps=12345678.0, momentum=0.1, affine=True, track_running_stats=True)',
    ],
    [new FrozenBatchNorm2d(4), 'FrozenBatchNorm2d(4, eps=1e-05)'],
    [new FrozenBatchNorm2d(4, { eps: 0 }), 'FrozenBatchNorm2d(4, eps=0.0)'],
    [new Conv2d(3, 8, 3), 'Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))'],
    [
      new Conv2d(3, 8, [3, 1], { stride: [2, 1], padding: [1, 0], bias: false }),
      'Conv2d(3, 8, kernel_size=(3, 1), stride=(2, 1), padding=(1, 0), bias=False)',
    ],
    [
      new Conv2d(4, 8, 3, { padding: 1, dilation: 2, groups: 2 }),
      'Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(2, 2), groups=2)',
    ],
    [new Conv2d(3, 8, 3, { padding: 'same' }), 'Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=same)'],
    [new Conv2d(3, 8, 3, { padding: 'valid' }), 'Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=valid)'],
    [
      new Conv2d(3, 8, 3, { padding: [0, 1], dilation: [1, 2] }),
      'Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(0, 1), dilation=(1, 2))',
    ],
  ];

  it.each(printed)('%s', (layer, text) => {
    expect(String(layer)).toBe(text);
  });

  it('has a form of its own for what PyTorch has not: padding of each side', () => {
    const sides = { top: 0, left: 1, bottom: 2, right: 3 };
    expect(String(new Conv2d(1, 1, 4, { padding: sides }))).toBe(
      'Conv2d(1, 1, kernel_size=(4, 4), stride=(1, 1), padding=(0, 1, 2, 3))',
    );
    expect(String(new MaxPool2d(8, { padding: sides }))).toBe(
      'MaxPool2d(kernel_size=8, stride=8, padding=(0, 1, 2, 3), dilation=1, ceil_mode=False)',
    );
  });
});

const shapeOf = (layer: Module, shape: Shape) => layer.forward(new Graph([shape]).inputs[0]).shape;

describe('Conv2d', () => {
  it("pads 'same' with the odd pixel below and to the right, and 'valid' not at all", () => {
    const graph = new Graph([[1, 1, 9, 7]]);
    new Conv2d(1, 1, [4, 3], { padding: 'same', dilation: [1, 2] }).forward(graph.inputs[0]!);
    expect(graph.nodes[0]!.attrs).toMatchObject({ padding: { top: 1, left: 2, bottom: 2, right: 2 } });
    expect(shapeOf(new Conv2d(1, 1, [4, 3], { padding: 'same', dilation: [1, 2] }), [1, 1, 9, 7])).toEqual([
      1, 1, 9, 7,
    ]);
    expect(shapeOf(new Conv2d(1, 1, 3, { padding: 'valid' }), [1, 1, 9, 7])).toEqual([1, 1, 7, 5]);
    const sides = { top: 0, left: 1, bottom: 2, right: 3 };
    expect(shapeOf(new Conv2d(1, 2, 3, { padding: sides }), [1, 1, 9, 7])).toEqual([1, 2, 9, 9]);
  });

  it("refuses options in PyTorch's words where it has some", () => {
    const conv =
      (options: object, channels = [4, 8]) =>
      () =>
        new Conv2d(channels[0]!, channels[1]!, 3, options);
    expect(thrown(conv({ groups: 2 }, [3, 8]))).toBe(
      'ValueError: in_channels must be divisible by groups; Conv2d: got inChannels 3, groups 2',
    );
    expect(thrown(conv({ groups: 2 }, [4, 7]))).toBe(
      'ValueError: out_channels must be divisible by groups; Conv2d: got outChannels 7, groups 2',
    );
    expect(thrown(conv({ padding: 'same', stride: 2 }))).toBe(
      "ValueError: padding='same' is not supported for strided convolutions",
    );
    expect(thrown(conv({ padding: 'foo' }))).toBe(
      "ValueError: Invalid padding string 'foo', should be one of valid, same",
    );
    expect(thrown(conv({ groups: 0 }))).toBe(
      'ValueError: Conv2d: groups: expected a whole number from 1 to 2147483647, got 0',
    );
    expect(thrown(conv({}, [NaN, 8]))).toBe(
      'ValueError: Conv2d: inChannels: expected a whole number from 1 to 2147483647, got NaN',
    );
    expect(thrown(conv({}, [4, 1.5]))).toBe(
      'ValueError: Conv2d: outChannels: expected a whole number from 1 to 2147483647, got 1.5',
    );
    expect(thrown(conv({ stride: 0 }))).toBe(
      'ValueError: Conv2d: stride: expected a whole number >= 1 or a pair of them, got 0',
    );
    expect(thrown(conv({ dilation: [1, 2, 3] }))).toBe(
      'ValueError: Conv2d: dilation: expected a whole number >= 1 or a pair of them, got [1, 2, 3]',
    );
    expect(thrown(conv({ padding: -1 }))).toBe(
      'ValueError: Conv2d: padding: expected a whole number >= 0 or a pair of them, got -1',
    );
    expect(thrown(() => new Conv2d(1, 1, [3, 0]))).toBe(
      'ValueError: Conv2d: kernelSize: expected a whole number >= 1 or a pair of them, got [3, 0]',
    );
  });
});

describe('other layers', () => {
  it("refuse options in PyTorch's words where it has some", () => {
    expect(thrown(() => new Dropout(2))).toBe('ValueError: dropout probability has to be between 0 and 1, but got 2');
    expect(thrown(() => new Dropout(NaN))).toBe(
      'ValueError: dropout probability has to be between 0 and 1, but got NaN',
    );
    expect(thrown(() => new AdaptiveAvgPool2d([0, 1]))).toBe(
      'ValueError: AdaptiveAvgPool2d: outputSize: expected a whole number from 1 to 2147483647, got 0',
    );
    expect(thrown(() => new Linear(2, NaN))).toBe(
      'ValueError: Linear: outFeatures: expected a whole number from 1 to 2147483647, got NaN',
    );
  });

  it('compute as in eval mode whatever the training flag says', () => {
    const x = noise('x', [1, 2, 3, 3]);
    expect(new Dropout(0.9).call(x)).toEqual(x);
    const norm = new BatchNorm2d(2, { eps: 0 });
    expect(norm.training).toBe(true);
    expect(norm.call(x)).toEqual(x);
    expect(norm.stateDict().get('num_batches_tracked')!.data).toEqual(BigInt64Array.of(0n));
  });

  it('refuse inputs that they were not made for', () => {
    expect(thrown(() => shapeOf(new Conv2d(3, 8, 3), [1, 4, 5, 5]))).toBe(
      'ShapeError: conv2d: expected x with 3 channels (weight [8, 3, 3, 3], groups 1), got 4 in x [1, 4, 5, 5]',
    );
    expect(thrown(() => shapeOf(new Conv2d(3, 8, 3, { dilation: 2 }), [1, 3, 4, 5]))).toBe(
      'ShapeError: conv2d: expected an input of at least 5x5 pixels with padding (kernel 3x3, dilation 2x2), ' +
        'got 4x5 from x [1, 3, 4, 5]',
    );
    expect(thrown(() => shapeOf(new BatchNorm2d(4), [1, 3, 5, 5]))).toBe(
      'ShapeError: batch_norm: expected x of shape [N, 4, …], got [1, 3, 5, 5]',
    );
    for (const norm of [new BatchNorm2d(4), new FrozenBatchNorm2d(4)]) {
      expect(thrown(() => shapeOf(norm, [2, 4]))).toBe('ShapeError: expected 4D input (got 2D input)');
    }
    expect(thrown(() => shapeOf(new PReLU({ numParameters: 3 }), [2, 5, 4, 4]))).toBe(
      'ShapeError: Mismatch of parameter numbers and input channel size. Found parameter numbers = 3 and ' +
        'channel size = 5; prelu: got x [2, 5, 4, 4]',
    );
    expect(thrown(() => functional.prelu(new Graph([[1, 2]]).inputs[0]!, 0.25 as never))).toBe(
      'ValueError: prelu: expected weight as a Parameter, got 0.25',
    );
    expect(thrown(() => shapeOf(new Linear(4, 2), [3, 5]))).toBe(
      'ShapeError: linear: mat1 and mat2 shapes cannot be multiplied (3x5 and 4x2): expected x of shape ' +
        '[…, 4], got [3, 5]',
    );
  });
});

describe('inputs of another rank', () => {
  const [image, row] = new Graph([
    [2, 3, 4, 4],
    [2, 3],
  ]).inputs as [Value, Value];
  const attempts: readonly [name: string, run: (x: Value) => unknown][] = [
    ['conv2d', (x) => new Conv2d(3, 8, 1).call(x)],
    ['max_pool2d', (x) => functional.maxPool2d(x, 1)],
    ['avg_pool2d', (x) => functional.avgPool2d(x, 1)],
    ['adaptive_avg_pool2d', (x) => functional.adaptiveAvgPool2d(x, 1)],
    ['interpolate', (x) => functional.interpolate(x, { size: 2 })],
  ];

  it.each(attempts)('are refused by %s', (name, run) => {
    expect(thrown(() => run(image))).toBe('nothing thrown');
    expect(thrown(() => run(row))).toBe(`ShapeError: ${name}: expected x of shape [N, C, H, W], got [2, 3]`);
  });

  it('are taken by linear, which tells of a flatten that may be missing', () => {
    const { inputs } = new Graph([[2, 3, 4, 5]]);
    expect((new Linear(5, 2).call(inputs[0]) as Value).shape).toEqual([2, 3, 4, 2]);
    expect(thrown(() => new Linear(60, 2).call(inputs[0]))).toBe(
      'ShapeError: linear: mat1 and mat2 shapes cannot be multiplied (24x5 and 60x2): expected x of shape […, 60], ' +
        'got [2, 3, 4, 5]; is a flatten missing before it?',
    );
  });

  it('do not mix in mul where they cannot be broadcast', () => {
    expect(thrown(() => functional.mul(image, row))).toBe(
      'ShapeError: The size of tensor a (4) must match the size of tensor b (2) at non-singleton dimension 2; ' +
        'mul: got [2, 3, 4, 4] and [2, 3]',
    );
  });
});

describe('functional forms', () => {
  const x = new Graph([[1, 3, 4, 4]]).inputs[0]!;

  it('interpolate wants one of size and scaleFactor', () => {
    expect(thrown(() => functional.interpolate(x, {}))).toBe(
      'ValueError: interpolate: expected either size or scaleFactor, got neither',
    );
    expect(thrown(() => functional.interpolate(x, { size: 2, scaleFactor: 2 }))).toBe(
      'ValueError: interpolate: expected either size or scaleFactor, got both',
    );
  });

  it('take bicubic sources from the pixel that a place is rounded to, as PyTorch does', () => {
    const x = Float32Array.from({ length: 14 }, (_, i) => (i === 11 ? -Infinity : i));
    const options = { size: [1, 29], mode: 'bicubic', alignCorners: true } as const;
    // The last place is 13 - 4e-7: from pixel 12 on, -Infinity would have a weight of 0.
    const y = new Upsample(options).call(tensor(x, [1, 1, 1, 14])) as Tensor;
    expect(y.data[28]).toBeCloseTo(13, 4);
  });

  it('interpolate refuses other modes, and options that the mode has not', () => {
    expect(thrown(() => functional.interpolate(x, { size: 2, mode: 'linear' as never }))).toBe(
      'ValueError: interpolate: expected mode "nearest" or "bilinear" or "bicubic" or "area" or "nearest-exact", got "linear"',
    );
    expect(thrown(() => functional.interpolate(x, { size: 2, alignCorners: false }))).toBe(
      'ValueError: interpolate: expected alignCorners with mode "bilinear" or "bicubic" only, got mode "nearest"',
    );
    expect(thrown(() => functional.interpolate(x, { scaleFactor: [2, 0] }))).toBe(
      'ValueError: interpolate: expected scaleFactor as a finite number > 0 or a pair of them, got [2, 0]',
    );
    expect(thrown(() => functional.interpolate(x, { scaleFactor: 0.1 }))).toBe(
      'ShapeError: interpolate: expected input and output of at least 1x1 pixels, got 4x4 and 0x0',
    );
    expect(thrown(() => functional.interpolate(x, { size: [2.5, 1] }))).toBe(
      'ValueError: interpolate: size: expected a whole number >= 1 or a pair of them, got [2.5, 1]',
    );
  });

  it('cat wants tensors that differ in one axis only', () => {
    expect(thrown(() => functional.cat([]))).toBe('ValueError: cat: expected at least one tensor, got none');
    expect(thrown(() => functional.cat(x as never))).toMatch(/^ValueError: cat: expected an array of values, got/);
    expect(thrown(() => functional.cat([x], 4))).toBe(
      'ValueError: Dimension out of range (expected to be in range of [-4, 3], but got 4); cat',
    );
    expect(thrown(() => functional.cat([x, functional.maxPool2d(x, 2)]))).toBe(
      'ShapeError: cat: expected tensors of one shape but for axis 1, got [1, 3, 4, 4], [1, 3, 2, 2]',
    );
  });

  it('arithmetic wants a value on one side at least', () => {
    expect(thrown(() => functional.add(1, 2))).toBe(
      'ValueError: add: expected at least one value, as forward() gets them, got 1 and 2',
    );
    expect(thrown(() => functional.div(x, '2' as never))).toBe(
      'ValueError: div: expected a value, a Parameter, a Tensor or a number, got "2"',
    );
    expect(thrown(() => functional.gelu(x, { approximate: 'erf' as never }))).toBe(
      'ValueError: approximate argument must be either none or tanh; gelu: got "erf"',
    );
  });

  it('padding and pixel shuffles tell of what does not fit', () => {
    expect(thrown(() => functional.pad(x, [4, 0], { mode: 'reflect' }))).toBe(
      'ShapeError: pad: expected padding of all axes but the first two and a number as value, got padding of 1 axes ' +
        'and 0 for x [1, 3, 4, 4]',
    );
    expect(thrown(() => functional.pad(x, [4, 0, 0, 0], { mode: 'reflect' }))).toBe(
      'ShapeError: pad: expected padding by mode "reflect" that leaves elements and has them to show, ' +
        'got [0,0; 0,0; 0,0; 4,0] for x [1, 3, 4, 4]',
    );
    expect(thrown(() => functional.pad(x, [1]))).toBe(
      'ValueError: pad: expected an even number of whole numbers as padding, got [1]',
    );
    expect(thrown(() => functional.pad(x, [1, 1], { mode: 'edge' as never }))).toBe(
      'ValueError: pad: expected mode "constant", "reflect", "replicate" or "circular", got "edge"',
    );
    expect(thrown(() => new ZeroPad2d([1, 2] as never))).toBe(
      'ValueError: ZeroPad2d: expected padding as a whole number or [left, right, top, bottom], got [1, 2]',
    );
    expect(thrown(() => functional.pixelShuffle(x, 2))).toBe(
      "ShapeError: pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of " +
        'upscale_factor, but input.size(-3)=3 is not divisible by 4',
    );
    expect(thrown(() => functional.pixelUnshuffle(x, 3))).toBe(
      'ShapeError: pixel_unshuffle expects height and width to be divisible by 3, but got 4 and 4',
    );
    expect(functional.pixelUnshuffle(new Graph([[0, 3, 4, 4]]).inputs[0]!, 2).shape).toEqual([0, 12, 2, 2]);
  });

  it('norms and curves tell of what they were not made for', () => {
    expect(thrown(() => new GroupNorm(4, 6))).toBe(
      'ValueError: num_channels must be divisible by num_groups; GroupNorm: got 6 channels, 4 groups',
    );
    expect(thrown(() => functional.groupNorm(x, 2))).toBe(
      'ShapeError: Expected number of channels in input to be divisible by num_groups, but got input of shape ' +
        '[1, 3, 4, 4] and num_groups=2',
    );
    expect(thrown(() => functional.groupNorm(x, 3, { weight: new Parameter([4]) }))).toBe(
      'ShapeError: group_norm: expected weight and bias of 3 elements, got [4]',
    );
    expect(thrown(() => functional.groupNorm(new Graph([[1, 3]]).inputs[0]!, 3))).toBe(
      'ShapeError: Expected more than 1 value per channel when training, got input size [1, 3]; group_norm',
    );
    expect(thrown(() => functional.localResponseNorm(new Graph([[1, 3]]).inputs[0]!, 3))).toBe(
      'ShapeError: Expected 3D or higher dimensionality input (got 2 dimensions)',
    );
    expect(thrown(() => new Softmax2d().call(new Graph([[1, 3]]).inputs[0]))).toBe(
      'ShapeError: Softmax2d requires a 3D or 4D tensor as input; got 2D input',
    );
    expect(thrown(() => new Hardtanh(1, 1))).toBe(
      'ValueError: Hardtanh: expected maxVal above minVal, got minVal 1 and maxVal 1',
    );
    expect(thrown(() => functional.celu(x, 0))).toBe('ValueError: ZeroDivisionError: alpha cannot be 0 for CELU');
    expect(thrown(() => functional.clamp(x))).toBe(
      "ValueError: torch.clamp: At least one of 'min' or 'max' must not be None",
    );
  });

  it('a layer norm wants the axes that it was made for', () => {
    expect(thrown(() => functional.layerNorm(x, [4, 5]))).toBe(
      'ShapeError: layer_norm: expected x whose last axes are [4, 5], got [1, 3, 4, 4]',
    );
    // What reads the same isn't the same.
    expect(thrown(() => functional.layerNorm(x, ['4'] as never))).toBe(
      'ShapeError: layer_norm: expected x whose last axes are ["4"], got [1, 3, 4, 4]',
    );
    expect(thrown(() => functional.layerNorm(x, [4], { weight: new Parameter([5]) }))).toMatch(
      /^ValueError: layer_norm: expected weight and bias as Parameters of shape \[4\], got/,
    );
    expect(thrown(() => new LayerNorm([]))).toBe(
      'ValueError: LayerNorm: expected normalizedShape as sizes of axes, got []',
    );
  });

  it('flatten starts at the channels', () => {
    expect(functional.flatten(x).shape).toEqual([1, 48]);
    expect(functional.flatten(x, 2).shape).toEqual([1, 3, 16]);
    expect(thrown(() => functional.flatten(x, 2, 1))).toBe(
      'ValueError: flatten() has invalid args: start_dim cannot come after end_dim',
    );
  });

  it('views tell of sizes that the elements do not fill', () => {
    expect(thrown(() => functional.reshape(x, [3, 15]))).toBe(
      "ShapeError: shape '[3, 15]' is invalid for input of size 48; reshape: got x [1, 3, 4, 4]",
    );
    expect(thrown(() => functional.reshape(x, [5, -1]))).toBe(
      "ShapeError: shape '[5, -1]' is invalid for input of size 48; reshape",
    );
    expect(thrown(() => functional.reshape(x, [-1, -1]))).toBe(
      'ShapeError: reshape: expected whole numbers >= 0, of which one may be -1, got [-1, -1]',
    );
    expect(thrown(() => functional.unflatten(x, 1, [2, 2]))).toBe(
      'ShapeError: unflatten: expected sizes [2, 2] to multiply to 3, axis 1 of [1, 3, 4, 4]',
    );
    expect(thrown(() => functional.permute(x, [0, 1, 2]))).toBe(
      'ValueError: permute: expected 4 axes, one for each of x, got [0, 1, 2]',
    );
    expect(thrown(() => functional.permute(x, [0, 1, 2, -2]))).toBe(
      'ValueError: permute: expected each axis once, got [0, 1, 2, -2]',
    );
    expect(thrown(() => functional.mean(x, 'all' as never))).toBe(
      'ValueError: mean: expected an array of axes, got "all"',
    );
  });

  it('parts of an axis stay within it', () => {
    expect(thrown(() => functional.narrow(x, 1, 2, 2))).toBe(
      'ShapeError: start (2) + length (2) exceeds dimension size (3); narrow',
    );
    expect(thrown(() => functional.split(x, [1, 1], 1))).toBe(
      "ShapeError: split_with_sizes expects split_sizes to sum exactly to 3 (input tensor's size at dimension 1), " +
        'but got split_sizes=[1, 1]',
    );
    expect(thrown(() => functional.slice(x, 1, 0.5))).toBe(
      'ValueError: slice: expected start as a whole number, got 0.5',
    );
    expect(functional.chunk(x, 2, 1).map(({ shape }) => shape[1])).toEqual([2, 1]);
    // PyTorch gives as many parts as were asked for where there is nothing to part.
    expect(functional.chunk(new Graph([[0, 3]]).inputs[0]!, 3, 0).map(({ shape }) => shape)).toEqual([
      ...[
        [0, 3],
        [0, 3],
        [0, 3],
      ],
    ]);
    expect(thrown(() => functional.channelShuffle(x, 2))).toBe(
      'ShapeError: Number of channels must be divisible by groups. Got 3 channels and 2 groups.',
    );
    expect(thrown(() => functional.channelShuffle(new Graph([[1, 2]]).inputs[0]!, 2))).toBe(
      'ShapeError: channel_shuffle expects input with > 2 dims, but got input with sizes [1, 2]',
    );
  });

  it('pooling pads by at most half a kernel', () => {
    const rest = "expected padding of at most half of the kernel's size 2x2, got [2, 0]";
    expect(thrown(() => functional.maxPool2d(x, 2, { padding: [2, 0] }))).toBe(`ValueError: max_pool2d: ${rest}`);
    expect(thrown(() => functional.avgPool2d(x, 2, { padding: [2, 0] }))).toBe(`ValueError: avg_pool2d: ${rest}`);
    expect(functional.maxPool2d(x, 3, { padding: 1 }).shape).toEqual([1, 3, 2, 2]);
    expect(thrown(() => functional.avgPool2d(x, 2, { divisorOverride: 0 }))).toBe(
      'ValueError: avg_pool2d: expected divisorOverride to be a whole number other than 0, got 0',
    );
    expect(thrown(() => functional.maxPool2d(x, 5))).toBe(
      'ShapeError: max_pool2d: expected an input of at least 5x5 pixels with padding (kernel 5x5, dilation ' +
        '1x1), got 4x4 from x [1, 3, 4, 4]',
    );
  });

  it('ceil mode allows a window larger than the image, as long as the next one would start in it', () => {
    const image = tensor([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 2, 2]);
    const pool = (layer: Module) => [...(layer.call(image) as Tensor<Float32Array>).data];
    expect(pool(new MaxPool2d(3, { stride: 2, ceilMode: true }))).toEqual([3, 7]);
    expect(pool(new MaxPool2d(4, { stride: 4, ceilMode: true }))).toEqual([3, 7]);
    expect(pool(new MaxPool2d(2, { stride: 3, dilation: 3, ceilMode: true }))).toEqual([0, 4]);
    expect(pool(new AvgPool2d(3, { stride: 2, ceilMode: true }))).toEqual([1.5, 5.5]);
    expect(pool(new AvgPool2d(3, { stride: 2, ceilMode: true, countIncludePad: false }))).toEqual([1.5, 5.5]);
    expect(thrown(() => pool(new MaxPool2d(4, { stride: 2, ceilMode: true })))).toBe(
      'ShapeError: max_pool2d: expected an input of at least 3x3 pixels with padding (kernel 4x4, dilation ' +
        '1x1, stride 2x2, ceil mode), got 2x2 from x [1, 2, 2, 2]',
    );
    expect(thrown(() => pool(new MaxPool2d(3, { stride: 1, ceilMode: true })))).toMatch(/at least 3x3 pixels/);
  });

  it('values of two traces do not mix', () => {
    const other = new Graph([[1, 3, 4, 4]]).inputs[0]!;
    expect(thrown(() => functional.add(x, other))).toBe(
      'ValueError: add: expected values of one trace, got values of two',
    );
  });
});

describe('arithmetic with parameters', () => {
  /** As ConvNeXt scales its blocks. */
  class Scaled extends Module {
    readonly conv = new Conv2d(3, 5, 1);
    readonly scale = new Parameter([5, 1, 1]);
    readonly bias = new Parameter([4]);

    forward(x: Value): Value {
      return functional.sub(functional.add(functional.mul(this.scale, this.conv.call(x)), x5(x)), this.bias);
    }
  }
  const x5 = (x: Value) => functional.cat([x, functional.narrow(x, 1, 0, 2)]);

  it('gives what it is by hand, and a number for each channel joins the convolution before it', () => {
    const module = fillParameters(new Scaled());
    const [x, w, b] = [noise('x', [2, 3, 2, 4]), module.conv.weight.values(), module.conv.bias!.values()];
    const [scale, row] = [module.scale.values(), module.bias.values()];
    const y = module.call(x);
    expect(y.shape).toEqual([2, 5, 2, 4]);
    y.data.forEach((v, i) => {
      const [n, c, at] = [Math.floor(i / 40), Math.floor(i / 8) % 5, i % 8];
      const of = (channel: number) => x.data[(n * 3 + channel) * 8 + at]!;
      const sum = [0, 1, 2].reduce((sum, k) => sum + of(k) * w[c * 3 + k]!, b[c]!);
      expect(Math.abs(v - (sum * scale[c]! + of(c < 3 ? c : c - 3) - row[at % 4]!))).toBeLessThan(1e-5);
    });
    expect(module.compiled!.steps.map(({ op }) => op)).toEqual(['conv2d', 'slice', 'cat', 'add', 'get_attr', 'sub']);
  });

  it('computes with the values that a parameter has when an asynchronous call is made', async () => {
    const module = fillParameters(new Scaled());
    const x = noise('x', [2, 3, 2, 4]);
    const before = module.call(x);
    const late = module.callAsync(x);
    module.bias.tensor = tensor([9, 9, 9, 9], [4]);
    expect(await late).toEqual(before);
    expect(module.call(x)).not.toEqual(before);
  });
});

describe('functional', () => {
  it("has forms each of which is a name of the package too; that they are PyTorch's say the sweeps", () => {
    expect(layertap).toMatchObject(functional);
  });
});
