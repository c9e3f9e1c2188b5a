/**
 * Long sums of terms of one sign: their roundings aren't independent, so a sum in one accumulator drifts with each
 * term. Every reduction has a bound as a part of Σ|term|, which constants, ramps and magnitudes stay within.
 */

import { describe, expect, it } from 'vitest';
import { record, type Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { adaptiveAvgPool2d, avgPool2d } from '../../src/nn/functional.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { conv2d, referenceConv2d } from '../../src/ops/conv2d/conv2d.ts';
import { indirect } from '../../src/ops/conv2d/indirect.ts';
import { splitTaps } from '../../src/ops/conv2d/split-taps.ts';
import { winograd } from '../../src/ops/conv2d/winograd.ts';
import type { Algorithm } from '../../src/ops/lowering/algorithm.ts';
import { toSides } from '../../src/ops/rules/window.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { binaries } from '../support/binaries.ts';
import { expectBits, Random } from '../support/kernels.ts';
import { programOf, runPlan } from '../support/programs.ts';
import { ROUNDOFF, runsBound, worstDisagreement } from '../support/tolerance.ts';
import { winogradMagnitudes } from '../support/winograd-magnitudes.ts';
import { transformOf } from '../support/winograd-transforms.ts';

type Fill = (index: number, count: number) => number;

const random = new Random(5);

/** Values of one sign by name. */
const FILLS: Readonly<Record<string, Fill>> = {
  'a constant': () => 0.7,
  'a ramp': (i, count) => (i + 1) / count,
  'noise of one sign': () => random.next(),
};

const filled = (shape: Shape, fill: Fill) =>
  new Tensor(
    Float32Array.from({ length: numel(shape) }, (_, i) => fill(i, numel(shape))),
    shape,
  );

/** The layer with positive weights, and without a bias. */
function positive<M extends Module<any>>(layer: M, fill: Fill): M {
  layer.loadStateDict([...layer.stateShapes()].map(([key, shape]) => [key, filled(shape, fill)]));
  return layer;
}

/** @throws Error where an output is farther from the reference's than `bound` allows, or depends on threads */
function expectBounded(
  x: Tensor<Float32Array>,
  trace: (x: Value) => Value,
  bound: (expected: number, index: number) => number,
): void {
  const program = programOf([x.shape], (value) => [trace(value!)]);
  const [expected] = interpret(program, [x]);
  for (const binary of binaries) {
    const [actual] = runPlan(program, [x], binary);
    const worst = worstDisagreement(actual!.data, expected!.data, (i) => bound(expected!.data[i]!, i));
    expect(worst.ratio, `${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    expectBits(runPlan(program, [x], binary, 3)[0]!.data, actual!.data, `${binary}, cut for three threads`);
  }
}

describe.each(Object.entries(FILLS))('of %s', (_, fill) => {
  it.each([
    [224, 224, 1],
    [1024, 1024, 1],
    [3, 40_001, 1],
    [4001, 3, 17],
    [101, 123, 21],
  ])('a mean over %ix%i pixels is within 1e-6 of the right one', (height, width, channels) => {
    const x = filled([1, channels, height, width], fill);
    // Fifteen additions in float32, and a rounding on each side.
    const bound = (expected: number) => 17 * ROUNDOFF * expected;
    expectBounded(x, (value) => adaptiveAvgPool2d(value, 1), bound);
    if (height === width) expectBounded(x, (value) => avgPool2d(value, height), bound);
    if (channels > 1) expectBounded(x, (value) => adaptiveAvgPool2d(value, [2, 2]), bound);
  });

  it.each([
    [25_088, 1],
    [25_088, 7],
    [200_000, 1],
    [131_073, 1],
  ])('a linear layer of %i features is within its bound, for %i rows', (features, rows) => {
    const layer = positive(new Linear(features, 9, { bias: false }), fill);
    const x = filled([rows, features], fill);
    expectBounded(
      x,
      (value) => layer.call(value) as Value,
      (expected) => runsBound(features, expected),
    );
  });

  it.each([
    [indirect, 2048, 3, 1],
    [splitTaps, 2048, 3, 1],
    [indirect, 20, 30, 1],
    [winograd(transformOf('winograd-2x2')!), 1028, 3, 1],
    [winograd(transformOf('winograd-3x3')!), 1028, 3, 1],
    [winograd(transformOf('winograd-4x4')!), 1028, 3, 1],
    [winograd(transformOf('winograd-3x3-s2')!), 1028, 3, 2],
  ] as const)(
    'a convolution by $0.name with $1 channels and a kernel of $2 is within its bound',
    (algorithm, channels, kernel, stride) => {
      const layer = positive(new Conv2d(channels, 16, kernel, { padding: kernel >> 1, stride, bias: false }), fill);
      const x = filled([1, channels, 5, 5], fill);
      const { weight, bias, dilation, groups } = layer;
      const padding = toSides('padding', kernel >> 1);
      const only = { ...conv2d, algorithms: [algorithm as Algorithm<any>], reference: referenceConv2d };
      const trace = (value: Value) =>
        record(only, [value], { weight, bias, stride: layer.stride, padding, dilation, groups });
      const transform = transformOf(algorithm.name);
      if (!transform) {
        expectBounded(x, trace, (expected) => runsBound(channels * kernel ** 2, expected));
        return;
      }
      // The transforms add up more than the convolution does, and round thirty times.
      const size = Math.ceil(5 / stride);
      const magnitudes = winogradMagnitudes(transform, layer, x, [1, 16, size, size]);
      expectBounded(x, trace, (_, i) => runsBound(channels, magnitudes[i]!) + 30 * ROUNDOFF * magnitudes[i]!);
    },
  );

  it.each([
    [63, 63, 5],
    [1, 9000, 17],
    [9, 9, 20],
  ])('a depthwise convolution by %ix%i is within its bound', (height, width, channels) => {
    const layer = positive(new Conv2d(channels, channels, [height, width], { groups: channels, bias: false }), fill);
    const x = filled([1, channels, height + 1, width + 1], fill);
    expectBounded(
      x,
      (value) => layer.call(value) as Value,
      (expected) => 67 * ROUNDOFF * expected,
    );
  });
});
