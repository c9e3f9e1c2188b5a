/** Arithmetic of two tensors whose shapes are broadcast, by a host step. Of one shape, add and mul have kernels. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import { relay } from './lowering/relay.ts';
import type { Op, Reference } from './op.ts';

/** The shape of both together: axes of size 1, and those that one has not, are repeated. */
function broadcast(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        `The size of tensor a (${m}) must match the size of tensor b (${n}) at non-singleton dimension ${axis}; ` +
          `${name}: got ${formatShape(a)} and ${formatShape(b)}`,
      );
    }
    return m === 1 ? n : m;
  });
}

/** For each element of the result, the element of x that it is made of. */
function indexOf(x: Shape, result: Shape): (i: number) => number {
  if (numel(x) === numel(result)) return (i) => i;
  const axes = [...result.keys()].reverse().map((axis) => {
    const own = axis - result.length + x.length;
    const size = x[own] ?? 1;
    return { size: result[axis]!, stride: size === 1 ? 0 : numel(x.slice(own + 1)) };
  });
  return (i) => {
    let [rest, at] = [i, 0];
    for (const { size, stride } of axes) {
      at += (rest % size) * stride;
      rest = Math.floor(rest / size);
    }
    return at;
  };
}

function binary(name: string, of: (a: number, b: number) => number): Op<null> {
  const reference: Reference<null> = ([a, b]) => {
    const shape = broadcast(name, a!.shape, b!.shape);
    const [ofA, ofB] = [indexOf(a!.shape, shape), indexOf(b!.shape, shape)];
    const y = new Float32Array(numel(shape));
    for (let i = 0; i < y.length; i++) y[i] = of(a!.data[ofA(i)]!, b!.data[ofB(i)]!);
    return new Tensor(y, shape);
  };
  return {
    name,
    axis: 'each',
    relay,
    inferShape: ([a, b]) => broadcast(name, a!, b!),
    // A row that is repeated tells nothing.
    rows(_attrs, axis, { shape: x }, { output: { shape: y } }) {
      const to = axis + y.length - x.length;
      const rows = x[axis] ?? 1;
      const isRepeated = rows !== (y[to] ?? 1) || (rows === 1 && numel(x) < numel(y));
      return [Number(!isRepeated), to];
    },
    reference,
    algorithms: [byReference(reference)],
  };
}

/** @see torch.add */
export const broadcastAdd = binary('add', (a, b) => a + b);

/** @see torch.sub */
export const broadcastSub = binary('sub', (a, b) => a - b);

/** @see torch.mul */
export const broadcastMul = binary('mul', (a, b) => a * b);

/** @see torch.div */
export const broadcastDiv = binary('div', (a, b) => a / b);
