/** Functions of tensors as `torch` has them: views, joins and means. They take and return values. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { adaptiveAvgPool2d } from '../ops/adaptive-avg-pool2d.ts';
import { cat as catOp } from '../ops/cat.ts';
import { channelShuffle as channelShuffleOp } from '../ops/channel-shuffle.ts';
import { mean as meanOp } from '../ops/mean.ts';
import { permute as permuteOp } from '../ops/permute.ts';
import { reshape as reshapeOp } from '../ops/reshape.ts';
import { slice as sliceOp } from '../ops/slice.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
import { shapeOf, toDim } from './value-shape.ts';

/** Axes counted from the first, each once. */
function toDims(name: string, dims: unknown, rank: number): number[] {
  if (!Array.isArray(dims)) throw new ValueError(`${name}: expected an array of axes, got ${describe(dims)}`);
  const all = [...dims].map((dim) => toDim(name, dim, rank));
  if (new Set(all).size < all.length) throw new ValueError(`${name}: expected each axis once, got ${describe(dims)}`);
  return all;
}

/** Sizes of which one may be −1: what is left of `total`. @throws {@link ShapeError} in PyTorch's words */
function toSizes(name: string, sizes: unknown, total: number): Shape {
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= -1;
  if (!Array.isArray(sizes) || ![...sizes].every(isSize) || sizes.filter((size) => size === -1).length > 1) {
    throw new ShapeError(`${name}: expected whole numbers >= 0, of which one may be -1, got ${describe(sizes)}`);
  }
  const known = numel(sizes.filter((size) => size !== -1));
  if (sizes.includes(-1) && (known === 0 || total % known !== 0)) {
    throw new ShapeError(`shape '${formatShape(sizes)}' is invalid for input of size ${total}; ${name}`);
  }
  return sizes.map((size) => (size === -1 ? total / known : size));
}

/**
 * The same elements in other sizes, of which one may be −1. Nothing is copied where the bytes lie as they should.
 *
 * @throws {@link ShapeError} where the sizes don't hold the elements
 */
export function reshape(x: Value, shape: Shape): Value {
  const sizes = toSizes('reshape', shape, numel(shapeOf('reshape', x)));
  return record(reshapeOp, [x], { shape: sizes });
}

/** Axes `startDim` to `endDim` as one; `[N, C·H·W]` of `[N, C, H, W]` unless told otherwise. */
export function flatten(x: Value, startDim = 1, endDim = -1): Value {
  const shape = shapeOf('flatten', x);
  const [first, last] = [toDim('flatten', startDim, shape.length), toDim('flatten', endDim, shape.length)];
  if (first > last) throw new ValueError('flatten() has invalid args: start_dim cannot come after end_dim');
  const sizes = [...shape.slice(0, first), numel(shape.slice(first, last + 1)), ...shape.slice(last + 1)];
  return record(reshapeOp, [x], { shape: sizes }, 'flatten');
}

/** One axis as several, of whose sizes one may be −1. */
export function unflatten(x: Value, dim: number, sizes: Shape): Value {
  const shape = shapeOf('unflatten', x);
  const axis = toDim('unflatten', dim, shape.length);
  const inner = toSizes('unflatten', sizes, shape[axis]!);
  if (numel(inner) !== shape[axis]) {
    throw new ShapeError(
      `unflatten: expected sizes ${formatShape(sizes)} to multiply to ${shape[axis]}, ` +
        `axis ${axis} of ${formatShape(shape)}`,
    );
  }
  return record(reshapeOp, [x], { shape: [...shape.slice(0, axis), ...inner, ...shape.slice(axis + 1)] }, 'unflatten');
}

/** Without the axis `dim` where its size is 1; without all such axes where none is given. */
export function squeeze(x: Value, dim?: number): Value {
  const shape = shapeOf('squeeze', x);
  const axis = dim === undefined ? null : toDim('squeeze', dim, shape.length);
  const kept = shape.filter((size, i) => size !== 1 || (axis !== null && i !== axis));
  return record(reshapeOp, [x], { shape: kept }, 'squeeze');
}

