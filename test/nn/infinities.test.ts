/**
 * Where what isn't finite goes: into the windows and the group that hold it. A decided difference is that Winograd's
 * transforms mix the pixels of a tile, so that it spreads within one.
 */

import { describe, expect, it } from 'vitest';
import { Hardswish } from '../../src/nn/activation.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { GroupNorm } from '../../src/nn/normalization.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';

it('differs: an infinity may make NaN around its windows, but never where no tile holds it', () => {
  const conv = fillParameters(new Conv2d(16, 16, 3, { padding: 1 }));
  const x = zeros([1, 16, 16, 16]);
  x.data[0] = Infinity;
  const { data } = conv.call(x);
  // Windows that hold pixel (0, 0), as in PyTorch.
  for (const i of [0, 1, 16, 17]) expect(Number.isFinite(data[i])).toBe(false);
  // Tiles of 4×4 outputs read 6×6 inputs: pixel (0, 0) is in the first tile only.
  for (let y = 0; y < 16; y++) {
    for (let column = 0; column < 16; column++) {
      if (y >= 4 || column >= 4) expect(Number.isFinite(data[y * 16 + column]), `${y}, ${column}`).toBe(true);
    }
  }
});

it('differs: Hardswish and group norm of numbers near the largest float32 overflow in PyTorch alone', () => {
  const x = tensor([1e38, 0, -1e38, 1], [1, 2, 1, 2]);
  // PyTorch: Infinity, 0, -0, 0.6667; it multiplies by 6 before it divides.
  expect([...new Hardswish().call(x).data]).toEqual([Math.fround(1e38), 0, -0, Math.fround(2 / 3)]);
  // PyTorch: zeros; the sum of squares is Infinity.
  const normal = new GroupNorm(1, 2, { affine: false }).call(x).data;
  for (const [i, value] of [Math.SQRT2, 0, -Math.SQRT2, 0].entries()) expect(normal[i]).toBeCloseTo(value, 5);
});

describe('groups', () => {
  it('of two outputs keep an infinity to themselves', () => {
    const conv = new Conv2d(4, 4, 1, { groups: 2, bias: false });
    conv.loadStateDict([['weight', tensor(Array(8).fill(1), [4, 2, 1, 1])]]);
    expect([...conv.call(tensor([Infinity, 1, 1, 1], [1, 4, 1, 1])).data]).toEqual([Infinity, Infinity, 2, 2]);
  });

  it.each([
    [8, 8],
    [8, 16],
    [4, 12],
    [6, 30],
    [3, 21],
    [32, 128],
    [5, 45],
  ])('%i of them keep NaN and infinities to themselves, with %i outputs', (groups, outChannels) => {
    const inGroup = 2;
    const conv = fillParameters(new Conv2d(groups * inGroup, outChannels, 3, { padding: 1, groups }));
    const plain = fillParameters(new Conv2d(groups * inGroup, outChannels, 3, { padding: 1, groups }));
    const size = 49;
    const x = new Tensor(
      Float32Array.from({ length: groups * inGroup * size }, (_, i) => Math.sin(i)),
      [1, groups * inGroup, 7, 7],
    );
    const expected = plain.call(x).data;
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      for (let group = 0; group < groups; group++) {
        const broken = new Tensor(x.data.slice(), x.shape);
        broken.data[group * inGroup * size + 24] = value;
        const { data } = conv.call(broken);
        const ofGroup = (outChannels / groups) * size;
        const [first, last] = [group * ofGroup, (group + 1) * ofGroup];
        for (let i = 0; i < data.length; i++) {
          if (i < first || i >= last) expect(data[i], `${value} in group ${group}, output ${i}`).toBe(expected[i]);
        }
        expect(data.slice(first, last).some((v) => !Number.isFinite(v))).toBe(true);
      }
    }
  });
});
