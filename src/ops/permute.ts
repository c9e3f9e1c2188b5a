/** Axes in another order. Where their elements lie in the same order in memory, nothing is copied. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import { relay } from './lowering/relay.ts';
import type { Op, Reference } from './op.ts';
import { usualAxis } from './rules/axes.ts';

/** Attributes of {@link permute}. */
export interface PermuteAttrs {
  /** For each axis of the output, the input's axis that it is. */
  readonly dims: readonly number[];
}

const reference: Reference<PermuteAttrs> = ([x], { dims }) => {
  const from = x!.shape;
  const strides = dims.map((dim) => numel(from.slice(dim + 1)));
  const shape = dims.map((dim) => from[dim]!);
  const y = new Float32Array(x!.data.length);
  const index = dims.map(() => 0);
  let at = 0;
  for (let i = 0; i < y.length; i++) {
    y[i] = x!.data[at]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return new Tensor(y, shape);
};

/** @see torch.permute */
export const permute: Op<PermuteAttrs> = {
  name: 'permute',
  relay,
  rows: ({ dims }, axis) => [1, dims.includes(axis) ? dims.indexOf(axis) : axis],
  inferShape: ([x], { dims }) => dims.map((dim) => x![dim]!),

  view(x, shape, { dims }) {
    const axis = dims.indexOf(x.axis);
    // The input's axes from the outermost in memory to the innermost; those of one element may be anywhere.
    const inMemory = (axes: readonly number[], innermost: number) =>
      [...axes.filter((dim) => dim !== innermost), innermost].filter((dim) => x.shape[dim] !== 1).join();
    const isSame = inMemory([...x.shape.keys()], x.axis) === inMemory(dims, x.axis);
    return isSame ? { axis, channel: 0 } : { axis: usualAxis(shape), channel: null };
  },

  reference,
  algorithms: [byReference(reference)],
};
