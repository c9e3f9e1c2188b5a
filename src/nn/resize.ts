/**
 * Resizing as networks have it. `interpolate` of `functional` takes all of PyTorch's modes. A model imports this one,
 * so that who ships it doesn't ship those.
 */

import { record, type Value } from '../graph/graph.ts';
import { interpolate as interpolateOp } from '../ops/interpolate.ts';
import { type InterpolateOptions, resolveInterpolate } from './resolve.ts';

/** The image in another size, nearest or bilinear. */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  return record(interpolateOp, [x], resolveInterpolate('interpolate', options, ['nearest', 'bilinear']).attrs);
}
