/** Layers that torchvision's networks do without: what they print, refuse and take. Their numbers are the sweeps'. */

import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { resnet18 } from '../../src/index.ts';
import { BatchNorm1d, SyncBatchNorm } from '../../src/nn/batchnorm1d.ts';
import { Conv2d as ZeroPaddedConv2d } from '../../src/nn/conv.ts';
import { ConvTranspose2d } from '../../src/nn/conv-transpose.ts';
import { Conv1d, ConvTranspose1d } from '../../src/nn/conv1d.ts';
import { Conv2d } from '../../src/nn/conv2d.ts';
import { DropPath } from '../../src/nn/dropout.ts';
import * as functional from '../../src/nn/functional.ts';
import { InstanceNorm1d, InstanceNorm2d } from '../../src/nn/instance-norm.ts';
import { Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { ConstantPad1d, ReflectionPad1d } from '../../src/nn/padding-layers.ts';
import { AdaptiveMaxPool2d, LPPool2d } from '../../src/nn/pooling.ts';
import { AdaptiveAvgPool1d, AdaptiveMaxPool1d, AvgPool1d, LPPool1d, MaxPool1d } from '../../src/nn/pooling1d.ts';
import { Upsample, UpsamplingBilinear2d, UpsamplingNearest2d } from '../../src/nn/upsampling.ts';
import { Buffer, Parameter } from '../../src/tensor/parameter.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

const value = (shape: Shape): Value => new Graph([shape]).inputs[0]!;

describe('printing', () => {
  // The right column is PyTorch 1.13's, but timm's of DropPath.
  const printed: [layer: Module, text: string][] = [
    [new ConvTranspose2d(4, 6, 3), 'ConvTranspose2d(4, 6, kernel_size=(3, 3), stride=(1, 1))'],
    [
      new ConvTranspose2d(4, 6, [3, 2], {
        stride: 2,
        padding: 1,
        outputPadding: 1,
        groups: 2,
        bias: false,
        dilation: 2,
      }),
      'ConvTranspose2d(4, 6, kernel_size=(3, 2), stride=(2, 2), padding=(1, 1), dilation=(2, 2), ' +
        'output_padding=(1, 1), groups=2, bias=False)',
    ],
    [
      new Conv2d(1, 2, 3, { padding: 1, paddingMode: 'reflect' }),
      'Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), padding_mode=reflect)',
    ],
    [
      new Conv2d(1, 2, 3, { padding: 'same', bias: false, paddingMode: 'circular' }),
      'Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=same, bias=False, padding_mode=circular)',
    ],
    [new Conv1d(3, 8, 3), 'Conv1d(3, 8, kernel_size=(3,), stride=(1,))'],
    [
      new Conv1d(4, 8, 3, { stride: 2, padding: 1, dilation: 2, groups: 2, bias: false, paddingMode: 'replicate' }),
      'Conv1d(4, 8, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, bias=False, ' +
        'padding_mode=replicate)',
    ],
    [new Conv1d(4, 8, 3, { padding: 'same' }), 'Conv1d(4, 8, kernel_size=(3,), stride=(1,), padding=same)'],
    [
      new ConvTranspose1d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dilation: 2, bias: false }),
      'ConvTranspose1d(4, 6, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), output_padding=(1,), ' +
        'groups=2, bias=False)',
    ],
    [new MaxPool1d(2), 'MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)'],
    [new AvgPool1d(3, { padding: 1 }), 'AvgPool1d(kernel_size=(3,), stride=(3,), padding=(1,))'],
    [new AdaptiveAvgPool1d(5), 'AdaptiveAvgPool1d(output_size=5)'],
    [new AdaptiveMaxPool1d(5), 'AdaptiveMaxPool1d(output_size=5)'],
    [new AdaptiveMaxPool2d([null, 7]), 'AdaptiveMaxPool2d(output_size=(None, 7))'],
    [new AdaptiveMaxPool2d(3), 'AdaptiveMaxPool2d(output_size=3)'],
    [new LPPool1d(2, 3), 'LPPool1d(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)'],
    [
      new LPPool2d(1.5, [3, 2], { stride: 2, ceilMode: true }),
      'LPPool2d(norm_type=1.5, kernel_size=(3, 2), stride=2, ceil_mode=True)',
    ],
    [new LPPool2d(2, 3), 'LPPool2d(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)'],
    [new BatchNorm1d(4), 'BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)'],
    [
      new SyncBatchNorm(4, { affine: false }),
      'SyncBatchNorm(4, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)',
    ],
    [new InstanceNorm2d(4), 'InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)'],
    [
      new InstanceNorm1d(4, { affine: true, trackRunningStats: true, momentum: null }),
      'InstanceNorm1d(4, eps=1e-05, momentum=None, affine=True, track_running_stats=True)',
    ],
    [new UpsamplingNearest2d({ scaleFactor: 2 }), 'UpsamplingNearest2d(scale_factor=2.0, mode=nearest)'],
    [new UpsamplingBilinear2d({ size: [3, 4] }), 'UpsamplingBilinear2d(size=(3, 4), mode=bilinear)'],
    [new Upsample({ scaleFactor: 2, mode: 'bicubic' }), 'Upsample(scale_factor=2.0, mode=bicubic)'],
    [new ConstantPad1d(1, 2.5), 'ConstantPad1d(padding=(1, 1), value=2.5)'],
    [new ReflectionPad1d([1, 2]), 'ReflectionPad1d((1, 2))'],
    [new DropPath(0.1), 'DropPath(drop_prob=0.100)'],
  ];

  it.each(printed)('%s', (layer, text) => {
    expect(String(layer)).toBe(text);
  });
});

