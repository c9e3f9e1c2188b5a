/** Resizing of feature maps by modes that have no kernel, by a host step: bicubic, and nearest to pixels' centres. */

import { numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';
import { type Resize, resizedBy, resizedShape } from './rules/resize.ts';

/** Attributes of {@link resample}. */
export interface ResampleAttrs extends Resize {
  readonly mode: 'bicubic' | 'nearest-exact';
  readonly alignCorners: boolean;
}

/** What an output index is a sum of: input indices with their weights. */
interface Source {
  readonly at: readonly number[];
  readonly weights: readonly number[];
}

/** PyTorch's parameter of the cubic curve. */
const A = -0.75;

const f = Math.fround;

/** Powers of d with coefficients, the highest first, in float32 as PyTorch computes them: by Horner's rule. */
const polynomial = (d: number, ...coefficients: readonly number[]) =>
  coefficients.reduce((sum, coefficient) => f(f(sum * d) + coefficient), 0);

/** The curve's weight of a pixel less than one away, and of one between one and two away. */
const near = (d: number) => polynomial(d, A + 2, -(A + 3), 0, 1);
const far = (d: number) => polynomial(d, A, -5 * A, 8 * A, -4 * A);

/**
 * The sources of an axis' output indices. Weights are in float32. A place is rounded to float32 to find the first
 * source, but not for its distance from that, as in PyTorch, whose compilers fuse the multiplication.
 */
function sourcesOf(x: Shape, outSize: number, axis: 0 | 1, attrs: ResampleAttrs): readonly Source[] {
  const { mode, alignCorners, scaleFactor } = attrs;
  const size = x[axis + 2]!;
  const ratio = scaleFactor ? 1 / scaleFactor[axis] : size / outSize;
  const scale = Math.fround(alignCorners ? (outSize > 1 ? (size - 1) / (outSize - 1) : 0) : ratio);
  const inside = (i: number) => Math.min(Math.max(i, 0), size - 1);
  return Array.from({ length: outSize }, (_, i) => {
    if (mode === 'nearest-exact') {
      return { at: [inside(Math.floor(Math.fround(Math.fround(i + 0.5) * scale)))], weights: [1] };
    }
    const source = alignCorners ? i * scale : (i + 0.5) * scale - 0.5;
    const first = Math.floor(f(source));
    const d = f(source - first);
    return {
      at: [inside(first - 1), inside(first), inside(first + 1), inside(first + 2)],
      weights: [far(f(d + 1)), near(d), near(f(1 - d)), far(f(f(1 - d) + 1))],
    };
  });
}

const reference: Reference<ResampleAttrs> = ([x], attrs) => {
  const shape = resizedShape(x!.shape, attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const rows = sourcesOf(x!.shape, outHeight, 0, attrs);
  const columns = sourcesOf(x!.shape, outWidth, 1, attrs);
  const y = new Float32Array(numel(shape));
  let at = 0;
  for (let plane = 0; plane < x!.data.length; plane += height * width) {
    for (const row of rows) {
      for (const column of columns) {
        let sum = 0;
        row.at.forEach((iy, j) => {
          const line = plane + iy * width;
          let along = 0;
          for (let k = 0; k < column.at.length; k++) along += x!.data[line + column.at[k]!]! * column.weights[k]!;
          sum += along * row.weights[j]!;
        });
        y[at++] = sum;
      }
    }
  }
  return new Tensor(y, shape);
};

/** @see torch.nn.functional.interpolate */
export const resample: Op<ResampleAttrs> = {
  name: 'interpolate',
  axis: 'each',
  inferShape: ([x], attrs) => resizedShape(x!, attrs),
  rows: resizedBy,
  mixedAxes: () => [2, 3],
  reference,
  algorithms: [byReference(reference)],
};
