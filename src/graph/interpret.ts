/** Runs a program by its ops' references: slow, and the specification that a plan must match. */

import { referenceEpilogue } from '../ops/epilogue.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Program, Value } from './graph.ts';

/** The taps' tensors, in the order of `program.taps`. Sums are in float64, each op's output is rounded to float32. */
export function interpret(program: Program, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
  const tensors = new Map(program.inputs.map((value, i): [Value, Tensor<Float32Array>] => [value, inputs[i]!]));
  for (const { op, attrs, inputs, epilogue, output } of program.nodes) {
    const read = inputs.map((x) => tensors.get(x)!);
    const residual = epilogue.residual ? read.pop()! : null;
    tensors.set(output, referenceEpilogue(op.reference(read, attrs), epilogue, residual));
  }
  return program.taps.map((tap) => tensors.get(tap)!);
}