it('state dicts have the keys of PyTorch', () => {
  expect([...new InstanceNorm2d(4).stateShapes().keys()]).toEqual([]);
  const norm = new InstanceNorm1d(4, { affine: true, trackRunningStats: true });
  const names = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'];
  expect([...norm.stateShapes().keys()]).toEqual(names);
  expect([...new BatchNorm1d(4).stateShapes().keys()]).toEqual(names);
  expect([...new ConvTranspose2d(4, 6, [3, 2], { groups: 2 }).stateShapes()]).toEqual([
    ['weight', [4, 3, 3, 2]],
    ['bias', [6]],
  ]);
  expect([...new Conv1d(4, 6, 3, { groups: 2 }).stateShapes()][0]).toEqual(['weight', [6, 2, 3]]);
});

describe('a transposed convolution', () => {
  const up = new ConvTranspose2d(1, 1, 3, { stride: 2, padding: 1 });
  const sizeOf = (outputSize?: readonly number[]) => up.forward(value([1, 1, 4, 5]), outputSize).shape.slice(2);

  it('takes the size of its output in the place of an output padding', () => {
    expect(sizeOf()).toEqual([7, 9]);
    expect(sizeOf([7, 10])).toEqual([7, 10]);
    expect(sizeOf([1, 1, 8, 9])).toEqual([8, 9]);
    expect(thrown(() => sizeOf([9, 9]))).toBe(
      'ValueError: requested an output size of [9, 9], but valid sizes range from [7, 9] to [8, 10] ' +
        '(for an input of [4, 5])',
    );
    expect(thrown(() => sizeOf([1]))).toBe(
      'ValueError: ConvTranspose2D: for 4D input, output_size must have 2 or 4 elements (got [1])',
    );
    const row = new ConvTranspose1d(1, 1, 3, { stride: 2, padding: 1 });
    expect(row.forward(value([1, 1, 4]), [8]).shape).toEqual([1, 1, 8]);
    expect(thrown(() => row.forward(value([1, 1, 4]), [9]))).toBe(
      'ValueError: requested an output size of [9], but valid sizes range from [7] to [8] (for an input of [4])',
    );
    expect(thrown(() => row.forward(value([1, 1, 4]), [1, 8]))).toBe(
      'ValueError: ConvTranspose1D: for 3D input, output_size must have 1 or 3 elements (got [1, 8])',
    );
  });

  it('joins what comes after it into its own steps, and gives the same bits', () => {
    class Decoder extends Module {
      readonly up = new ConvTranspose2d(6, 10, 3, { stride: 2, groups: 2 });
      readonly norm = new BatchNorm1d(10);

      forward(x: Value): Value {
        const { running_mean, running_var, weight, bias } = this.norm;
        return functional.relu(functional.batchNorm(this.up.call(x), running_mean!, running_var!, { weight, bias }));
      }
    }
    const module = fillParameters(new Decoder());
    const x = noise('x', [2, 6, 5, 4]);
    const y = module.call(x);
    expect(module.compiled!.steps).toMatchObject([{ op: 'conv_transpose2d', algorithm: 'phases' }]);
    const apart = functionalOf((v) => functional.relu(v)).call(
      Object.assign(new SyncBatchNorm(10), {
        weight: module.norm.weight,
        bias: module.norm.bias,
        running_mean: module.norm.running_mean,
        running_var: module.norm.running_var,
      }).call(module.up.call(x) as Tensor<Float32Array>),
    );
    expect(y).toEqual(apart);
  });

  it('is packed as its weight arrives, in f16 too, within the rounding of its weights', async () => {
    const up = fillParameters(new ConvTranspose2d(8, 8, 4, { stride: 2, padding: 1 }));
    const x = noise('x', [1, 8, 6, 5]);
    const expected = up.call(x);
    const halves = new ConvTranspose2d(8, 8, 4, { stride: 2, padding: 1 }).compile({ weightStorage: 'f16' });
    halves.loadStateDict(up.stateDict());
    const largest = (values: Float32Array) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    // 2⁻¹¹ of each of the 4 taps' 8 products.
    const bound = 2 ** -11 * 32 * largest(up.weight.values()) * largest(x.data) + 1e-5;
    const actual = halves.call(x);
    actual.data.forEach((v, i) => {
      expect(Math.abs(v - expected.data[i]!)).toBeLessThanOrEqual(bound);
    });
  });

  it('is refused where it was made or called with what does not fit', () => {
    expect(thrown(() => new ConvTranspose2d(3, 8, 3, { groups: 2 }))).toBe(
      'ValueError: in_channels must be divisible by groups; ConvTranspose2d: got inChannels 3, groups 2',
    );
    expect(thrown(() => new ConvTranspose2d(4, 8, 3, { paddingMode: 'reflect' as never }))).toBe(
      'ValueError: Only "zeros" padding mode is supported for ConvTranspose2d; got paddingMode "reflect"',
    );
    expect(thrown(() => new ConvTranspose1d(4, 8, 3, { paddingMode: 'reflect' as never }))).toBe(
      'ValueError: Only "zeros" padding mode is supported for ConvTranspose1d; got paddingMode "reflect"',
    );
    expect(thrown(() => new Conv1d(4, 7, 3, { groups: 2 }))).toBe(
      'ValueError: out_channels must be divisible by groups; Conv1d: got outChannels 7, groups 2',
    );
    expect(thrown(() => new ConvTranspose2d(4, 8, 3).call(value([1, 4, 5])))).toBe(
      'ShapeError: conv_transpose2d: expected x of shape [N, C, H, W], got [1, 4, 5]',
    );
    expect(thrown(() => new ConvTranspose2d(4, 8, 3).call(value([1, 3, 5, 5])))).toBe(
      'ShapeError: conv_transpose2d: expected x with 4 channels (weight [4, 8, 3, 3], groups 1), got 3 in x [1, 3, 5, 5]',
    );
    expect(thrown(() => new ConvTranspose2d(4, 8, 3, { stride: 2, outputPadding: 2 }).call(value([1, 4, 5, 5])))).toBe(
      'ShapeError: output padding must be smaller than either stride or dilation, but got output_padding_height: 2 ' +
        'output_padding_width: 2 stride_height: 2 stride_width: 2 dilation_height: 1 dilation_width: 1',
    );
    expect(thrown(() => new ConvTranspose2d(4, 8, 3, { padding: 2 }).call(value([1, 4, 2, 5])))).toBe(
      'ShapeError: conv_transpose2d: expected an output of 1 to 2147483647 pixels on each side, got 0x3 from x ' +
        '[1, 4, 2, 5]',
    );
  });
});

