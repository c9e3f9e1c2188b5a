/** Where PyTorch leaves the order open, it is the elements' own. */

import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/tensor/tensor.ts';
import { argmax, topk } from '../../src/tools/index.ts';

describe('of equal elements', () => {
  it('topk gives the first first, as int32', () => {
    const { values, indices } = topk(tensor([1, 3, 3, Number.NaN, 3, Number.NaN], [6]), 5);
    expect([...values.data]).toEqual([Number.NaN, Number.NaN, 3, 3, 3]);
    expect([indices.dtype, ...indices.data]).toEqual(['int32', 3, 5, 1, 2, 4]);
    expect([...topk(tensor([2, 0, 0, 1], [4]), 3, { largest: false }).indices.data]).toEqual([1, 2, 3]);
  });

  it('argmax gives the first, as int32', () => {
    const { dtype, shape, data } = argmax(tensor([1, 3, 3, 0], [4]));
    expect([dtype, shape, ...data]).toEqual(['int32', [], 1]);
  });

  it('topk sorts a thousand as a sort does', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 311) - 150);
    const sorted = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
    expect([...topk(tensor(values, [1000]), 1000).indices.data]).toEqual(sorted);
  });
});
