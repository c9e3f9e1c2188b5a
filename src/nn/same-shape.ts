/**
 * Sums and products of two values as networks have them: of one shape, or by a number for each channel. `add` and `mul`
 * of `functional` take all else, too. A model imports these, so that who ships it doesn't ship that.
 */

import { record, type Value } from '../graph/graph.ts';
import { add as addOp } from '../ops/add.ts';
import { mul as mulOp } from '../ops/mul.ts';

/** a + b of one shape. @throws {@link ShapeError} for two shapes */
export function add(a: Value, b: Value): Value {
  return record(addOp, [a, b], null);
}

/** a·b of one shape, or with b of `[N, C, 1, 1]`. @throws {@link ShapeError} for other shapes */
export function mul(a: Value, b: Value): Value {
  return record(mulOp, [a, b], null);
}
