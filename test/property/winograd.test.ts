/**
 * What Winograd's algorithms lose on inputs that are made to hurt: their transforms add up what cancels later, so the
 * error is a part of Σ|term| of the transforms, not of the convolution. The bound is winogradBound's, the same as for
 * the goldens.
 */

import { describe, expect, it } from 'vitest';
import { type Program, record } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { conv2d, referenceConv2d } from '../../src/ops/conv2d/conv2d.ts';
import { winograd } from '../../src/ops/conv2d/winograd.ts';
import type { Algorithm } from '../../src/ops/lowering/algorithm.ts';
import { type Pair, toSides } from '../../src/ops/rules/window.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits, Random } from '../support/kernels.ts';
import { programOf, runPlan } from '../support/programs.ts';
import { worstDisagreement } from '../support/tolerance.ts';
import { winogradBound, winogradMagnitudes } from '../support/winograd-magnitudes.ts';
import { TRANSFORMS } from '../support/winograd-transforms.ts';

const [CHANNELS, OUT, SIZE] = [32, 16, 11];
/** Sub-grids of two pixels, and one of one. */
const DILATION = 6;
const SHAPE = [1, CHANNELS, SIZE, SIZE];

type Fill = (random: Random, index: number) => number;

/** Pixel and channel of an index of the input. */
const pixelOf = (i: number) => i % (SIZE * SIZE);
const channelOf = (i: number) => Math.floor(i / (SIZE * SIZE)) % CHANNELS;

const noise: Fill = (random) => random.next() * 2 - 1;

/** Inputs and weights by name. Of a weight, `zeroSum` takes away each filter's mean. */
const CASES: Readonly<Record<string, { x: Fill; w: Fill; zeroSum: boolean }>> = {
  'noise around 0': { x: noise, w: noise, zeroSum: false },
  'a mean of 1000 and filters that sum to 0': { x: (r) => 1000 + noise(r, 0), w: noise, zeroSum: true },
  'channels that cancel in pairs': {
    x: (r, i) => (channelOf(i) % 2 === 0 ? 100 : -100) * (1 + pixelOf(i) / 121) + noise(r, 0) * 1e-3,
    w: () => 0.7,
    zeroSum: false,
  },
  'pixels of alternating sign': {
    x: (_, i) => (pixelOf(i) % 2 === 0 ? 1 : -1) * 100,
    w: (_, i) => (i % 2 === 0 ? 1 : -1),
    zeroSum: true,
  },
  'one pixel of 1e6 among small ones': {
    x: (r, i) => (pixelOf(i) === 60 ? 1e6 : noise(r, 0)),
    w: noise,
    zeroSum: false,
  },
};

function layerOf(
  { w, zeroSum }: { readonly w: Fill; readonly zeroSum: boolean },
  dilation: number,
  stride: number,
): Conv2d {
  const random = new Random(1);
  const values = Float32Array.from({ length: OUT * CHANNELS * 9 }, (_, i) => w(random, i));
  if (zeroSum) {
    const run = CHANNELS * 9;
    for (let o = 0; o < OUT; o++) {
      const filter = values.subarray(o * run, (o + 1) * run);
      const mean = filter.reduce((sum, v) => sum + v, 0) / run;
      for (let i = 0; i < run; i++) filter[i]! -= mean;
    }
  }
  const conv = new Conv2d(CHANNELS, OUT, 3, { stride, padding: dilation, dilation, bias: false });
  conv.loadStateDict([['weight', new Tensor(values, [OUT, CHANNELS, 3, 3])]]);
  return conv;
}

function programWith(conv: Conv2d, algorithm: Algorithm<any>, shape: Shape = SHAPE): Program {
  const { weight, bias, stride, padding, dilation, groups } = conv;
  const only = { ...conv2d, algorithms: [algorithm], reference: referenceConv2d };
  const sides = toSides('padding', padding as Pair);
  return programOf([shape], (x) => [record(only, [x!], { weight, bias, stride, padding: sides, dilation, groups })]);
}

