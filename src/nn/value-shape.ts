/** The shape of what a functional form was given, and its axes. */

import { checkValue, type Value } from '../graph/graph.ts';
import type { Shape } from '../tensor/shape.ts';

export { toDim } from '../tensor/dim.ts';

/** The shape of a value. @throws {@link ValueError} where x isn't a value */
export function shapeOf(name: string, x: Value): Shape {
  checkValue(name, x);
  return x.shape;
}
