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
   * Rows are on the axis in which they begin, by how many elements come before them. Where other parts of that axis
   * come before them, such as images, they stay as many until they are its first part again. One row is on an axis of
   * size 1 behind the channels', where there is one, otherwise behind all axes. Rows that were mixed are told by the
   * shape of an image that is made of them.
   */
  rows({ shape }, axis, x, _node, known) {
    // Of an empty batch as of one image.
    const filled = (sizes: Shape) => sizes.map((size) => size || 1);
    const to = filled(shape);
    const [outer, size] = folded({ shape: filled(x.shape), axis });
    const [, , unit, own] = known.get(x)!;
    const start = unit ? (outer * size) / unit : outer;
    const rows = unit ? own! : size;
    if (rows === 1) {
      if (axis === Infinity) return to[3] ? [1 / to[2]!, 2] : [1];
      return [1, to.indexOf(1, 2) >>> 0];
    }
    const at = to.findIndex((_, i) => numel(to.slice(0, i + 1)) > start);
    const within = start / numel(to.slice(0, at));
    return within > 1 ? [1, at, to[at]! / within, rows] : [rows / to[at]!, at, 0];
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
