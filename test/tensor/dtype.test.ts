/** Numbers of 16 bits, to and from float32: every half, and how what lies between two is rounded. */

import { describe, expect, it } from 'vitest';
import { bfloat16ToNumber, float16ToNumber, numberToFloat16 } from '../../src/tensor/dtype.ts';

describe('numberToFloat16', () => {
  it('gives every half back', () => {
    for (let pattern = 0; pattern < 65536; pattern++) {
      const value = float16ToNumber(pattern);
      if (Number.isNaN(value)) expect(numberToFloat16(value) & 0x7fff).toBe(0x7e00);
      else if (numberToFloat16(value) !== pattern) throw new Error(`${pattern}: ${value}, ${numberToFloat16(value)}`);
    }
  });

  it('rounds to the nearest half, and between two of them to the even one', () => {
    for (let pattern = 0; pattern < 0x7bff; pattern++) {
      const [below, above] = [float16ToNumber(pattern), float16ToNumber(pattern + 1)];
      const middle = (below + above) / 2;
      const even = pattern % 2 === 0 ? pattern : pattern + 1;
      const got = [middle, (below * 3 + above) / 4, (below + above * 3) / 4, -middle].map(numberToFloat16);
      const expected = [even, pattern, pattern + 1, even | 0x8000];
      if (String(got) !== String(expected)) throw new Error(`${middle}: expected ${expected}, got ${got}`);
    }
  });

  it("is PyTorch's half() on floats at the edges", () => {
    // Bits from torch.tensor(values).half().view(torch.int16).
    const rows: [value: number, bits: number][] = [
      [1e-8, 0x0000],
      [2 ** -25, 0x0000],
      [2 ** -25 * 1.0001, 0x0001],
      [2 ** -24 * 1.5, 0x0002],
      [6.1e-5, 0x03ff],
      [2 ** -14 - 2 ** -26, 0x0400],
      [2 ** -14 - 2 ** -25, 0x0400],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [65504, 0x7bff],
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [1e300, 0x7c00],
      [-1e300, 0xfc00],
      [Infinity, 0x7c00],
      [-Infinity, 0xfc00],
      [0, 0x0000],
      [-0, 0x8000],
    ];
    for (const [value, bits] of rows) expect(numberToFloat16(value), String(value)).toBe(bits);
    expect(numberToFloat16(NaN)).toBe(0x7e00);
  });

  it('rounds to float32 first, as PyTorch does with doubles', () => {
    expect(numberToFloat16(1 + 2 ** -11 + 2 ** -40)).toBe(0x3c00);
    expect(numberToFloat16(65519.99999)).toBe(0x7c00);
    expect(numberToFloat16(2 ** -25 * (1 + 2 ** -40))).toBe(0x0000);
  });
});

describe('bfloat16ToNumber', () => {
  it('is the upper half of a float32', () => {
    expect([0x3f80, 0x8000, 0x0001, 0x7f80, 0x7fc0, 0xff7f].map(bfloat16ToNumber)).toEqual([
      ...[1, -0, 2 ** -133, Infinity, NaN],
      -3.3895313892515355e38,
    ]);
  });
});