describe('convolutions with padding of another mode', () => {
  it('refuse a mode that is none', () => {
    expect(thrown(() => new Conv2d(1, 1, 1, { paddingMode: 'edge' as never }))).toBe(
      "ValueError: padding_mode must be one of {'circular', 'reflect', 'replicate', 'zeros'}, but got " +
        "padding_mode='edge'",
    );
    expect(thrown(() => new Conv2d(1, 1, 1, { foo: 1 } as never))).toBe(
      'ValueError: Conv2d: expected options of stride, padding, dilation, groups, bias, paddingMode, got "foo"',
    );
  });

  it('follow their attributes as they are at a call', () => {
    const conv = fillParameters(new Conv2d(2, 2, 3, { padding: 1 }));
    const x = noise('x', [1, 2, 5, 4]);
    const zeros = conv.call(x);
    conv.paddingMode = 'reflect';
    const reflected = conv.call(x);
    expect(reflected).not.toEqual(zeros);
    conv.paddingMode = 'zeros';
    expect(conv.call(x)).toEqual(zeros);
  });

  it("are of one class with models' own, which ship zeros alone", () => {
    class Mine extends Conv2d {}
    const { conv1 } = resnet18();
    expect(conv1).toBeInstanceOf(Conv2d);
    expect(conv1).not.toBeInstanceOf(Mine);
    expect(new Mine(1, 1, 1)).toBeInstanceOf(Conv2d);
    expect(new Conv2d(1, 1, 1)).not.toBeInstanceOf(Mine);
    expect(new Conv2d(1, 1, 1)).toBeInstanceOf(ZeroPaddedConv2d);
    expect(new Linear(1, 1)).not.toBeInstanceOf(Conv2d);
  });
});

