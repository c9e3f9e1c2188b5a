/** Resizing of feature maps, bilinear or nearest, with PyTorch's coordinates and its special cases. */

import { numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_resize2d_bilinear, f32_resize2d_nearest } from '../wasm/steps.gen.ts';
import { channelRanges } from './lowering/cut.ts';
import { imageSizes } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';
import { type Resize, resizedBy, resizedShape } from './rules/resize.ts';

/** Attributes of {@link interpolate}. */
export interface InterpolateAttrs extends Resize {
  readonly mode: 'nearest' | 'bilinear';
  readonly alignCorners: boolean;
}

/**
 * Input pixels for each output pixel, in float32 as PyTorch computes it. PyTorch's "nearest" has special cases for
 * tensors that are channels-last in memory, and a contiguous tensor of one channel is: whatever the factor, an axis
 * whose size stays is copied, and one that doubles takes each pixel twice.
 */
function scaleOf(x: Shape, to: number, axis: 0 | 1, { scaleFactor, alignCorners, mode }: InterpolateAttrs): number {
  const from = x[axis + 2]!;
  if (mode === 'bilinear' && alignCorners) return to > 1 ? Math.fround((from - 1) / (to - 1)) : 0;
  const isExact = mode === 'nearest' && x[1] === 1 && (to === from || to === 2 * from);
  return Math.fround(scaleFactor && !isExact ? 1 / scaleFactor[axis] : from / to);
}

/** @see torch.nn.functional.interpolate */
export const interpolate: Op<InterpolateAttrs> = {
  name: 'interpolate',

  inferShape: ([x], attrs) => resizedShape(x!, attrs),
  rows: resizedBy,
  mixedAxes: () => [2, 3],

  algorithms: [
    {
      name: 'direct',
      prepare: ({ attrs, engine }) => ({
        phases({ inputs: [x], output }) {
          const { images, channels, height, width } = imageSizes(x!.shape);
          const out = imageSizes(output.shape);
          const steps = channelRanges(channels, engine.threads).map(({ offset, count }) => {
            const resize = {
              images,
              channels: count,
              height,
              width,
              outHeight: out.height,
              outWidth: out.width,
              scaleHeight: scaleOf(x!.shape, out.height, 0, attrs),
              scaleWidth: scaleOf(x!.shape, out.width, 1, attrs),
              x: x!.address + offset,
              pixelBytes: x!.pixelBytes,
              out: output.address + offset,
              outBytes: output.pixelBytes,
            };
            return attrs.mode === 'nearest'
              ? f32_resize2d_nearest(resize)
              : f32_resize2d_bilinear({ ...resize, alignCorners: Number(attrs.alignCorners) });
          });
          return [steps];
        },
      }),
    },
  ],
};

/** {@link interpolate} by plain loops. */
export const referenceInterpolate: Reference<InterpolateAttrs> = ([x], attrs) => {
  const shape = resizedShape(x!.shape, attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const rows = sources(x!.shape, outHeight, 0, attrs);
  const columns = sources(x!.shape, outWidth, 1, attrs);
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const plane = Math.floor(i / (outWidth * outHeight)) * height * width;
    const row = rows[Math.floor(i / outWidth) % outHeight]!;
    const column = columns[i % outWidth]!;
    const at = (iy: number) => {
      const line = plane + iy * width;
      return x!.data[line + column.from]! * (1 - column.weight) + x!.data[line + column.to]! * column.weight;
    };
    // Not weighted where nothing is mixed: 0 times an infinite neighbour would be NaN.
    y[i] =
      attrs.mode === 'nearest'
        ? x!.data[plane + row.from * width + column.from]!
        : at(row.from) * (1 - row.weight) + at(row.to) * row.weight;
  }
  return new Tensor(y, shape);
};

/**
 * For each output index, the two input indices and the second one's weight, in float32 of a source in float64, as in
 * PyTorch. A bilinear axis whose size stays is copied, whatever the scale.
 */
function sources(x: Shape, outSize: number, axis: 0 | 1, attrs: InterpolateAttrs) {
  const size = x[axis + 2]!;
  const scale = scaleOf(x, outSize, axis, attrs);
  return Array.from({ length: outSize }, (_, i) => {
    if (attrs.mode === 'nearest') {
      const from = scale === 1 ? i : scale === 0.5 ? i >> 1 : Math.floor(Math.fround(Math.fround(i) * scale));
      return { from: Math.min(from, size - 1), to: 0, weight: 0 };
    }
    if (outSize === size) return { from: i, to: i, weight: 0 };
    const source = attrs.alignCorners ? i * scale : Math.max(0, (i + 0.5) * scale - 0.5);
    const from = Math.min(Math.floor(source), size - 1);
    return { from, to: Math.min(from + 1, size - 1), weight: Math.fround(source - from) };
  });
}