/** With an axis of size 1 before axis `dim`. */
export function unsqueeze(x: Value, dim: number): Value {
  const shape = shapeOf('unsqueeze', x);
  const axis = toDim('unsqueeze', dim, shape.length + 1);
  return record(reshapeOp, [x], { shape: [...shape.slice(0, axis), 1, ...shape.slice(axis)] }, 'unsqueeze');
}

/** Axes in another order: axis i of the result is axis dims[i] of x. `[N, H, W, C]` of `[N, C, H, W]` is no copy. */
export function permute(x: Value, dims: readonly number[]): Value {
  const { length } = shapeOf('permute', x);
  const order = toDims('permute', dims, length);
  if (order.length !== length) {
    throw new ValueError(`permute: expected ${length} axes, one for each of x, got ${describe(dims)}`);
  }
  return record(permuteOp, [x], { dims: order });
}

/** Two axes exchanged. */
export function transpose(x: Value, dim0: number, dim1: number): Value {
  const { length } = shapeOf('transpose', x);
  const [a, b] = [toDim('transpose', dim0, length), toDim('transpose', dim1, length)];
  const dims = Array.from({ length }, (_, axis) => (axis === a ? b : axis === b ? a : axis));
  return record(permuteOp, [x], { dims }, 'transpose');
}

/** The elements start, start + 1, … of an axis, `length` of them. Of channels they are read where they lie. */
export function narrow(x: Value, dim: number, start: number, length: number): Value {
  const shape = shapeOf('narrow', x);
  const axis = toDim('narrow', dim, shape.length);
  const size = shape[axis] ?? 0;
  const first = Number.isInteger(start) && start < 0 ? start + size : start;
  whole('narrow: start', first, 0);
  whole('narrow: length', length, 0);
  if (first + length > size) {
    throw new ShapeError(`start (${start}) + length (${length}) exceeds dimension size (${size}); narrow`);
  }
  return sliced(x, 'narrow', { axis, start: first, count: length, step: 1 });
}

/**
 * Python's x[start:end:step] on one axis: indices beyond it are its ends, negative ones count from the last. Its node
 * is `getitem`, as torch.fx calls that.
 */
export function slice(x: Value, dim = 0, start = 0, end = Infinity, step = 1): Value {
  const shape = shapeOf('slice', x);
  const axis = toDim('slice', dim, shape.length);
  const size = shape[axis] ?? 0;
  whole('slice: step', step);
  const toIndex = (name: string, index: number) => {
    if (index !== Infinity && !Number.isInteger(index)) {
      throw new ValueError(`slice: expected ${name} as a whole number, got ${describe(index)}`);
    }
    return Math.min(Math.max(index < 0 ? index + size : index, 0), size);
  };
  const first = toIndex('start', start);
  const count = Math.max(0, Math.ceil((toIndex('end', end) - first) / step));
  return sliced(x, 'getitem', { axis, start: first, count, step });
}

function sliced(
  x: Value,
  name: string | null,
  attrs: { axis: number; start: number; count: number; step: number },
): Value {
  return record(sliceOp, [x], attrs, name);
}

/**
 * Parts of an axis, one after the other: each of `sizes` elements where that is a number, the last of fewer.
 *
 * @throws {@link ShapeError} where sizes don't add up to the axis
 */
export function split(x: Value, sizes: number | readonly number[], dim = 0): Value[] {
  const shape = shapeOf('split', x);
  const axis = toDim('split', dim, shape.length);
  const size = shape[axis] ?? 0;
  if (!Array.isArray(sizes)) return parts(x, 'split', axis, whole('split: sizes', sizes));
  for (const part of sizes) whole('split: sizes', part, 0);
  if (sizes.reduce((sum, part) => sum + part, 0) !== size) {
    throw new ShapeError(
      `split_with_sizes expects split_sizes to sum exactly to ${size} (input tensor's size at dimension ${axis}), ` +
        `but got split_sizes=${formatShape(sizes)}`,
    );
  }
  let start = 0;
  const values = sizes.map((count) => {
    start += count;
    return sliced(x, null, { axis, start: start - count, count, step: 1 });
  });
  return announced(x, 'split', values);
}

