/** SqueezeNet: versions, options and the least image. Its numbers are the goldens' business. */

import { expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { SqueezeNet, squeezenet1_0 } from '../../src/models/squeezenet.ts';
import { noise } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

it('knows two versions', () => {
  expect(thrown(() => new SqueezeNet('2_0'))).toBe(
    'ValueError: Unsupported SqueezeNet version 2_0: 1_0 or 1_1 expected',
  );
  expect(thrown(() => new SqueezeNet('constructor'))).toBe(
    'ValueError: Unsupported SqueezeNet version constructor: 1_0 or 1_1 expected',
  );
  expect(String(new SqueezeNet())).toBe(String(squeezenet1_0()));
});

it('gives one logit for each class, whatever the size of the image', () => {
  for (const [height, width] of [
    [21, 21],
    [224, 224],
    [97, 131],
  ] as const) {
    const graph = new Graph([[2, 3, height, width]]);
    expect(squeezenet1_0({ numClasses: 10 }).forward(graph.inputs[0]!).shape).toEqual([2, 10]);
  }
});

it('refuses an image too small for a window, as PyTorch does', () => {
  const graph = new Graph([[1, 3, 6, 32]]);
  expect(thrown(() => squeezenet1_0().forward(graph.inputs[0]!))).toBe(
    'ShapeError: conv2d: expected an input of at least 7x7 pixels with padding (kernel 7x7, dilation 1x1), ' +
      'got 6x32 from x [1, 3, 6, 32]',
  );
});

it('takes an image of 21 pixels, where the last window of its pooling starts in the image and ends beyond it', () => {
  const model = fillParameters(squeezenet1_0({ numClasses: 10 }));
  expect(model.call(noise('x', [1, 3, 21, 21])).shape).toEqual([1, 10]);
  expect(thrown(() => model.call(noise('x', [1, 3, 20, 20])))).toBe(
    'ShapeError: SqueezeNet: features.11: ' +
      'max_pool2d: expected an input of at least 2x2 pixels with padding (kernel 3x3, dilation ' +
      '1x1, stride 2x2, ceil mode), got 1x1 from x [1, 512, 1, 1]; ' +
      'the smallest input that works is [1, 3, 21, 21]',
  );
});

it('has its dropout printed', () => {
  expect(String(squeezenet1_0({ dropout: 0.3 }).classifier.at(0))).toBe('Dropout(p=0.3, inplace=False)');
});
