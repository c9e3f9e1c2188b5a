/**
 * The graph that tracing records: values without data, and the nodes that make them, in order of execution. What it
 * computes is specified by interpret.ts; how fast, is the business of src/plan.
 */

import { describe, ValueError } from '../errors.ts';
import type { RelayAttrs } from '../ops/lowering/relay.ts';
import type { Op, Rows } from '../ops/op.ts';
import { storedShape, usualAxis } from '../ops/rules/axes.ts';
import { type Epilogue, NO_EPILOGUE, parametersOfNorm } from '../ops/rules/epilogue.ts';
import type { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';

/** An edge of a graph: the shape of a tensor that a run will compute. A module's `forward` runs on values. */
export class Value {
  readonly graph: Graph;
  readonly shape: Shape;
  /** @internal The axis whose elements lie side by side in memory. */
  readonly axis: number;
  /** @internal The shape as kernels see it. */
  readonly stored: Shape;

  /** @internal */
  constructor(graph: Graph, shape: Shape, axis = usualAxis(shape)) {
    this.graph = graph;
    this.shape = shape;
    this.axis = axis;
    this.stored = storedShape(this);
  }

  /** @internal Operators would give NaN, or a branch that no number decides. */
  [Symbol.toPrimitive](): never {
    throw new ValueError('forward: expected functions as add(x, y), got an operator');
  }
}

/** One application of an op. */
export interface Node {
  readonly op: Op<any>;
  readonly attrs: unknown;
  /** The op's inputs; last the epilogue's residual, where it has one. */
  readonly inputs: readonly Value[];
  readonly epilogue: Epilogue;
  readonly output: Value;
  /** How many nodes were recorded before it; of joined nodes, the first one's. */
  readonly position: number;
}

/** Nodes in order of execution, and what of them is asked for. Passes turn one program into another. */
export interface Program {
  readonly inputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly taps: readonly Value[];
}

/** Who is told of a trace while it goes on. */
export interface Watch {
  /** True where hooks aren't to run, since the trace is for a look alone. */
  readonly isQuiet?: boolean;
  /** A module begins to run. */
  enter?(module: object, inputs: readonly unknown[]): void;
  /** A module returned. What this returns goes on in the output's place, unless it is undefined. */
  complete?(module: object, output: unknown): unknown;
  /** A module ends, because it returned or threw. */
  exit?(module: object): void;
  /** A function of that name was applied, and gave a value or several. */
  apply?(name: string, output: unknown): void;
}

/** What a module returned. */
export interface Completion {
  readonly module: object;
  readonly output: unknown;
  /** How many nodes had been recorded. */
  readonly position: number;
}

/** What a trace records into. */
export class Graph {
  /** @internal */
  watch: Watch | null = null;
  readonly inputs: readonly Value[];
  /** All nodes recorded so far, in order. */
  readonly nodes: Node[] = [];
  /** What lays a value out along another axis; none as long as all values have the usual one. */
  #relay: Op<RelayAttrs> | null = null;
  /** What modules returned, in order; a module that ran again comes again. */
  readonly completed: Completion[] = [];

  constructor(inputShapes: readonly Shape[]) {
    this.inputs = inputShapes.map((shape) => new Value(this, shape));
  }

  /** Records an op and returns its output. @throws ShapeError as the op's shape rule does */
  record<A>(op: Op<A>, inputs: readonly Value[], attrs: A, name: string | null = op.name): Value {
    const shape = op.inferShape(
      inputs.map((x) => x.shape),
      attrs,
    );
    this.#relay = op.relay ?? this.#relay;
    const axis = op.axis === 'each' ? usualAxis(shape) : axisOf(op, inputs[0]!, attrs);
    const isLaid = (x: Value) => x.axis === axis || op.axis === 'each';
    const laid = inputs.map((x) => (isLaid(x) ? x : this.record(this.#relay!, [x], { axis }, null)));
    const output = new Value(this, Object.freeze([...shape]), op.view?.(laid[0]!, shape, attrs).axis ?? axis);
    this.nodes.push({ op, attrs, inputs: laid, epilogue: NO_EPILOGUE, output, position: this.nodes.length });
    if (name !== null) this.watch?.apply?.(name, output);
    return output;
  }

  /** Remembers what a module returned, and returns what goes on in its place. */
  complete(module: object, output: unknown): unknown {
    const known = this.watch?.complete?.(module, output) ?? output;
    this.completed.push({ module, output: known, position: this.nodes.length });
    return known;
  }

  /** What a module returned first while tracing, or undefined where it wasn't called. */
  outputOf(module: object): unknown {
    return this.completed.find((one) => one.module === module)?.output;
  }

  /** The program that computes `taps`, before any pass. */
  program(taps: readonly Value[]): Program {
    return { inputs: this.inputs, nodes: this.nodes, taps };
  }
}

/**
 * What is recorded into now: a module may be given values in a form in which none are looked for. Undefined outside of
 * {@link recordingInto}.
 */
export let recording: Graph | undefined;

/** What `run` returns, which records into the graph. */
export function recordingInto<T>(graph: Graph | undefined, run: () => T): T {
  const outer = recording;
  recording = graph;
  try {
    return run();
  } finally {
    recording = outer;
  }
}

/** The axis along which an op takes its inputs. */
function axisOf<A>({ axis, view }: Op<A>, x: Value, attrs: A): number {
  if (typeof axis === 'function') return axis(attrs);
  if (view || axis === 'any') return x.axis;
  return axis === 'last' ? x.shape.length - 1 : usualAxis(x.shape);
}

/** @throws {@link ValueError} where x isn't a value, e.g. a Tensor */
export function checkValue(name: string, x: unknown): void {
  if (x instanceof Value) return;
  throw new ValueError(
    `${name}: expected values, as forward() gets them, got ${describe(x)}; to compute with a Tensor, ` +
      'use module.call(x)',
  );
}

/**
 * Records an op on values.
 *
 * @param name what was called, for the message and for who watches; null for a part of what was called
 * @throws {@link ValueError} where an input isn't a value of one graph, e.g. a Tensor
 */
export function record<A>(op: Op<A>, inputs: readonly Value[], attrs: A, name: string | null = op.name): Value {
  const graph = inputs[0]?.graph;
  for (const x of inputs) {
    checkValue(name ?? op.name, x);
    if (x.graph !== graph) throw new ValueError(`${name ?? op.name}: expected values of one trace, got values of two`);
  }
  return graph!.record(op, inputs, attrs, name);
}

/** The parameters that a program reads, each once, in order of execution. */
export function parametersOf(program: Program): readonly Parameter[] {
  const all = program.nodes.flatMap(({ op, attrs, epilogue: { norm } }) => [
    ...(op.parameters?.(attrs) ?? []),
    ...(norm ? parametersOfNorm(norm) : []),
  ]);
  return [...new Set(all)].filter((parameter) => parameter !== null);
}

/** The channel of its input that a view begins with; null for a node that computes its output. */
export function viewOf({ op, attrs, inputs, output }: Node): number | null {
  return op.view?.(inputs[0]!, output.shape, attrs).channel ?? null;
}

/** Multiply-accumulates of each node. */
export function macsOf({ op, attrs, inputs, output }: Node): number {
  return (
    op.macs?.(
      inputs.map((x) => x.shape),
      output.shape,
      attrs,
    ) ?? 0
  );
}

/**
 * How many of the input's rows one row of each value stands for, and the axis that has the rows: the product of what
 * ops declare, or of ratios where an op declares nothing. The input's rows are axis 2, and axis 3 of frames
 * `[N, T, C, H, W]`.
 *
 * @param all what is known already; what is found is added
 */
export function reductionsOf(
  { inputs, nodes }: Program,
  all = new Map<Value, Rows>(inputs.map((value) => [value, [1, Math.max(2, value.shape.length - 2)]])),
): ReadonlyMap<Value, Rows> {
  for (const node of nodes) {
    // A parameter is at no reduction, so what is added to it counts.
    let most: Rows = [0, 2];
    for (const x of node.inputs) {
      const [reduction, axis, unit = 0, rows] = all.get(x)!;
      const size = node.output.shape[axis] ?? 1;
      const ratio = unit ? 1 : (x.shape[axis] ?? 1) / size;
      // Rows beside others on an axis have become one where that isn't made of whole parts any more.
      const [by = ratio, to = axis, part = unit, own = rows] =
        node.op.rows?.(node.attrs, axis, x, node, all) ?? (size % unit ? [rows, Infinity, 0] : []);
      if (reduction * by > most[0]) most = [reduction * by, to, part, own];
    }
    all.set(node.output, most);
  }
  return all;
}
