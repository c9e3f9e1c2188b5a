/** 1-D forms as the 2-D ones on images of one row. */

import { ShapeError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { reshape } from '../ops/reshape.ts';
import type { Pair, Sides } from '../ops/rules/window.ts';
import { whole } from '../options.ts';
import { formatShape } from '../tensor/shape.ts';
import { shapeOf } from './value-shape.ts';

/**
 * What `run` makes of `[N, C, 1, L]`, as `[N, C, L]`. Neither way is a copy.
 *
 * @param name the function's, in PyTorch's words
 * @param run records ops without names of their own
 * @throws {@link ShapeError} where x isn't `[N, C, L]`, or doesn't fit
 */
export function onOneRow(name: string, x: Value, run: (row: Value) => Value): Value {
  const shape = shapeOf(name, x);
  if (shape.length !== 3) throw new ShapeError(`${name}: expected x of shape [N, C, L], got ${formatShape(shape)}`);
  const [images, channels, length] = shape as unknown as [number, number, number];
  let y: Value;
  try {
    y = run(record(reshape, [x], { shape: [images, channels, 1, length] }, null));
  } catch (error) {
    throw error instanceof ShapeError ? new ShapeError(error.message.replace(/^\w+2d(?=:)/, name)) : error;
  }
  const [, outChannels, , outLength] = y.shape as unknown as [number, number, number, number];
  return record(reshape, [y], { shape: [images, outChannels, outLength] }, name);
}

/** A number for the only axis as one for height and width. */
export function inWidth(name: string, value: unknown, least = 1): Pair {
  return [1, whole(name, value, least)];
}

/** Padding on the left and right. */
export function besideRow(name: string, value: unknown): Sides {
  const side = whole(name, value, 0);
  return { top: 0, left: side, bottom: 0, right: side };
}
