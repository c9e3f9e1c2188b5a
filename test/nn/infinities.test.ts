/** A decided difference: Winograd's transforms mix the pixels of a tile, so what isn't finite spreads within it. */

import { expect, it } from 'vitest';
import { Conv2d } from '../../src/nn/conv.ts';
import { zeros } from '../../src/tensor/tensor.ts';
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