/** A function of values as a module. */
function functionalOf(run: (...inputs: Value[]) => Value) {
  return new (class Form extends Module<Value> {
    forward(...inputs: Value[]): Value {
      return run(...inputs);
    }
  })();
}

describe('functional forms with weights', () => {
  const x = value([1, 4, 5, 5]);
  const weight = new Parameter([6, 2, 3, 3]);

  it('take parameters of the right shapes alone', () => {
    expect(functional.conv2d(x, weight, { groups: 2, padding: 'same' }).shape).toEqual([1, 6, 5, 5]);
    expect(thrown(() => functional.conv2d(x, 3 as never))).toBe(
      'ValueError: conv2d: expected weight as a Parameter, got 3',
    );
    expect(thrown(() => functional.linear(x, new Parameter([2, 5]), { bias: 1 as never }))).toBe(
      'ValueError: linear: expected bias as a Parameter, got 1',
    );
    expect(thrown(() => functional.conv1d(x, weight))).toBe(
      'ShapeError: conv1d: expected a weight of 3 axes, got [6, 2, 3, 3]',
    );
    expect(thrown(() => functional.conv2d(x, weight, { bias: new Parameter([5]) }))).toBe(
      'ShapeError: conv2d: expected a bias of shape [6], got [5]',
    );
    expect(thrown(() => functional.conv2d(x, weight, { groups: 4 }))).toBe(
      'ShapeError: conv2d: expected groups that divide 6 output channels, got 4 groups',
    );
    expect(thrown(() => functional.convTranspose2d(x, weight, { groups: 4 }))).toBe(
      'ShapeError: conv_transpose2d: expected groups that divide 6 input channels, got 4 groups',
    );
    const [mean, variance] = [new Buffer([4]), new Buffer([4])];
    expect(functional.batchNorm(x, mean, variance).shape).toEqual(x.shape);
    expect(thrown(() => functional.batchNorm(x, mean, variance, { weight: new Parameter([3]) }))).toBe(
      'ShapeError: batch_norm: expected weight of shape [4], got [3]',
    );
    expect(thrown(() => functional.batchNorm(x, mean, null as never))).toBe(
      'ValueError: batch_norm: expected runningVar as a Parameter, got undefined',
    );
    expect(thrown(() => functional.batchNorm(value([4]), mean, variance))).toBe(
      'ShapeError: batch_norm: expected x of shape [N, C, …], got [4]',
    );
  });

  it("give the layers' bits", () => {
    const layer = fillParameters(new Linear(5, 3));
    const rows = noise('rows', [2, 4, 5]);
    class Form extends Module {
      readonly weight = layer.weight;
      readonly bias = layer.bias;

      forward(v: Value): Value {
        return functional.linear(v, this.weight, { bias: this.bias });
      }
    }
    expect(new Form().call(rows)).toEqual(layer.call(rows));
  });
});

