/** Other sizes for the same elements in the same order. Where the bytes lie as they should, nothing is copied. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { relay, throughPlanes } from './lowering/relay.ts';
import type { Op, Reference, RowsRule } from './op.ts';
import { folded, usualAxis } from './rules/axes.ts';

/** Attributes of {@link reshape}. */
export interface ReshapeAttrs {
  /** Of sizes all of which are known. */
  readonly shape: Shape;
}

function reshapeOp(rows?: RowsRule<ReshapeAttrs>): Op<ReshapeAttrs> {
  return {
    name: 'reshape',
    relay,
    rows,

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
      const own = String(folded(x));
      const axis = [usual, ...shape.keys()].find((axis) => String(folded({ shape, axis })) === own);
      return { axis: axis ?? usual, channel: axis === undefined ? null : 0 };
    },

    algorithms: throughPlanes,
  };
}

/** For the last axes as one: rows keep their place, or are no more. Who flattens alone ships no rule for them. */
export const flatten = reshapeOp();

/**
 * Rows are on the axis before which there are as many elements as before the input's, or more; axes of size 1 may come
 * between. Behind all axes there is one row.
 *
 * @see torch.reshape
 */
export const reshape = reshapeOp(({ shape }, axis, x) => {
  const size = x.shape[axis] ?? 1;
  let outer = numel(x.shape.slice(0, axis));
  let to = 0;
  while (outer > 1 || (outer === 1 && shape[to] === 1 && size > 1)) outer /= shape[to++]!;
  return [size / (shape[to] ?? 1), to];
});

/** {@link reshape} by plain loops. */
export const referenceReshape: Reference<ReshapeAttrs> = ([x], { shape }) => new Tensor(x!.data, shape);
