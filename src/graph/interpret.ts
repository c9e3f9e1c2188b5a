/** Runs a program by its ops' references: slow, and the specification that a plan must match. */

import { MemoryError } from '../errors.ts';
import { referenceEpilogue } from '../ops/rules/epilogue.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Program, Value } from './graph.ts';
import { referenceOf } from './references.ts';

/** The most bytes of one value: a WebAssembly memory's, since no plan has room for more. */
const MAX_BYTES = 2 ** 32;

/**
 * The taps' tensors, in the order of `program.taps`. Sums are in float64, each op's output is rounded to float32.
 *
 * @throws {@link MemoryError} where a value takes more than 4 GiB, before anything is computed
 */
export function interpret(program: Program, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
  for (const { op, output } of program.nodes) {
    const bytes = numel(output.shape) * 4;
    if (bytes > MAX_BYTES) {
      const got = `${bytes} for ${op.name}'s ${formatShape(output.shape)}`;
      throw new MemoryError(`interpret: expected values of at most ${MAX_BYTES} bytes, got ${got}`);
    }
  }
  const tensors = new Map(program.inputs.map((value, i): [Value, Tensor<Float32Array>] => [value, inputs[i]!]));
  for (const { op, attrs, inputs, epilogue, output } of program.nodes) {
    const read = inputs.map((x) => tensors.get(x)!);
    const residual = epilogue.residual ? read.pop()! : null;
    tensors.set(output, referenceEpilogue(referenceOf(op)(read, attrs), epilogue, residual));
  }
  return program.taps.map((tap) => tensors.get(tap)!);
}
