/** Where a module meets its plans: traces it for an input shape, and runs what was compiled. */

import { DtypeError, describe, listed, ShapeError, StateDictError, ValueError } from '../errors.ts';
import { Graph, macsOf, type Program, recordingInto, type Value } from '../graph/graph.ts';
import { callable } from '../options.ts';
import type { CompileOptions } from '../plan/compile-options.ts';
import { CompiledModel } from '../plan/compiled-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { Holding } from '../plan/weight-memory.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { checkInputShape, formatShape, type Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Materialized, materialize, valuesOf } from './output.ts';
import { type Dependency, Snapshot } from './snapshot.ts';
import { traced } from './traced.ts';

/** How far an asynchronous call has come. */
export interface Progress {
  /** The direct child that the last computed step belongs to; '' where the module has none. */
  readonly child: string;
  /** Multiply-accumulates of all steps that are computed. */
  readonly done: number;
  /** Of all steps of the call; 0 where none multiplies. */
  readonly total: number;
}

/** Options of an asynchronous call. */
export interface AsyncOptions {
  /** Called after each stretch of some milliseconds' work, before the turn of the event loop; last when all is done. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Aborts the call, at once while it waits for others, otherwise after a stretch; it rejects with the signal's reason.
   */
  readonly signal?: AbortSignal | undefined;
}

/** @internal The options. @throws {@link ValueError} where one has a wrong type */
export function checkedAsyncOptions<O extends { readonly signal?: unknown; readonly onProgress?: unknown }>(
  options: O,
  name = 'callAsync',
): O {
  const { signal, onProgress } = options;
  if (onProgress !== undefined && onProgress !== null) callable(`${name}: onProgress`, onProgress);
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.throwIfAborted !== 'function') {
    throw new ValueError(`${name}: expected signal as an AbortSignal, got ${describe(signal)}`);
  }
  return options;
}

/** A module's child in a plan: computed when the first `nodes` nodes are. */
interface Segment {
  readonly child: string;
  readonly nodes: number;
}

/** What is recorded of a module. */
export interface Recording<Output> {
  /** Tells apart what is recorded for the same input shapes. */
  readonly name: string;
  /** Records it on values, and returns its outputs. */
  record(values: readonly Value[]): Output;
}

/** A plan, and what it was recorded from. */
interface Entry {
  readonly plan: Plan;
  readonly output: unknown;
  readonly segments: readonly Segment[];
  /** What it depends on of modules that ran although they aren't below the root. */
  readonly strangers: Snapshot;
  /** True once all parameters that the plan reads were seen to have values. */
  isChecked: boolean;
}

/** Plans that are kept, the least recently used being dropped first; they hold no WASM memory of their own. */
const MAX_PLANS = 16;

type NamedState = readonly [path: string, state: Parameter];

/** What an execution asks of the module that it runs. */
export interface Root {
  /** All that a trace of it depends on. */
  dependencies(): readonly Dependency[];
  namedChildren(): Iterable<readonly [name: string, child: object]>;
  namedModules(): Iterable<readonly [path: string, module: object]>;
  /** Parameters and buffers, a shared module's under each of its names. */
  namedState(): Iterable<NamedState>;
  /** Records the whole module. */
  call(...inputs: readonly Value[]): unknown;
  /** Modules that ran in a trace although they aren't below. @throws where a parameter that is read isn't */
  strangersIn(graph: Graph, parameters: Iterable<Parameter>): readonly { dependencies(): readonly Dependency[] }[];
}

/** A module compiled for tensors, as long as its structure stays what it was. */
export class Execution<Out> {
  readonly model: CompiledModel;
  readonly #root: Root;
  #snapshot!: Snapshot;
  /** The input shapes that weights whose values are gone were packed for. */
  #packedFor: readonly Shape[] = [];
  readonly #whole: Recording<Out>;
  /** By what was recorded and for which shapes, the least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Grows with each change of a stranger: plans of the same inputs are told apart by it. */
  #generation = 0;

  constructor(root: Root, options: CompileOptions) {
    this.model = new CompiledModel(options, {
      nameOf: (weight) => {
        const [path] = [...root.namedState()].find(([, state]) => state === weight) ?? [];
        return `"${path}"`;
      },
    });
    this.#root = root;
    this.#whole = { name: '', record: (values) => root.call(...values) as Out };
    this.#takeNote();
  }

  /** True as long as the module is what was compiled. */
  get isCurrent(): boolean {
    return this.#snapshot.isCurrent;
  }

