/** Ops of a user's own: the way out for what no op of layertap does. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { checkValue, record, type Value } from '../graph/graph.ts';
import { byReference } from '../ops/lowering/host.ts';
import type { Op, Reference } from '../ops/op.ts';
import { callable, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkShape, formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { asValue } from './arithmetic.ts';

/** What {@link customOp} makes an op of. */
export interface CustomOp {
  /** For reports, messages and nodes' names. */
  readonly name: string;
  /** The output's shape; it throws where the inputs don't fit. */
  readonly inferShape: (shapes: readonly Shape[]) => Shape;
  /**
   * The output's values in PyTorch's order. The inputs are dense and in that order, too. They lie in memory that is
   * used again: don't keep them, nor write into them.
   */
  readonly compute: (inputs: readonly Tensor<Float32Array>[]) => Float32Array | Tensor<Float32Array>;
}

/**
 * An op in plain TypeScript, at its own speed, on the calling thread. What it returns is tapped like any other value:
 *
 *     const square = customOp({
 *       name: 'square',
 *       inferShape: ([x]) => x,
 *       compute: ([x]) => x.data.map((v) => v * v),
 *     });
 *     // in forward: square(this.conv.call(x))
 *
 * @returns a function for a module's `forward`: of values, and after the first one of parameters and constant tensors
 * @throws {@link ValueError} where a part is missing or of a wrong type
 */
export function customOp(custom: CustomOp): (x: Value, ...more: (Value | Parameter | Tensor)[]) => Value {
  const parts = { name: undefined, inferShape: undefined, compute: undefined };
  const given = withDefaults<CustomOp, Record<keyof CustomOp, unknown>>('customOp', custom, parts);
  const { name } = given;
  if (typeof name !== 'string' || name === '') {
    throw new ValueError(`customOp: expected name as a string that isn't empty, got ${describe(name)}`);
  }
  const inferShape = callable(`customOp ${name}: inferShape`, given.inferShape) as CustomOp['inferShape'];
  const compute = callable(`customOp ${name}: compute`, given.compute) as CustomOp['compute'];
  const checkedShape = (shapes: readonly Shape[]) => {
    const shape = inferShape(shapes);
    checkShape(`${name}: inferShape`, shape);
    return shape;
  };
  const reference: Reference<null> = (inputs) => {
    const shape = checkedShape(inputs.map((x) => x.shape));
    const result = compute(inputs);
    const data = result instanceof Tensor ? result.data : result;
    const given = result instanceof Tensor ? result.shape : shape;
    if (!(data instanceof Float32Array) || data.length !== numel(shape) || !sameShape(given, shape)) {
      throw new ShapeError(
        `${name}: expected compute to give a Float32Array of ${numel(shape)} for ${formatShape(shape)}, ` +
          `got ${describe(result)}`,
      );
    }
    return new Tensor(data, shape);
  };
  const op: Op<null> = {
    name,
    axis: 'each',
    inferShape: checkedShape,
    // Nothing is known of the op: a few rows more or less are taken for padding.
    rows(_attrs, axis, x, { output }) {
      const [from, to] = [x.shape[axis] ?? 1, output.shape[axis] ?? 1];
      return [from % to && to % from ? 2 ** Math.round(Math.log2(from / to)) : from / to];
    },
    reference,
    // How long it takes nobody knows: asynchronous calls give the event loop a turn after each.
    algorithms: [byReference(reference, () => ({ macs: 0, transformed: Infinity }))],
  };
  return (x, ...more) => {
    checkValue(name, x);
    const values = more.map((one) => (one instanceof Parameter || one instanceof Tensor ? asValue(name, one, x) : one));
    return record(op, [x, ...values], null);
  };
}
