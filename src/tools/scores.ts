/** What scores say: probabilities, and which are the largest. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { flag, withDefaults } from '../options.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type Along, along, floatsOf } from './tensors.ts';

/**
 * Probabilities along an axis: eˣ / Σeˣ, in float64 and rounded once. Where all scores are −∞, or one is NaN or ∞,
 * probabilities are NaN, as in PyTorch.
 *
 * @param x scores of any shape; the result has the same
 * @param options the axis, which is the last one unless given, by itself or as `{ dim }`
 * @throws {@link ValueError} where x isn't a tensor, or has no such axis
 * @see torch.nn.functional.softmax
 */
export function softmax(x: Tensor, options: number | { readonly dim?: number } = {}): Tensor<Float32Array> {
  const { dim } = typeof options === 'number' ? { dim: options } : withDefaults('softmax', options, { dim: -1 });
  const { x: scores, outer, size, inner } = along('softmax', x, dim);
  const { data } = scores;
  const out = new Float32Array(data.length);
  const powers = new Float64Array(size);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const begin = o * size * inner + i;
      let most = -Infinity;
      for (let k = 0; k < size; k++) most = Math.max(most, data[begin + k * inner]!);
      let sum = 0;
      for (let k = 0; k < size; k++) sum += powers[k] = Math.exp(data[begin + k * inner]! - most);
      for (let k = 0; k < size; k++) out[begin + k * inner] = powers[k]! / sum;
    }
  }
  return new Tensor(out, scores.shape);
}

/** Options of {@link topk}. */
export interface TopkOptions {
  /** The axis along which elements are compared; the last unless given. */
  readonly dim?: number;
  /** False for the smallest; true unless given. */
  readonly largest?: boolean;
}

/** The largest elements and where they were. */
export interface Topk {
  readonly values: Tensor<Float32Array>;
  /** Places along the axis, as int32: JavaScript has no plain numbers of 64 bits, which PyTorch's are. */
  readonly indices: Tensor<Int32Array>;
}

/**
 * The k largest elements along an axis in descending order, and their places. NaN is larger than any number, as in
 * PyTorch. Of equal elements the first comes first, which PyTorch leaves open.
 *
 * @param k from 0 to the axis's size
 * @throws {@link ValueError} where x isn't a tensor, has no such axis, or k elements aren't there
 * @see torch.topk
 */
export function topk(x: Tensor, k: number, options: TopkOptions = {}): Topk {
  const { dim, largest } = withDefaults('topk', options, { dim: -1, largest: true });
  const sign = flag('topk: largest', largest) ? 1 : -1;
  const { x: scores, dim: axis, outer, size, inner } = along('topk', x, dim);
  if (!(Number.isInteger(k) && k >= 0 && k <= size)) {
    throw new ValueError(`topk: expected k as a whole number from 0 to ${size}, got ${describe(k)}`);
  }
  const shape = scores.shape.length === 0 ? [] : scores.shape.map((length, i) => (i === axis ? k : length));
  const values = new Float32Array(outer * k * inner);
  const indices = new Int32Array(values.length);
  if (scores.shape.length === 0 && k === 0) {
    throw new ValueError('topk: expected k as 1 for a tensor of no axes, got 0');
  }
  const best = new Int32Array(k);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const begin = o * size * inner + i;
      const valueAt = (index: number) => scores.data[begin + index * inner]!;
      let count = 0;
      for (let index = 0; index < size && k > 0; index++) {
        const value = valueAt(index);
        if (count === k && !isBefore(value, valueAt(best[k - 1]!), sign)) continue;
        // After all that aren't smaller.
        let low = 0;
        let high = count;
        while (low < high) {
          const middle = (low + high) >> 1;
          if (isBefore(value, valueAt(best[middle]!), sign)) high = middle;
          else low = middle + 1;
        }
        if (count < k) count++;
        best.copyWithin(low + 1, low, count - 1);
        best[low] = index;
      }
      for (let j = 0; j < k; j++) {
        const to = (o * k + j) * inner + i;
        values[to] = valueAt(best[j]!);
        indices[to] = best[j]!;
      }
    }
  }
  return { values: new Tensor(values, shape), indices: new Tensor(indices, shape) };
}

/** Whether a stands before b: it is larger, or smaller where the sign is −1. NaN is larger than any number. */
function isBefore(a: number, b: number, sign: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return sign > 0 ? !Number.isNaN(b) : !Number.isNaN(a);
  return (a - b) * sign > 0 || (a !== b && a === sign * Infinity);
}

/** Options of {@link argmax}. */
export interface ArgmaxOptions {
  /** The axis along which elements are compared; unless given, all elements are, in row-major order. */
  readonly dim?: number;
  /** Whether the axis stays, with size 1; false unless given. */
  readonly keepdim?: boolean;
}

/**
 * Where the largest element is, as int32: of shape `[]` without an axis, else of the shape without the axis. Of equal
 * ones the first; NaN is larger than any number, as in PyTorch.
 *
 *     const mask = argmax(scores, { dim: 1 }); // [N, H, W] of [N, C, H, W]
 *
 * @throws {@link ShapeError} where there is nothing to compare
 * @throws {@link ValueError} where x isn't a tensor, or has no such axis
 * @see torch.argmax
 */
export function argmax(x: Tensor, options: ArgmaxOptions = {}): Tensor<Int32Array> {
  const { dim, keepdim } = withDefaults('argmax', options, { dim: undefined, keepdim: false });
  flag('argmax: keepdim', keepdim);
  const flat = dim === undefined && floatsOf('argmax', x);
  const seen: Along = flat
    ? { x: flat, dim: -1, outer: 1, size: flat.data.length, inner: 1 }
    : along('argmax', x, dim as number);
  const { outer, size, inner } = seen;
  const { data, shape } = seen.x;
  const out = new Int32Array(outer * inner);
  if (size === 0 && out.length > 0) {
    throw new ShapeError(`argmax: expected elements to compare, got x [${shape.join(', ')}]`);
  }
  const best = new Float32Array(inner);
  for (let o = 0; o < outer && size > 0; o++) {
    const begin = o * size * inner;
    best.set(data.subarray(begin, begin + inner));
    // Rows in the order of memory: a column at a time would miss every cache on a large mask.
    for (let k = 1, at = begin + inner; k < size; k++) {
      for (let i = 0; i < inner; i++, at++) {
        const value = data[at]!;
        if (value > best[i]! || (Number.isNaN(value) && !Number.isNaN(best[i]))) {
          best[i] = value;
          out[o * inner + i] = k;
        }
      }
    }
  }
  const without = flat ? [] : [...shape.slice(0, seen.dim), ...shape.slice(seen.dim + 1)];
  const kept = flat ? shape.map(() => 1) : shape.map((length, i) => (i === seen.dim ? 1 : length));
  return new Tensor(out, keepdim ? kept : without);
}