  /** The outputs for these tensors: the whole module's unless another recording is given. */
  run(inputs: readonly Tensor[]): Materialized<Out>;
  run<Output>(inputs: readonly Tensor[], recording: Recording<Output>): Materialized<Output>;
  run(inputs: readonly Tensor[], recording: Recording<unknown> = this.#whole): unknown {
    const entry = this.#entryFor(inputs, recording);
    return outputsOf(entry, this.model.run(entry.plan, inputs as readonly Tensor<Float32Array>[]));
  }

  /** As {@link run}, with a turn of the event loop after each stretch of some milliseconds' work. */
  runAsync(inputs: readonly Tensor[], options: AsyncOptions): Promise<Materialized<Out>>;
  runAsync<Output>(
    inputs: readonly Tensor[],
    options: AsyncOptions,
    recording: Recording<Output>,
  ): Promise<Materialized<Output>>;
  async runAsync(
    inputs: readonly Tensor[],
    { onProgress, signal }: AsyncOptions,
    recording: Recording<unknown> = this.#whole,
  ): Promise<unknown> {
    const entry = this.#entryFor(inputs, recording);
    const tensors = await this.model.runAsync(entry.plan, inputs as readonly Tensor<Float32Array>[], {
      onProgress: onProgress && progressOf(entry, onProgress),
      signal,
    });
    return outputsOf(entry, tensors);
  }

