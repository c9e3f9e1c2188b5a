/** What the tools are given, checked: tensors, and how one is seen along an axis. */

import { DtypeError, describe, ValueError } from '../errors.ts';
import { toDim } from '../tensor/dim.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';

/** The tensor. @throws {@link ValueError} where it is none, or its data was transferred */
export function checkTensor(name: string, x: unknown): Tensor {
  if (!(x instanceof Tensor)) throw new ValueError(`${name}: expected a Tensor, got ${describe(x)}`);
  x.checkAttached();
  return x;
}

/** The values in float32. @throws {@link ValueError} where it is no tensor; {@link DtypeError} for truth values */
export function floatsOf(name: string, x: unknown): Tensor<Float32Array> {
  const tensor = checkTensor(name, x);
  if (tensor.dtype === 'bool') throw new DtypeError(`${name}: expected numbers, got ${describe(tensor)}`);
  return tensor.float();
}

/** A tensor seen along one of its axes: `outer` blocks of `size` rows of `inner` elements. */
export interface Along {
  readonly x: Tensor<Float32Array>;
  readonly dim: number;
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

/** The tensor seen along an axis. @throws {@link ValueError} where it is no tensor, or has no such axis */
export function along(name: string, given: unknown, dim: number): Along {
  const x = floatsOf(name, given);
  const axis = toDim(name, dim, x.shape.length);
  return {
    x,
    dim: axis,
    outer: numel(x.shape.slice(0, axis)),
    size: x.shape[axis] ?? 1,
    inner: numel(x.shape.slice(axis + 1)),
  };
}

/** The axis that vectors lie along unless told: the second, as PyTorch has it; of a single vector the only one. */
export function vectorDim(dim: number | undefined, rank: number): number {
  return dim ?? (rank === 1 ? 0 : 1);
}
