/**
 * Σ|term| of Winograd's way of computing a 3×3 convolution: larger than the convolution's own Σ|x·w|, since its
 * transforms add and subtract what cancels later. From the transforms' matrices (assembly/winograd.ts), by absolute
 * values.
 */

import type { Conv2d } from '../../src/nn/conv.ts';
import { type Pair, toSides } from '../../src/ops/rules/window.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { sumBound } from './tolerance.ts';
import { abs, type MatrixTransform, sandwich } from './winograd-transforms.ts';

/**
 * By how much Winograd's way and another one in float32 may differ, for each element of the output: a term passes the
 * sum over the channels, and two transforms of at most five sums or products each of its pixel, of its weight, and on
 * its way out.
 */
export function winogradBound(
  transform: MatrixTransform,
  conv: Conv2d,
  x: Tensor<Float32Array>,
  output: Shape,
): (at: number) => number {
  const magnitudes = winogradMagnitudes(transform, conv, x, output);
  return (at) => sumBound(x.shape[1]! + 30, magnitudes[at]!);
}

/** Σ|term| for each element of the convolution's output of that shape, its bias among them. */
export function winogradMagnitudes(
  transform: MatrixTransform,
  conv: Conv2d,
  x: Tensor<Float32Array>,
  output: Shape,
): Float64Array {
  const [input, weight, back] = [abs(transform.input), abs(transform.weight), abs(transform.output)];
  const [images, channelsOut, outHeight, outWidth] = output as [number, number, number, number];
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const padding = toSides('padding', conv.padding as Pair);
  const { side, stride, tile: size, edge } = transform;
  const [dilation] = conv.dilation;
  // A Toeplitz product has nothing around its pixels.
  const around = transform.isSurrounded ? dilation : 0;
  const w = conv.weight.values();
  const bias = conv.bias?.values();
  const weights = Array.from({ length: channelsOut * channels }, (_, i) =>
    sandwich(weight, [...w.subarray(i * 9, i * 9 + 9)].map(Math.abs)),
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
        const iy = top * stride + Math.floor(i / edge) * dilation - padding.top + around;
        const ix = left * stride + (i % edge) * dilation - padding.left + around;
        const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        return inside ? Math.abs(x.data[((n * channels + c) * height + iy) * width + ix]!) : 0;
      });
      return sandwich(input, patch);
    });
    for (let o = 0; o < channelsOut; o++) {
      const products = Array.from({ length: side * side }, (_, p) =>
        transformed.reduce((sum, values, c) => sum + values[p]! * weights[o * channels + c]![p]!, 0),
      );
      sandwich(back, products).forEach((magnitude, i) => {
        const oy = top + Math.floor(i / size) * dilation;
        const ox = left + (i % size) * dilation;
        if (oy >= outHeight || ox >= outWidth) return;
        magnitudes[((n * channelsOut + o) * outHeight + oy) * outWidth + ox] = magnitude + Math.abs(bias?.[o] ?? 0);
      });
    }
  }
}
