/** Batches made of tensors, and taken apart again. Any dtype; elements are copied. */

import { DtypeError, describe, ShapeError, ValueError } from '../errors.ts';
import { toDim } from '../tensor/dim.ts';
import { arrayOf, type TensorData } from '../tensor/dtype.ts';
import { formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { checkTensor } from './tensors.ts';

/**
 * The tensors side by side along a new axis: `[N, C, H, W]` of N tensors `[C, H, W]`. Inputs that presets make have a
 * batch axis already: {@link cat} joins these.
 *
 * @param dim of the result; 0 unless given
 * @throws {@link ShapeError} where the tensors differ in shape; {@link DtypeError} in dtype
 * @throws {@link ValueError} where they aren't an array of at least one tensor, or there is no such axis
 * @see torch.stack
 */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = checkAll('stack', tensors);
  const [{ shape }] = all;
  const axis = toDim('stack', dim, shape.length + 1);
  for (const [i, other] of all.entries()) {
    if (sameShape(other.shape, shape)) continue;
    throw new ShapeError(
      `stack expects each tensor to be equal size, but got ${formatShape(shape)} at entry 0 and ` +
        `${formatShape(other.shape)} at entry ${i}`,
    );
  }
  return joined(all, axis, [...shape.slice(0, axis), all.length, ...shape.slice(axis)]);
}

/**
 * The tensors one after another along an axis: `[N, 3, H, W]` of N inputs `[1, 3, H, W]`, which is a batch.
 *
 *     const batch = cat(images.map((image) => imageClassification(image)));
 *
 * @param dim 0 unless given
 * @throws {@link ShapeError} where the tensors differ in another axis; {@link DtypeError} in dtype
 * @throws {@link ValueError} where they aren't an array of at least one tensor, or there is no such axis
 * @see torch.cat
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = checkAll('cat', tensors);
  const [{ shape }] = all;
  if (shape.length === 0) throw new ShapeError('cat: expected tensors of at least one axis, got []; stack makes one');
  const axis = toDim('cat', dim, shape.length);
  const others = (one: Shape) => one.map((size, i) => (i === axis ? 1 : size));
  for (const [i, other] of all.entries()) {
    if (sameShape(others(other.shape), others(shape))) continue;
    throw new ShapeError(
      `cat: expected tensors that differ in axis ${axis} alone, got ${formatShape(shape)} at entry 0 and ` +
        `${formatShape(other.shape)} at entry ${i}`,
    );
  }
  const size = all.reduce((sum, one) => sum + one.shape[axis]!, 0);
  return joined(all, axis, [...shape.slice(0, axis), size, ...shape.slice(axis + 1)]);
}

/**
 * The parts of a tensor along an axis, which they lose: N tensors `[C, H, W]` of a batch `[N, C, H, W]`.
 *
 * @param dim 0 unless given
 * @throws {@link ValueError} where x isn't a tensor, or has no such axis
 * @throws {@link ShapeError} where x has no axes
 * @see torch.unbind
 */
export function unstack<Data extends TensorData>(x: Tensor<Data>, dim = 0): Tensor<Data>[] {
  checkTensor('unstack', x);
  if (x.shape.length === 0) throw new ShapeError('unstack: expected a tensor of at least one axis, got []');
  const axis = toDim('unstack', dim, x.shape.length);
  const [outer, inner] = [numel(x.shape.slice(0, axis)), numel(x.shape.slice(axis + 1))];
  const size = x.shape[axis]!;
  const shape = [...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)];
  return Array.from({ length: size }, (_, part) => {
    const data = new (arrayOf(x.dtype))(outer * inner);
    for (let o = 0; o < outer; o++) {
      const begin = (o * size + part) * inner;
      data.set(x.data.subarray(begin, begin + inner) as never, o * inner);
    }
    return new Tensor(data as Data, shape, x.dtype);
  });
}

/** The tensors, of one dtype and at least one. */
function checkAll(name: string, tensors: readonly Tensor[]): readonly [Tensor, ...Tensor[]] {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw new ValueError(`${name}: expected an array of at least one Tensor, got ${describe(tensors)}`);
  }
  const all = [...tensors].map((one) => checkTensor(name, one));
  for (const [i, { dtype }] of all.entries()) {
    if (dtype === all[0]!.dtype) continue;
    throw new DtypeError(
      `${name}: expected tensors of one dtype, got ${all[0]!.dtype} at entry 0 and ${dtype} at entry ${i}`,
    );
  }
  return all as unknown as readonly [Tensor, ...Tensor[]];
}

/** Blocks of all tensors in turns: what lies before the axis counts them. */
function joined(all: readonly [Tensor, ...Tensor[]], axis: number, shape: Shape): Tensor {
  const [{ dtype }] = all;
  const data = new (arrayOf(dtype))(numel(shape));
  const outer = numel(shape.slice(0, axis));
  for (let o = 0, to = 0; o < outer; o++) {
    for (const one of all) {
      const block = one.data.length / outer;
      data.set(one.data.subarray(o * block, (o + 1) * block) as never, to);
      to += block;
    }
  }
  return new Tensor(data, shape, dtype);
}