/** One group's values of `[images, channels, …]`. */
function groupOf(values: Float32Array, images: number, groups: number, group: number): Float32Array<ArrayBuffer> {
  const run = values.length / images / groups;
  const parts = Array.from({ length: images }, (_, n) => {
    const from = (n * groups + group) * run;
    return [...values.subarray(from, from + run)];
  });
  return Float32Array.from(parts.flat());
}

/**
 * How many times larger Σ|term| of the transforms is than the convolution's Σ|x·w|, for inputs and weights of one
 * magnitude each: for 2×2 (8/3)², for 3×3 5.8², for 4×4 8.3², for 3×3 with stride 2 (7/3)².
 */
const AMPLIFICATION: Readonly<Record<string, number>> = {
  'toeplitz-2x2': 64 / 9,
  'winograd-2x2': 64 / 9,
  'winograd-3x3': 33.5,
  'winograd-4x4': 69,
  'winograd-3x3-s2': 49 / 9,
};

describe.each(TRANSFORMS)('$name', (transform) => {
  const { stride, isSurrounded } = transform;
  const algorithm = winograd(transform);
  const dilation = isSurrounded ? DILATION : 1;

  it.each(Object.keys(CASES))('stays within its bound for %s', (name) => {
    const { x: fill, ...filter } = CASES[name]!;
    const conv = layerOf(filter, dilation, stride);
    const random = new Random(2);
    const x = new Tensor(
      Float32Array.from({ length: CHANNELS * SIZE * SIZE }, (_, i) => fill(random, i)),
      SHAPE,
    );
    const program = programWith(conv, algorithm);
    const [expected] = interpret(program, [x]);
    const bound = winogradBound(transform, conv, x, expected!.shape);
    for (const binary of binaries) {
      const [actual] = runPlan(program, [x], binary);
      const worst = worstDisagreement(actual!.data, expected!.data, bound);
      expect(worst.ratio, `${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    }
  });

  // With seventy images the weight is transformed in each run.
  it.each([1, 70])('gives each group the bits of a convolution by itself, of %i images', (images) => {
    const groups = 3;
    const options = { stride, padding: dilation, dilation };
    const conv = fillParameters(new Conv2d(groups * CHANNELS, groups * OUT, 3, { ...options, groups }));
    const random = new Random(3);
    const x = Float32Array.from({ length: images * groups * CHANNELS * SIZE * SIZE }, () => noise(random, 0));
    const shapeOf = (count: number) => [images, count * CHANNELS, SIZE, SIZE];
    for (const binary of binaries) {
      const whole = new Tensor(x, shapeOf(groups));
      const [all] = runPlan(programWith(conv, algorithm, whole.shape), [whole], binary);
      for (let g = 0; g < groups; g++) {
        const alone = new Conv2d(CHANNELS, OUT, 3, options);
        alone.loadStateDict([
          ['weight', new Tensor(groupOf(conv.weight.values(), 1, groups, g), [OUT, CHANNELS, 3, 3])],
          ['bias', new Tensor(groupOf(conv.bias!.values(), 1, groups, g), [OUT])],
        ]);
        const part = new Tensor(groupOf(x, images, groups, g), shapeOf(1));
        const [expected] = runPlan(programWith(alone, algorithm, part.shape), [part], binary);
        const actual = groupOf(all!.data as Float32Array, images, groups, g);
        expectBits(actual, expected!.data as Float32Array, `${binary}, group ${g}`);
      }
    }
  });

  it('adds up terms that are together at most so many times those of the convolution', () => {
    const conv = layerOf({ w: () => 1, zeroSum: false }, dilation, stride);
    const x = new Tensor(new Float32Array(CHANNELS * SIZE * SIZE).fill(1), SHAPE);
    const all = winogradMagnitudes(transform, conv, x, [1, OUT, Math.ceil(SIZE / stride), Math.ceil(SIZE / stride)]);
    expect(Math.max(...all) / (CHANNELS * 9)).toBeLessThanOrEqual(AMPLIFICATION[transform.name]!);
  });
});
