/** test/cases/ops.json as graphs: each case's module, inputs and bound. The Python side is scripts/goldens/ops.py. */

import { readFileSync } from 'node:fs';
import { Graph, macsOf, type Program } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import type { Conv2d } from '../../src/nn/conv.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Engine } from '../../src/ops/lowering/algorithm.ts';
import { sitesOf } from '../../src/plan/plan.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters, generatedTensor } from './generator.ts';
import { type BoundRule, boundBy, moduleOf, type Named } from './named.ts';
import { largest } from './tolerance.ts';
import { winogradBound } from './winograd-magnitudes.ts';
import { transformOf } from './winograd-transforms.ts';

/** What the table says of an op. */
interface TabledOp extends Omit<Named, 'args' | 'options'> {
  readonly bound: BoundRule;
}

/** A line of the table. Arguments and options are layertap's own. */
export interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Shape[];
  /** Indices of the inputs that the op reads; all in order unless given. */
  readonly reads?: readonly number[];
  /** Inputs are in ±scale; 2 unless given. */
  readonly scale?: number;
  /** Special numbers at every 11th place of the inputs, or −∞ everywhere. */
  readonly with?: 'specials' | 'lowest';
  /** True where the output's first axis isn't the images of the input, or a size depends on how many these are. */
  readonly mixesImages?: boolean;
  /** A layer's arguments, or a function's after its tensors. */
  readonly args?: readonly any[];
  readonly options?: any;
  /** The most pixels of a window, where the bound asks for them. */
  readonly pixels?: number;
}

const table = JSON.parse(readFileSync(new URL('../cases/ops.json', import.meta.url), 'utf8')) as {
  readonly ops: Readonly<Record<string, TabledOp>>;
  readonly cases: readonly OpCase[];
};

/** The table's cases. */
export const opCases = table.cases;

const SPECIALS = [Number.NaN, Infinity, -Infinity, -0, 6];

/** The case's inputs. */
export function inputsOf(opCase: OpCase): Tensor<Float32Array>[] {
  return opCase.inputs.map((shape, i) => {
    const x = generatedTensor(`${opCase.name}.input${i}`, shape, opCase.scale);
    if (opCase.with === 'lowest') x.data.fill(-Infinity);
    if (opCase.with === 'specials') {
      for (let at = 3 + i; at < x.data.length; at += 11) {
        x.data[at] = SPECIALS[Math.floor(at / 11) % SPECIALS.length]!;
      }
    }
    return x;
  });
}

/** The case's layer or function, with generated parameters. */
function filled(opCase: OpCase): Module {
  const { args, options } = opCase;
  return fillParameters(moduleOf({ ...table.ops[opCase.op]!, args, options }), `${opCase.name}.`);
}

/** The case as a program of one tap, with generated parameters. */
export function programOf(opCase: OpCase): Program {
  return traced(opCase, filled(opCase));
}

/**
 * The case's program with each algorithm that can compute it in an engine, as if it were the only one. A case of
 * several nodes, views among them, has one program.
 */
export function programsOf(opCase: OpCase, engine: Engine): Map<string, Program> {
  const program = programOf(opCase);
  const [node] = program.nodes;
  if (program.nodes.length !== 1 || !node) return new Map([['all', program]]);
  const [{ algorithms, site }] = sitesOf(program, engine, 'f32') as [ReturnType<typeof sitesOf>[number]];
  const fitting = algorithms.filter((algorithm) => algorithm.prepare(site));
  return new Map(
    fitting.map((algorithm) => {
      const pinned = { ...node.op, algorithms: [algorithm] };
      return [algorithm.name, { ...program, nodes: [{ ...node, op: pinned }] }];
    }),
  );
}

function traced(opCase: OpCase, module: Module): Program {
  const graph = new Graph(opCase.inputs);
  const read = (opCase.reads ?? graph.inputs.map((_, i) => i)).map((i) => graph.inputs[i]!);
  return graph.program([module.call(...read)]);
}

/**
 * For each element, by how much two right answers may differ, as the table says it.
 *
 * @param algorithm the one that a plan takes; Winograd's have a bound of their own
 */
export function boundsOf(opCase: OpCase, algorithm = 'direct'): (index: number) => number {
  const program = programOf(opCase);
  let magnitudes: Float32Array | null = null;
  const bound = boundBy(table.ops[opCase.op]!.bound, {
    options: opCase.options,
    products: () => macsOf(program.nodes[0]!) / numel(program.taps[0]!.shape),
    ...(opCase.pixels && { pixels: opCase.pixels }),
    largest: () => largest(inputsOf(opCase)[0]!),
  });
  const own = (index: number) =>
    bound(() => {
      magnitudes ??= magnitudesOf(opCase);
      return magnitudes[index]!;
    });
  const transform = transformOf(algorithm);
  if (!transform) return own;
  // PyTorch's own sum is bounded as ever.
  const ofTransform = winogradBound(transform, filled(opCase) as Conv2d, inputsOf(opCase)[0]!, program.taps[0]!.shape);
  return (index) => ofTransform(index) + own(index);
}

/**
 * For each element, by how much a sum may be off when its weights are rounded to binary16: by 2⁻¹¹ of each product, at
 * most.
 */
export function halvesBoundOf(opCase: OpCase): (index: number) => number {
  const magnitudes = magnitudesOf(opCase);
  return (index) => 2 ** -11 * magnitudes[index]!;
}

/**
 * Σ|term|: the reference's output for absolute inputs and parameters; means are negative, since they are subtracted.
 */
function magnitudesOf(opCase: OpCase): Float32Array {
  const module = filled(opCase);
  const state = [...module.stateDict()].filter(([key]) => key !== 'num_batches_tracked');
  module.loadStateDict(
    state.map(([key, values]) => {
      const sign = key === 'running_mean' ? -1 : 1;
      return [
        key,
        new Tensor(
          values.float().data.map((v) => sign * Math.abs(v)),
          values.shape,
        ),
      ] as const;
    }),
  );
  const inputs = inputsOf(opCase).map((x) => new Tensor(x.data.map(Math.abs), x.shape));
  return interpret(traced(opCase, module), inputs)[0]!.data;
}
