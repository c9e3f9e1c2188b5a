/**
 * Σ|term| of Winograd's way of computing a 3×3 convolution: larger than the convolution's own Σ|x·w|, since its transforms add
 * and subtract what cancels later. From the transforms' matrices (assembly/winograd.ts), by absolute values.
 */

import type { Conv2d } from '../../src/nn/conv.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { sumBound } from './tolerance.ts';

type Matrix = readonly (readonly number[])[];

interface Transforms {
  readonly input: Matrix;
  readonly weight: Matrix;
  readonly output: Matrix;
}

const a = Math.SQRT1_2;
const b = Math.SQRT2;

/** Points along a side of a transform. */
type Side = 3 | 4 | 5 | 6;

/** |Bᵀ|, |G| and |Aᵀ|: 6 are at 0, ±1/√2, ±√2, ∞, 5 at ±1/2, ±3/2, ∞, 4 at 0, ±1, ∞, and 3 are a Toeplitz product's. */
const TRANSFORMS: Readonly<Record<Side, Transforms>> = {
  3: {
    input: [
      [1, 1],
      [0, 1],
      [1, 0],
    ],
    weight: [
      [0, 1, 0],
      [0, 1, 1],
      [1, 1, 0],
    ],
    output: [
      [1, 1, 0],
      [1, 0, 1],
    ],
  },
  4: {
    input: [
      [1, 0, 1, 0],
      [0, 1, 1, 0],
      [0, 1, 1, 0],
      [0, 1, 0, 1],
    ],
    weight: [
      [1, 0, 0],
      [1 / 2, 1 / 2, 1 / 2],
      [1 / 2, 1 / 2, 1 / 2],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 0],
      [0, 1, 1, 1],
    ],
  },
  5: {
    input: [
      [9 / 8, 9 / 4, 1 / 2, 1, 0],
      [9 / 8, 9 / 4, 1 / 2, 1, 0],
      [3 / 8, 1 / 4, 3 / 2, 1, 0],
      [3 / 8, 1 / 4, 3 / 2, 1, 0],
      [9 / 16, 0, 5 / 2, 0, 1],
    ],
    weight: [
      [1 / 2, 1 / 4, 1 / 8],
      [1 / 2, 1 / 4, 1 / 8],
      [1 / 6, 1 / 4, 3 / 8],
      [1 / 6, 1 / 4, 3 / 8],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 0],
      [1 / 2, 1 / 2, 3 / 2, 3 / 2, 0],
      [1 / 4, 1 / 4, 9 / 4, 9 / 4, 1],
    ],
  },
  6: {
    input: [
      [1, 0, 5 / 2, 0, 1, 0],
      [0, 2 * a, 2, a, 1, 0],
      [0, 2 * a, 2, a, 1, 0],
      [0, b / 2, 1 / 2, b, 1, 0],
      [0, b / 2, 1 / 2, b, 1, 0],
      [0, 1, 0, 5 / 2, 0, 1],
    ],
    weight: [
      [1, 0, 0],
      [2 / 3, (2 * a) / 3, 1 / 3],
      [2 / 3, (2 * a) / 3, 1 / 3],
      [1 / 6, b / 6, 1 / 3],
      [1 / 6, b / 6, 1 / 3],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 1, 0],
      [0, a, a, b, b, 0],
      [0, a ** 2, a ** 2, b ** 2, b ** 2, 0],
      [0, a ** 3, a ** 3, b ** 3, b ** 3, 1],
    ],
  },
};

/** M·D·Mᵀ of a square D in row-major order. */
function bothSides(matrix: Matrix, square: readonly number[]): number[] {
  const size = matrix[0]!.length;
  return matrix.flatMap((row) =>
    matrix.map((column) => {
      let sum = 0;
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sum += row[i]! * square[i * size + j]! * column[j]!;
      return sum;
    }),
  );
}

/**
 * By how much Winograd's way and another one in float32 may differ, for each element of the output: a term passes the sum over the
 * channels, and two transforms of at most five sums or products each of its pixel, of its weight, and on its way out.
 */
export function winogradBound(
  side: Side,
  conv: Conv2d,
  x: Tensor<Float32Array>,
  output: Shape,
): (at: number) => number {
  const magnitudes = winogradMagnitudes(side, conv, x, output);
  return (at) => sumBound(x.shape[1]! + 30, magnitudes[at]!);
}

/** Σ|term| for each element of the convolution's output of that shape, its bias among them. */
export function winogradMagnitudes(side: Side, conv: Conv2d, x: Tensor<Float32Array>, output: Shape): Float64Array {
  const { input, weight, output: back } = TRANSFORMS[side];
  const [images, channelsOut, outHeight, outWidth] = output as [number, number, number, number];
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const { padding } = conv;
  const [dilation] = conv.dilation;
  const size = back.length;
  const edge = input[0]!.length;
  // A Toeplitz product has nothing around its pixels.
  const around = side === 3 ? dilation : 0;
  const w = conv.weight.values();
  const bias = conv.bias?.values();
  const weights = Array.from({ length: channelsOut * channels }, (_, i) =>
    bothSides(weight, [...w.subarray(i * 9, i * 9 + 9)].map(Math.abs)),
  );
  const magnitudes = new Float64Array(images * channelsOut * outHeight * outWidth);
  const phases = Array.from({ length: dilation }, (_, phase) => phase);
  for (let n = 0; n < images; n++) {
    for (const top of tileStarts(outHeight)) for (const left of tileStarts(outWidth)) tile(n, top, left);
  }
  return magnitudes;

  /** The first output index of each tile: with dilation, every sub-grid is tiled by itself. */
  function tileStarts(outSize: number): number[] {
    const starts = phases.flatMap((phase) =>
      Array.from({ length: Math.ceil(outSize / dilation / size) + 1 }, (_, t) => phase + t * size * dilation),
    );
    return starts.filter((start) => start < outSize);
  }

  function tile(n: number, top: number, left: number): void {
    const transformed = Array.from({ length: channels }, (_, c) => {
      const patch = Array.from({ length: edge * edge }, (_, i) => {
        const iy = top + Math.floor(i / edge) * dilation - padding.top + around;
        const ix = left + (i % edge) * dilation - padding.left + around;
        const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        return inside ? Math.abs(x.data[((n * channels + c) * height + iy) * width + ix]!) : 0;
      });
      return bothSides(input, patch);
    });
    for (let o = 0; o < channelsOut; o++) {
      const products = Array.from({ length: side * side }, (_, p) =>
        transformed.reduce((sum, values, c) => sum + values[p]! * weights[o * channels + c]![p]!, 0),
      );
      bothSides(back, products).forEach((magnitude, i) => {
        const oy = top + Math.floor(i / size) * dilation;
        const ox = left + (i % size) * dilation;
        if (oy >= outHeight || ox >= outWidth) return;
        magnitudes[((n * channelsOut + o) * outHeight + oy) * outWidth + ox] = magnitude + Math.abs(bias?.[o] ?? 0);
      });
    }
  }
}
