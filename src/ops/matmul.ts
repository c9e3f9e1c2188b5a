/** Products of matrices, by a host step: sums are in float64. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import { relay } from './lowering/relay.ts';
import type { Op, Reference, RowsRule } from './op.ts';

/** What is multiplied: [rows, inner]·[inner, columns] for each of the matrices that the first axes have. */
interface Matrices {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** The first axes, broadcast. */
  readonly batch: Shape;
  readonly shape: Shape;
}

/** @throws {@link ShapeError} where the shapes can't be multiplied */
function matricesOf(a: Shape, b: Shape): Matrices {
  const [rows, inner] = [a.length > 1 ? a.at(-2)! : 1, a.at(-1) ?? 0];
  const columns = b.length > 1 ? b.at(-1)! : 1;
  const [first, second] = [a.slice(0, -2), b.slice(0, -2)];
  const rank = Math.max(first.length, second.length);
  const batch = Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [first[axis - rank + first.length] ?? 1, second[axis - rank + second.length] ?? 1];
    return m === 1 ? n : n === 1 || m === n ? m : Number.NaN;
  });
  const isMultiplied = a.length > 0 && b.length > 0 && inner === (b.length > 1 ? b.at(-2) : b[0]);
  if (!isMultiplied || batch.some(Number.isNaN)) {
    throw new ShapeError(
      `matmul: expected matrices [..., n, k] and [..., k, m] of which the first axes are equal or 1, ` +
        `got ${formatShape(a)} and ${formatShape(b)}`,
    );
  }
  const shape = [...batch, ...(a.length > 1 ? [rows] : []), ...(b.length > 1 ? [columns] : [])];
  return { rows, inner, columns, batch, shape };
}

/** Which of an operand's matrices is the one at `index` of the broadcast ones. */
function matrixAt(own: Shape, batch: Shape, index: number): number {
  let [rest, at, stride] = [index, 0, 1];
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const size = own[axis - batch.length + own.length] ?? 1;
    if (size > 1) at += (rest % batch[axis]!) * stride;
    stride *= size;
    rest = Math.floor(rest / batch[axis]!);
  }
  return at;
}

const reference: Reference<null> = ([a, b]) => {
  const { rows, inner, columns, batch, shape } = matricesOf(a!.shape, b!.shape);
  const y = new Float32Array(numel(shape));
  const sums = new Float64Array(columns);
  for (let matrix = 0; matrix < numel(batch); matrix++) {
    const left = matrixAt(a!.shape.slice(0, -2), batch, matrix) * rows * inner;
    const right = matrixAt(b!.shape.slice(0, -2), batch, matrix) * inner * columns;
    for (let i = 0; i < rows; i++) {
      sums.fill(0);
      for (let k = 0; k < inner; k++) {
        const v = a!.data[left + i * inner + k]!;
        for (let j = 0; j < columns; j++) sums[j]! += v * b!.data[right + k * columns + j]!;
      }
      y.set(sums, (matrix * rows + i) * columns);
    }
  }
  return new Tensor(y, shape);
};

/**
 * Rows are those of the first matrix, unless it has none, as a parameter and what is summed up over all rows, or is one
 * for all of the second ones. Rows that are summed up are no rows of the product, but of as many columns: those may be
 * the same pixels, as where each has weights of all pixels.
 */
const rowsOf: RowsRule<null> = (_attrs, axis, x, { inputs: [a], output }, known) => {
  const { shape } = a!;
  const isSummedUp = axis === shape.length - 1 && shape.at(-1) !== output.shape.at(-1);
  const counts = x === a ? !isSummedUp : shape.length < x.shape.length || known.get(a!)![0] === 0;
  return counts ? [] : [0];
};

/** @see torch.matmul */
export const matmul: Op<null> = {
  name: 'matmul',
  axis: 'each',
  relay,
  inferShape: ([a, b]) => matricesOf(a!, b!).shape,
  mixedAxes: (_attrs, x) => [x.length - 1],
  rows: rowsOf,
  macs: ([a, b]) => {
    const { rows, inner, columns, batch } = matricesOf(a!, b!);
    return numel(batch) * rows * inner * columns;
  },
  reference,
  algorithms: [byReference(reference)],
};