/** At most `chunks` parts of an axis, all but the last of one size. Of channels they are read where they lie. */
export function chunk(x: Value, chunks: number, dim = 0): Value[] {
  const shape = shapeOf('chunk', x);
  const axis = toDim('chunk', dim, shape.length);
  const size = Math.ceil((shape[axis] ?? 0) / whole('chunk: chunks', chunks));
  // As PyTorch: nothing is parted into as many parts as are asked for.
  return parts(x, 'chunk', axis, Math.max(1, size), size === 0 ? chunks : 1);
}

function parts(x: Value, name: string, axis: number, size: number, least = 1): Value[] {
  const total = x.shape[axis] ?? 0;
  const values = Array.from({ length: Math.max(least, Math.ceil(total / size)) }, (_, i) => {
    const start = Math.min(i * size, total);
    return sliced(x, null, { axis, start, count: Math.min(size, total - start), step: 1 });
  });
  return announced(x, name, values);
}

/** Tells who watches of a function that gave several values, and of each of them: torch.fx calls these getitem. */
function announced({ graph: { watch } }: Value, name: string, values: Value[]): Value[] {
  watch?.apply?.(name, values);
  for (const value of values) watch?.apply?.('getitem', value);
  return values;
}

/** Tensors one after the other along an axis: the channels unless told otherwise. PyTorch takes the first axis. */
export function cat(tensors: readonly Value[], dim = 1): Value {
  if (!Array.isArray(tensors)) throw new ValueError(`cat: expected an array of values, got ${describe(tensors)}`);
  if (tensors.length === 0) throw new ValueError('cat: expected at least one tensor, got none');
  return record(catOp, tensors, { axis: toDim('cat', dim, shapeOf('cat', tensors[0]!).length) });
}

/**
 * Tensors of one shape, side by side along a new axis `dim`: the first unless told otherwise.
 *
 * @throws {@link ShapeError} where shapes differ, in PyTorch's words
 */
export function stack(tensors: readonly Value[], dim = 0): Value {
  if (!Array.isArray(tensors)) throw new ValueError(`stack: expected an array of values, got ${describe(tensors)}`);
  if (tensors.length === 0) throw new ValueError('stack expects a non-empty TensorList; got none');
  const shapes = [...tensors].map((x) => shapeOf('stack', x));
  const [shape] = shapes as [Shape];
  shapes.forEach((other, entry) => {
    if (sameShape(shape, other)) return;
    throw new ShapeError(
      `stack expects each tensor to be equal size, but got ${formatShape(shape)} at entry 0 and ` +
        `${formatShape(other)} at entry ${entry}`,
    );
  });
  const axis = toDim('stack', dim, shape.length + 1);
  const layer = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  const layers = [...tensors].map((x) => record(reshapeOp, [x], { shape: layer }, null));
  return record(catOp, layers, { axis }, 'stack');
}

/** Channels of several groups in turn. @throws {@link ShapeError} where groups don't divide the channels */
export function channelShuffle(x: Value, groups: number): Value {
  return record(channelShuffleOp, [x], { groups: whole('channel_shuffle: groups', groups) });
}

/** Options of {@link mean}. */
export interface MeanOptions {
  /** True to keep the axes, with size 1. */
  readonly keepdim?: boolean;
}

/** The mean over an axis or several. */
export function mean(x: Value, dim: number | readonly number[], options: MeanOptions = {}): Value {
  const { keepdim } = withDefaults('mean', options, { keepdim: false });
  flag('mean: keepdim', keepdim);
  const shape = shapeOf('mean', x);
  const axes = toDims('mean', typeof dim === 'number' ? [dim] : dim, shape.length);
  const isOfPixels = shape.length === 4 && String([...axes].sort()) === '2,3';
  const y = isOfPixels
    ? record(adaptiveAvgPool2d, [x], { outputSize: [1, 1] }, keepdim ? 'mean' : null)
    : record(meanOp, [x], { axes: axes.length > 0 ? axes : [...shape.keys()] }, keepdim ? 'mean' : null);
  if (keepdim) return y;
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  return record(reshapeOp, [y], { shape: axes.length > 0 ? kept : [] }, 'mean');
}
