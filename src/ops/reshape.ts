/** Other sizes for the same elements in the same order. Where the bytes lie as they should, nothing is copied. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { relay, throughPlanes } from './lowering/relay.ts';
import type { Op, Reference } from './op.ts';
import { folded, usualAxis } from './rules/axes.ts';

/** Attributes of {@link reshape}. */
export interface ReshapeAttrs {
  /** Of sizes all of which are known. */
  readonly shape: Shape;
}

/** @see torch.reshape */
export const reshape: Op<ReshapeAttrs> = {
  name: 'reshape',
  relay,

  /**
   * Rows are on the axis before which there are as many elements as before the input's. Where there is none, they are
   * parts of another axis, and stay as many: they are behind all axes then. One row is on an axis of size 1 behind the
   * channels', where there is one.
   */
  rows({ shape }, axis, x) {
    const [outer, size] = folded({ shape: x.shape, axis });
    const to = shape.findIndex((n, i) =>
      size > 1 ? n > 1 && folded({ shape, axis: i })[0] === outer : n === 1 && i > 1,
    );
    return to < 0 ? [1, shape.length] : [size / shape[to]!, to];
  },

  inferShape([x], { shape }) {
    if (numel(shape) !== numel(x!)) {
      throw new ShapeError(
        `shape '${formatShape(shape)}' is invalid for input of size ${numel(x!)}; reshape: got x ${formatShape(x!)}`,
      );
    }
    return shape;
  },

  view(x, shape) {
    const usual = usualAxis(shape);
    const axis = [usual, ...shape.keys()].find((axis) => sameShape(folded({ shape, axis }), folded(x)));
    return { axis: axis ?? usual, channel: axis === undefined ? null : 0 };
  },

  algorithms: throughPlanes,
};

/** {@link reshape} by plain loops. */
export const referenceReshape: Reference<ReshapeAttrs> = ([x], { shape }) => new Tensor(x!.data, shape);
