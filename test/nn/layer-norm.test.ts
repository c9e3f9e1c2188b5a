/** Layer norm of rows whose numbers hardly differ: what is left of a number after the mean has all its bits. */

import { expect, it } from 'vitest';
import { LayerNorm } from '../../src/nn/normalization.ts';
import { tensor } from '../../src/tensor/tensor.ts';

it.each([
  [1e6, 1001],
  [-3e7, 8],
  [2 ** 23, 769],
])('of %f with one number that is a unit higher, %i numbers', (offset, size) => {
  const step = 2 ** (Math.floor(Math.log2(Math.abs(offset))) - 23);
  const x = new Float32Array(size).fill(offset);
  const at = size >> 1;
  x[at] = offset + step;
  // Of size − 1 zeros and one step: the mean is step / size, the variance step²·(size − 1) / size².
  const mean = step / size;
  const deviation = Math.sqrt((step * step * (size - 1)) / (size * size) + 1e-12);
  const norm = new LayerNorm(size, { eps: 1e-12, elementwiseAffine: false });
  const y = norm.call(tensor(x, [1, size])).data;
  const expected = Float32Array.from(x, (_, i) => ((i === at ? step : 0) - mean) / deviation);
  const errors = expected.map((value, i) => Math.abs(y[i]! - value) / Math.abs(value));
  expect(errors.reduce((most, error) => Math.max(most, error), 0)).toBeLessThanOrEqual(2 ** -23);
});

it('of one number all along is 0, and of an outlier what a sum in float64 gives', () => {
  const norm = new LayerNorm(4, { elementwiseAffine: false });
  expect([...norm.call(tensor([0.1, 0.1, 0.1, 0.1], [1, 4])).data].map(Math.abs)).toEqual([0, 0, 0, 0]);
  const y = norm.call(tensor([1e10, 1, 2, 3], [1, 4])).data;
  const deviation = Math.sqrt(3) / 4;
  expect(y[0]).toBeCloseTo(0.75 / deviation, 6);
  expect(y[1]).toBeCloseTo(-0.25 / deviation, 6);
});