describe('norms', () => {
  it('take the shapes that they were made for', () => {
    expect(thrown(() => new BatchNorm1d(3).call(value([1, 3, 4, 4])))).toBe(
      'ShapeError: expected 2D or 3D input (got 4D input)',
    );
    expect(thrown(() => new SyncBatchNorm(3).call(value([3])))).toBe(
      'ShapeError: expected at least 2D input (got 1D input)',
    );
    expect(thrown(() => new InstanceNorm2d(3).call(value([1, 3, 4])))).toBe(
      'ShapeError: InstanceNorm2d: expected x of shape [N, C, H, W], got [1, 3, 4]',
    );
    expect(thrown(() => new InstanceNorm1d(3).call(value([3, 4])))).toBe(
      'ShapeError: InstanceNorm1d: expected x of shape [N, C, L], got [3, 4]',
    );
    expect(thrown(() => functional.instanceNorm(value([1, 3])))).toBe(
      'ShapeError: instance_norm: expected x of shape [N, C, L, …], got [1, 3]',
    );
    expect(thrown(() => functional.instanceNorm(value([1, 3, 1, 1])))).toBe(
      'ShapeError: Expected more than 1 spatial element when training, got input size [1, 3, 1, 1]; instance_norm',
    );
    expect(thrown(() => functional.instanceNorm(value([1, 3, 2]), { useInputStats: false }))).toBe(
      'ValueError: Expected running_mean and running_var to be defined when use_input_stats is false; ' +
        'instance_norm: got none',
    );
  });
});

describe('pooling and resizing', () => {
  it('tell of what does not fit, by the name that was called', () => {
    expect(thrown(() => functional.maxPool1d(value([1, 3, 4, 4]), 2))).toBe(
      'ShapeError: max_pool1d: expected x of shape [N, C, L], got [1, 3, 4, 4]',
    );
    expect(thrown(() => functional.maxPool1d(value([1, 3, 2]), 3))).toBe(
      'ShapeError: max_pool1d: expected an input of at least 1x3 pixels with padding (kernel 1x3, dilation 1x1), ' +
        'got 1x2 from x [1, 3, 1, 2]',
    );
    expect(thrown(() => new AvgPool1d(2, { padding: 2 }))).toBe(
      "ValueError: AvgPool1d: expected padding of at most half of the kernel's size 2, got 2",
    );
    expect(thrown(() => new LPPool2d(0, 2))).toBe('ValueError: LPPool2d: expected normType other than 0, got 0');
    expect(thrown(() => new LPPool1d(0, 2))).toBe('ValueError: LPPool1d: expected normType other than 0, got 0');
    expect(thrown(() => functional.lpPool2d(value([1, 3]), 2, 2))).toBe(
      'ShapeError: lp_pool2d: expected x of shape [N, C, H, W], got [1, 3]',
    );
    expect(thrown(() => functional.adaptiveMaxPool2d(value([1, 3]), 2))).toBe(
      'ShapeError: adaptive_max_pool2d: expected x of shape [N, C, H, W], got [1, 3]',
    );
  });

  it('take the maximum over windows that do not overlap by the kernel of max pooling', () => {
    const pool = new AdaptiveMaxPool2d([2, 3]);
    pool.call(noise('x', [1, 3, 4, 9]));
    expect(pool.compiled!.steps).toMatchObject([{ op: 'adaptive_max_pool2d', algorithm: 'direct' }]);
    pool.call(noise('x', [1, 3, 5, 9]));
    expect(pool.compiled!.steps).toMatchObject([{ op: 'adaptive_max_pool2d', algorithm: 'host' }]);
  });

  it('copy no row of one dimension', () => {
    const pool = new MaxPool1d(2);
    pool.call(noise('x', [2, 3, 8]));
    expect(pool.compiled!.steps.filter(({ algorithm }) => algorithm !== 'view').map(({ op }) => op)).toEqual([
      'max_pool2d',
    ]);
  });
});

describe('products and stacks', () => {
  it('tell of shapes that do not fit', () => {
    const [a, b] = new Graph([
      [2, 3, 4],
      [2, 5, 4],
    ]).inputs as [Value, Value];
    expect(thrown(() => functional.matmul(a, b))).toBe(
      'ShapeError: matmul: expected matrices [..., n, k] and [..., k, m] of which the first axes are equal or 1, ' +
        'got [2, 3, 4] and [2, 5, 4]',
    );
    expect(functional.matmul(a, new Parameter([4, 7])).shape).toEqual([2, 3, 7]);
    expect(functional.stack([a, a], -1).shape).toEqual([2, 3, 4, 2]);
    expect(thrown(() => functional.stack([]))).toBe('ValueError: stack expects a non-empty TensorList; got none');
    expect(thrown(() => functional.stack(a as never))).toMatch(/^ValueError: stack: expected an array of values, got/);
    expect(thrown(() => functional.stack([a, b]))).toBe(
      'ShapeError: stack expects each tensor to be equal size, but got [2, 3, 4] at entry 0 and [2, 5, 4] at entry 1',
    );
  });
});