  /** The entry for these tensors, the parameters of its plan having values. */
  #entryFor(inputs: readonly Tensor[], recording: Recording<unknown>): Entry {
    for (const { dtype } of inputs) {
      if (dtype === 'float32') continue;
      const name = this.#root.constructor.name;
      // Bytes of a picture are on another scale: x.float() would run, and mean something else.
      const way = dtype === 'uint8' ? 'toTensor(image) gives a picture from 0 to 1' : 'convert it with x.float()';
      throw new DtypeError(`${name}: expected a float32 input, got ${dtype}; ${way}`);
    }
    for (const x of inputs) x.checkAttached();
    const shapes = inputs.map(({ shape }) => shape);
    let entry = this.#entry(shapes, recording);
    if (!entry.strangers.isCurrent) {
      this.#generation++;
      entry = this.#entry(shapes, recording);
    }
    if (!entry.isChecked) this.#checkValues(entry.plan, shapes);
    entry.isChecked = true;
    return entry;
  }

  /**
   * The children that ran, in the order in which they completed. What comes between two of them belongs to the later
   * one.
   */
  #segmentsOf(graph: Graph, { nodes }: Program): Segment[] {
    // A node may run earlier than it was traced.
    const until = (position: number) => nodes.reduce((last, node, i) => (node.position < position ? i + 1 : last), 0);
    // Where it ended last.
    const positions = new Map(graph.completed.map(({ module, position }) => [module, position]));
    return [...this.#root.namedChildren()]
      .map(([child, module]) => ({ child, position: positions.get(module) }))
      .filter(({ position }) => position !== undefined)
      .sort((a, b) => a.position! - b.position!)
      .map(({ child, position }) => ({ child, nodes: until(position!) }));
  }

  /**
   * Makes room for the whole module's plans for inputs of these shapes, and returns what packs its weights.
   *
   * @throws {@link MemoryError} where they don't fit, before anything is allocated
   * @throws {@link ShapeError} for an empty batch, which no weight is packed for
   */
  packing(inputShapes: readonly (Shape | readonly Shape[])[]): Packing {
    const calls = inputShapes.map((shape) => (Array.isArray(shape[0]) ? shape : [shape]) as readonly Shape[]);
    const plans = calls.map((shapes) => this.#entry(shapes, this.#whole).plan);
    this.#packedFor = calls.flat();
    const empty = this.#packedFor.find(([images]) => images === 0);
    if (empty) {
      throw new ShapeError(`loadStateDictAsync: expected inputShapes of at least one image, got ${formatShape(empty)}`);
    }
    const constants = plans.flatMap(({ constants }) => constants);
    const weights = new Set(constants.flatMap(({ weight }) => weight ?? []));
    // Another op reads it as it is.
    for (const { weight, owner } of constants) if (!weight) weights.delete(owner as Parameter);
    const others = new Set(plans.flatMap(({ parameters }) => parameters).filter((state) => !weights.has(state)));
    const begin = () => {
      const holding = this.model.reserve(plans);
      this.#takeNote();
      return holding;
    };
    return { weights, others, begin, end: () => this.#takeNote() };
  }

  /** Takes note of the module as it is: from now on, the execution is of that. */
  #takeNote(): void {
    this.#snapshot = new Snapshot(this.#root.dependencies());
  }

  /** The entry kept for these shapes, or a new one. */
  #entry(shapes: readonly Shape[], recording: Recording<unknown>): Entry {
    for (const shape of shapes) checkInputShape(this.#root.constructor.name, shape);
    const key = `${recording.name} ${shapes.join(' ')} ${this.#generation}`;
    const entry = this.#entries.get(key) ?? this.#compiled(shapes, recording);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MAX_PLANS) this.#entries.delete(this.#entries.keys().next().value!);
    return entry;
  }

  /** Records, and makes a plan of the program. */
  #compiled(shapes: readonly Shape[], recording: Recording<unknown>): Entry {
    const { graph, output } = traced(this.#root, shapes, (values) => recording.record(values));
    const program = graph.program(valuesOf(output));
    let whole = program;
    try {
      if (this.model.isBudgeted && recording !== this.#whole) whole = programOf(shapes, this.#whole);
    } catch {
      // The whole doesn't take inputs of these shapes, though what is recorded of it does.
    }
    const plan = this.model.plan(program, {
      whole,
      resized: (others) => programOf(others, recording),
    });
    const strangers = this.#root.strangersIn(graph, plan.parameters).flatMap((module) => module.dependencies());
    const segments = this.#segmentsOf(graph, plan.program);
    return { plan, output, segments, strangers: new Snapshot(strangers), isChecked: false };
  }

  /** @throws {@link StateDictError} naming the parameters that the plan reads and that have no values */
  #checkValues(plan: Plan, shapes: readonly Shape[]): void {
    const lost = new Set(this.model.weights.lost(plan).map(({ weight }) => weight!));
    const packed = new Set(plan.constants.flatMap(({ weight }) => (weight && !lost.has(weight) ? weight : [])));
    const missing = new Set(plan.parameters.filter((state) => !state.hasValues && !packed.has(state)));
    for (const state of plan.parameters) state.checkAttached();
    if (missing.size === 0) return;
    const name = this.#root.constructor.name;
    if ([...missing].every((state) => lost.has(state) && this.model.weights.holds(state))) {
      throw new StateDictError(
        `${name}: expected weights packed for an input of ${shapes.map(formatShape).join(' and ')}, ` +
          `got them packed for ${this.#packedFor.map(formatShape).join(' and ')}; ` +
          'call loadStateDictAsync with both among inputShapes, or without inputShapes to keep the values',
      );
    }
    const named = [...this.#root.namedState()].filter(([, state]) => missing.has(state));
    throw missingValues(name, 'all parameters that run', named);
  }
}

/** What packs a module's weights as they come. */
export interface Packing {
  /** The parameters that are packed as they come: their values needn't be kept. */
  readonly weights: ReadonlySet<Parameter>;
  /** All others that the plans read. */
  readonly others: ReadonlySet<Parameter>;
  /** Makes room for all weights; from here on the execution is current as long as no parameter is set. */
  begin(): Holding;
  /** Takes note of the parameters as they are: the execution is current from now on. */
  end(): void;
}

/** The program that is recorded for inputs of these shapes. */
function programOf(shapes: readonly Shape[], { record }: Recording<unknown>): Program {
  const graph = new Graph(shapes);
  return graph.program(valuesOf(recordingInto(graph, () => record(graph.inputs))));
}

/** The tensors of a plan's taps, in the form that the recording gave its values. */
function outputsOf({ plan, output }: Entry, tensors: readonly Tensor<Float32Array>[]): unknown {
  const ofValue = new Map(plan.program.taps.map((tap, i) => [tap, tensors[i]!]));
  return materialize(output, (value) => ofValue.get(value)!);
}

/** What tells `onProgress` how far a plan's first nodes are. */
function progressOf({ plan, segments }: Entry, onProgress: (progress: Progress) => void): (nodes: number) => void {
  const macs = plan.program.nodes.map(macsOf);
  const sum = (nodes: number) => macs.slice(0, nodes).reduce((total, one) => total + one, 0);
  const total = sum(macs.length);
  return (nodes) => {
    const segment = segments.find((segment) => segment.nodes >= nodes) ?? segments.at(-1);
    onProgress({ child: segment?.child ?? '', done: sum(nodes), total });
  };
}

/** The error that says which parameters of a module have no values; the first eight by name. */
export function missingValues(module: string, which: string, missing: readonly NamedState[]): StateDictError {
  const wayOut = missing.some(([, state]) => state.isReleased)
    ? 'loadStateDictAsync keeps none where it is given inputShapes: load without them'
    : 'call loadStateDict first';
  return new StateDictError(
    `${module}: expected values for ${which}, got none for ${listed(missing.map(([path]) => path))}; ${wayOut}`,
  );
}
