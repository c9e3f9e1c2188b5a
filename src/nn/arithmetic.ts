/** Arithmetic of values, numbers and parameters, as `torch` has it. */

import { describe, ValueError } from '../errors.ts';
import { record, Value } from '../graph/graph.ts';
import { broadcastAdd, broadcastDiv, broadcastMul, broadcastSub } from '../ops/binary.ts';
import { addNumber, divNumber, mulNumber, numberDiv, numberSub, type ScalarAttrs } from '../ops/elementwise.ts';
import { matmul as matmulOp } from '../ops/matmul.ts';
import type { Op } from '../ops/op.ts';
import { parameterValue } from '../ops/parameter-value.ts';
import { Constant, Parameter } from '../tensor/parameter.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { affine } from './channel-affine.ts';
import * as same from './same-shape.ts';

/**
 * What arithmetic takes: a value, a number, a parameter of the module, or a tensor that doesn't change and that no
 * state dict holds. One of two operands is a value.
 */
export type Operand = Value | Parameter | Tensor | number;

/** The constant that each tensor is. */
const constants = new WeakMap<Tensor, Constant>();

/** A tensor as a constant, the same each time; what else is given as it is. */
function constantOf<O>(operand: O): O | Constant {
  if (!(operand instanceof Tensor)) return operand;
  const constant = constants.get(operand) ?? new Constant(operand);
  constants.set(operand, constant);
  return constant;
}

/** A parameter or a tensor as a value of the graph that another value belongs to; a value as it is. */
export function asValue(name: string, operand: unknown, { graph }: Value): Value {
  if (operand instanceof Value) return operand;
  const parameter = constantOf(operand);
  if (parameter instanceof Parameter) return graph.record(parameterValue, [], { parameter }, null);
  throw new ValueError(`${name}: expected a value, a Parameter, a Tensor or a number, got ${describe(operand)}`);
}

/** The operand that is a value, by which the graph is known. */
function firstValue(name: string, a: unknown, b: unknown): Value {
  if (a instanceof Value) return a;
  if (b instanceof Value) return b;
  throw new ValueError(
    `${name}: expected at least one value, as forward() gets them, got ${describe(a)} and ${describe(b)}`,
  );
}

function broadcasted(name: string, op: Op<null>, a: unknown, b: unknown): Value {
  const x = firstValue(name, a, b);
  return record(op, [asValue(name, a, x), asValue(name, b, x)], null);
}

/** With a finite number, which becomes a float32 as in PyTorch. */
function withNumber(op: Op<ScalarAttrs>, x: Value, number: number, name?: string): Value {
  return record(op, [x], { number: Math.fround(number) }, name);
}

/** The values and a parameter of one number for each of their channels; null where they aren't that. */
function perChannel(a: unknown, b: unknown): { x: Value; parameter: Parameter } | null {
  const [x, operand] = a instanceof Value ? [a, b] : [b, a];
  const parameter = constantOf(operand);
  if (!(x instanceof Value) || !(parameter instanceof Parameter) || x.shape.length < 2) return null;
  const channels = x.shape[1]!;
  const wanted = [channels, ...x.shape.slice(2).map(() => 1)];
  const own: Shape = parameter.shape.length > wanted.length ? parameter.shape.slice(1) : parameter.shape;
  return sameShape(own, wanted) && parameter.numel() === channels ? { x, parameter } : null;
}

/** a·b, broadcast. Of one shape, by `[N, C, 1, 1]`, and by a parameter for each channel it is fastest. */
export function mul(a: Operand, b: Operand): Value {
  if (a instanceof Value && b instanceof Value) {
    const isPerChannel = ({ shape }: Value, of: Value) =>
      of.shape.length === 4 && sameShape(shape, [of.shape[0]!, of.shape[1]!, 1, 1]);
    if (sameShape(a.shape, b.shape) || isPerChannel(b, a)) return same.mul(a, b);
    if (isPerChannel(a, b)) return same.mul(b, a);
  }
  if (typeof b === 'number' && a instanceof Value) return withNumber(mulNumber, a, b);
  if (typeof a === 'number' && b instanceof Value) return withNumber(mulNumber, b, a);
  const each = perChannel(a, b);
  if (each) return affine('mul', each.x, { weight: each.parameter, bias: null });
  return broadcasted('mul', broadcastMul, a, b);
}

/** a + b, broadcast. Of one shape, and with a parameter for each channel it is fastest. */
export function add(a: Operand, b: Operand): Value {
  if (a instanceof Value && b instanceof Value && sameShape(a.shape, b.shape)) return same.add(a, b);
  if (typeof b === 'number' && a instanceof Value) return withNumber(addNumber, a, b);
  if (typeof a === 'number' && b instanceof Value) return withNumber(addNumber, b, a);
  const each = perChannel(a, b);
  if (each) return affine('add', each.x, { weight: null, bias: each.parameter });
  return broadcasted('add', broadcastAdd, a, b);
}

/** a − b, broadcast. */
export function sub(a: Operand, b: Operand): Value {
  if (typeof b === 'number' && a instanceof Value) return withNumber(addNumber, a, -b, 'sub');
  if (typeof a === 'number' && b instanceof Value) return withNumber(numberSub, b, a);
  return broadcasted('sub', broadcastSub, a, b);
}

/** a / b, broadcast. */
export function div(a: Operand, b: Operand): Value {
  if (typeof b === 'number' && a instanceof Value) return withNumber(divNumber, a, b);
  if (typeof a === 'number' && b instanceof Value) return withNumber(numberDiv, b, a);
  return broadcasted('div', broadcastDiv, a, b);
}

/**
 * The product of two matrices, or of as many as the first axes have, which are broadcast. An operand of one axis is a
 * vector. It is computed in plain TypeScript: what multiplies by a parameter is faster as a linear map.
 *
 * @throws {@link ShapeError} where the shapes can't be multiplied
 */
export function matmul(a: Value | Parameter | Tensor, b: Value | Parameter | Tensor): Value {
  return broadcasted('matmul', matmulOp, a, b);
}
