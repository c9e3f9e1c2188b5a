/** Whole numbers as large as options take, and sizes that stay: what kernels compute of them doesn't leave 32 bits. */

import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d } from '../../src/nn/functional.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { programOf, runPlan } from '../support/programs.ts';
import { worstDisagreement } from '../support/tolerance.ts';

const MOST = 2 ** 31 - 1;

/** @throws Error where the plan's output isn't the reference's, but for rounding */
function expectReference(shape: Shape, trace: (x: Value) => Value): void {
  const program = programOf([shape], (value) => [trace(value!)]);
  const x = generatedTensor('limits', shape);
  const [expected] = interpret(program, [x]);
  for (const binary of binaries) {
    for (const threads of [1, 2]) {
      const [actual] = runPlan(program, [x], binary, threads);
      const worst = worstDisagreement(actual!.data, expected!.data, () => 1e-5);
      expect(worst.ratio, `${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    }
  }
}

describe('adaptive pooling', () => {
  it.each([
    [
      [1, 4, 1, 50_000],
      [1, null],
    ],
    [
      [1, 1, 1, 50_000],
      [1, null],
    ],
    [
      [1, 1, 46_341, 1],
      [null, 1],
    ],
    [
      [1, 1, 60_000, 1],
      [null, 1],
    ],
    [
      [1, 2, 3, 70_000],
      [2, 65_537],
    ],
    [
      [1, 2, 50_000, 2],
      [49_999, 3],
    ],
  ] as const)('of %j to %j takes the windows of the formula', (shape, outputSize) => {
    expectReference(shape, (x) => adaptiveAvgPool2d(x, outputSize));
  });
});

describe('a dilation of 2³¹ − 1', () => {
  it('reaches no second pixel, and one tap reaches its own', () => {
    expectReference([1, 1, 4, 4], (x) => maxPool2d(x, 1, { dilation: MOST }));
    const one = fillParameters(new Conv2d(3, 4, 1, { dilation: MOST }));
    expectReference([1, 3, 4, 4], (x) => one.call(x) as Value);
    const depthwise = fillParameters(new Conv2d(4, 4, 1, { dilation: MOST, groups: 4 }));
    expectReference([1, 4, 9, 9], (x) => depthwise.call(x) as Value);
  });
});

describe('a dilation near 2³⁰, with padding as large', () => {
  // Four, six or seven of them would be near a multiple of 2³².
  const dilation = 2 ** 30 - 16;

  it.each([
    ['a convolution', 16, 1],
    ['one of few channels', 3, 1],
    ['a depthwise one', 16, 16],
  ])('reaches no second pixel in %s', (_, channels, groups) => {
    const conv = fillParameters(new Conv2d(channels, 16, 3, { dilation, padding: dilation, groups }));
    expectReference([1, channels, 5, 6], (x) => conv.call(x) as Value);
  });
});

describe('kernels and strides of up to 2³¹ − 1', () => {
  it('cover what there is of the image', () => {
    expectReference([1, 2, 5, 6], (x) => maxPool2d(x, 1, { stride: MOST }));
    expectReference([1, 2, 5, 6], (x) => avgPool2d(x, [5, 6], { stride: MOST }));
    // The last window begins in the image, and ends beyond it.
    expectReference([1, 2, 5, 6], (x) => avgPool2d(x, [7, 8], { stride: [3, 4], padding: 3, ceilMode: true }));
  });

  it('are refused where they are larger, or end beyond', () => {
    const thrown = (call: () => unknown): string => {
      try {
        call();
      } catch (error) {
        return String(error);
      }
      return 'nothing';
    };
    const shape = [1, 1, 4, 4];
    const traced = (trace: (x: Value) => Value) => thrown(() => programOf([shape], (x) => [trace(x!)]));
    expect(traced((x) => maxPool2d(x, 1, { dilation: 2 ** 32 }))).toBe(
      'ValueError: max_pool2d: dilation: expected whole numbers <= 2147483647, got 4294967296',
    );
    expect(traced((x) => maxPool2d(x, 2, { stride: [1, 2 ** 31] }))).toBe(
      'ValueError: max_pool2d: stride: expected whole numbers <= 2147483647, got [1, 2147483648]',
    );
    expect(traced((x) => adaptiveAvgPool2d(x, 2 ** 31))).toBe(
      'ValueError: adaptive_avg_pool2d: outputSize: expected a whole number from 1 to 2147483647, got 2147483648',
    );
    expect(traced((x) => new Conv2d(1, 1, 1, { padding: 2 ** 30 }).call(x) as Value)).toBe(
      'ShapeError: conv2d: expected padding and windows to end within 2147483647 pixels, got ' +
        '2147483652x2147483652 for ' +
        'x [1, 1, 4, 4]',
    );
  });
});

describe('an average over a whole number', () => {
  it.each([-3, 2 ** 31, 2 ** 40])('%i divides by it', (divisorOverride) => {
    expectReference([1, 5, 7, 7], (x) => avgPool2d(x, 3, { divisorOverride }));
    expectReference([1, 5, 7, 7], (x) => avgPool2d(x, 7, { divisorOverride }));
  });

  it.each([0.5, 2.5, Number.NaN, Infinity, 2 ** 53])('is refused over %d', (divisorOverride) => {
    expect(() => programOf([[1, 1, 4, 4]], (x) => [avgPool2d(x!, 2, { divisorOverride })])).toThrow(
      `avg_pool2d: expected divisorOverride to be a whole number other than 0, got ${divisorOverride}`,
    );
  });
});

describe('convolutions of 64 channels and more into few, on small maps', () => {
  // Tap by tap: what is asked for in advance mustn't reach beyond the weights, which lie last in memory.
  it.each([
    [64, 1, [5, 5], [1, 9], { padding: 2 }],
    [128, 4, [3, 3], [4, 4], { padding: 2, dilation: 2 }],
    [512, 5, [3, 3], [1, 1], { padding: 1 }],
    [200, 2, [1, 7], [3, 8], { padding: [0, 3] }],
  ] as const)('from %i to %i, a kernel of %j on %j', (from, to, kernel, size, options) => {
    const conv = fillParameters(new Conv2d(from, to, [...kernel], options));
    expectReference([1, from, ...size], (x) => conv.call(x) as Value);
  });
});
