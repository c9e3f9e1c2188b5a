/** Traces functions of values, and runs their programs on the kernels and by the interpreter. */

import { Graph, type Program, type Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Binary } from '../../src/wasm/binary.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { generatedTensor } from './generator.ts';

/** The program that `trace` records; its taps are what it returns. */
export function programOf(shapes: readonly Shape[], trace: (...inputs: Value[]) => readonly Value[]): Program {
  const graph = new Graph(shapes);
  return graph.program(trace(...graph.inputs));
}

/** The same program with all its values for taps: nothing of it can be fused. */
export function allTapped(program: Program): Program {
  return { ...program, taps: [...program.inputs, ...program.nodes.map(({ output }) => output)] };
}

/** Inputs of a program, from a key. */
export function inputsOf({ inputs }: Program, key: string): Tensor<Float32Array>[] {
  return inputs.map(({ shape }, i) => generatedTensor(`${key} ${i}`, shape));
}

/** The taps' tensors, by a plan of a compiled model of its own. */
export function runPlan(
  program: Program,
  inputs: readonly Tensor<Float32Array>[],
  binary: Binary,
  threads = 1,
): Tensor<Float32Array>[] {
  const model = new CompiledModel({}, { instance: instantiate(binary), threads });
  return model.run(model.plan(program), inputs);
}

/** The taps' tensors as the program's specification has them. */
export function runReference(program: Program, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
  return interpret(program, inputs);
}
