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
   * Rows are on the axis before which there are as many elements as before the input's. One row is on an axis of size
   * 1 behind the channels', where there is one. Otherwise rows are parts of another axis, and stay as many: they are
   * behind all axes then. They come back with a shape that came before.
   */
  rows({ shape }, axis, x, _node, known) {
    const [outer, size] = folded({ shape: x.shape, axis });
    const to = shape.findIndex((n, i) =>
      size > 1 ? n > 1 && folded({ shape, axis: i })[0] === outer : n === 1 && i > 1,
    );
    if (to >= 0) return [size / shape[to]!, to];
    for (const [before, [reduction, rows]] of known) {
      if (sameShape(shape, before.shape)) return [reduction / known.get(x)![0], rows];
    }
    return [1, shape.length];
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
