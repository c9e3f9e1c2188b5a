/** Means over any axes, which stay with size 1. Over the pixels of an image, average pooling is faster. */

import type { Shape } from '../tensor/shape.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link mean}. */
export interface MeanAttrs {
  readonly axes: readonly number[];
}

const reduced = (x: Shape, { axes }: MeanAttrs) => x.map((size, axis) => (axes.includes(axis) ? 1 : size));

const reference: Reference<MeanAttrs> = ([x], attrs) => {
  const shape = reduced(x!.shape, attrs);
  const sums = new Float64Array(numel(shape));
  const strides = shape.map((size, axis) => (size === 1 ? 0 : numel(shape.slice(axis + 1))));
  for (let i = 0; i < x!.data.length; i++) {
    let rest = i;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = x!.shape[axis]!;
      at += (rest % size) * strides[axis]!;
      rest = Math.floor(rest / size);
    }
    sums[at]! += x!.data[i]!;
  }
  const count = x!.data.length / sums.length;
  return new Tensor(
    Float32Array.from(sums, (sum) => sum / count),
    shape,
  );
};

/** @see torch.mean with keepdim */
export const mean: Op<MeanAttrs> = {
  name: 'mean',
  inferShape: ([x], attrs) => reduced(x!, attrs),
  reference,
  algorithms: [byReference(reference)],
};
