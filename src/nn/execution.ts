/** Where a module meets its plans: traces it for an input shape, and runs what was compiled. */

import { DtypeError, describe, ShapeError, StateDictError, ValueError } from '../errors.ts';
import { Graph, macsOf, type Program, parametersOf, type Value } from '../graph/graph.ts';
import { callable } from '../options.ts';
import { CompiledModel, type CompileOptions, type Holding } from '../plan/compiled-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Materialized, materialize, valuesOf } from './output.ts';

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
  /** Aborts the call, at once while it waits for others, otherwise after a stretch; it rejects with the signal's reason. */
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
interface Part {
  readonly child: string;
  readonly nodes: number;
}

/** What a plan was traced from. */
interface Traced {
  readonly output: unknown;
  readonly parts: readonly Part[];
  /** Modules that ran although they aren't below the root, and what they were. */
  readonly strangers: readonly Watchable[];
  readonly dependencies: readonly unknown[];
}

/** What tells all that a trace of it depends on. */
export interface Watchable {
  /** Whether `holds` is true of everything that a compiled module depends on, in order: others mean compiling anew. */
  everyDependency(holds: (dependency: unknown) => boolean): boolean;
}

type NamedState = readonly [path: string, state: Parameter];

/** What an execution asks of the module that it runs. */
export interface Root extends Watchable {
  namedChildren(): Iterable<readonly [name: string, child: object]>;
  namedParameters(): Iterable<NamedState>;
  /** Records the whole module. */
  call(...inputs: readonly Value[]): unknown;
  /** Modules that ran in a trace although they aren't below. @throws where a parameter that is read isn't */
  strangersIn(graph: Graph, parameters: Iterable<Parameter>): readonly Watchable[];
}

/** A module compiled for tensors, as long as its structure stays what it was. */
export class Execution<Out> {
  readonly model: CompiledModel;
  readonly #root: Root;
  #dependencies: readonly unknown[];
  /** The input shapes that weights whose values are gone were packed for. */
  #packedFor: readonly Shape[] = [];
  readonly #traced = new WeakMap<Plan, Traced>();
  readonly #checked = new WeakSet<Plan>();
  /** Grows with each change of a stranger: plans of the same inputs are told apart by it. */
  #generation = 0;

  constructor(root: Root, options: CompileOptions) {
    this.model = new CompiledModel(options, undefined, undefined, (weight) => {
      const [path] = [...root.namedParameters()].find(([, state]) => state === weight) ?? [];
      return `"${path}"`;
    });
    this.#root = root;
    this.#dependencies = dependenciesOf([root]);
  }

  /** True as long as the module is what was compiled. */
  get isCurrent(): boolean {
    return areCurrent([this.#root], this.#dependencies);
  }

  /**
   * The outputs of `trace` for these tensors.
   *
   * @param variant tells apart what is traced for the same shapes
   */
  run<Output = Out>(
    inputs: readonly Tensor[],
    variant: string,
    trace: (values: readonly Value[]) => Output,
  ): Materialized<Output> {
    const plan = this.#planFor(inputs, variant, trace);
    return this.#outputsOf<Output>(plan, this.model.run(plan, inputs as readonly Tensor<Float32Array>[]));
  }

  /** As {@link run}, with a turn of the event loop after each stretch of some milliseconds' work. */
  async runAsync<Output = Out>(
    inputs: readonly Tensor[],
    variant: string,
    trace: (values: readonly Value[]) => Output,
    { onProgress, signal }: AsyncOptions,
  ): Promise<Materialized<Output>> {
    const plan = this.#planFor(inputs, variant, trace);
    const tensors = await this.model.runAsync(plan, inputs as readonly Tensor<Float32Array>[], {
      onProgress: onProgress && this.#progressOf(plan, onProgress),
      signal,
    });
    return this.#outputsOf<Output>(plan, tensors);
  }

  /** What tells `onProgress` how far a plan's first nodes are. */
  #progressOf(plan: Plan, onProgress: (progress: Progress) => void): (nodes: number) => void {
    const { parts } = this.#traced.get(plan)!;
    const macs = plan.program.nodes.map(macsOf);
    const sum = (nodes: number) => macs.slice(0, nodes).reduce((total, one) => total + one, 0);
    const total = sum(macs.length);
    return (nodes) => {
      const part = parts.find((part) => part.nodes >= nodes) ?? parts.at(-1);
      onProgress({ child: part?.child ?? '', done: sum(nodes), total });
    };
  }

  /** The plan for these tensors, its parameters having values. */
  #planFor(inputs: readonly Tensor[], variant: string, trace: (values: readonly Value[]) => unknown): Plan {
    for (const { dtype } of inputs) {
      if (dtype === 'float32') continue;
      const name = this.#root.constructor.name;
      // Bytes of a picture are on another scale: x.float() would run, and mean something else.
      const way = dtype === 'uint8' ? 'toTensor(image) gives a picture from 0 to 1' : 'convert it with x.float()';
      throw new DtypeError(`${name}: expected a float32 input, got ${dtype}; ${way}`);
    }
    for (const x of inputs) x.checkAttached();
    const shapes = inputs.map(({ shape }) => shape);
    let plan = this.#plan(shapes, variant, trace);
    const { strangers, dependencies } = this.#traced.get(plan)!;
    if (!areCurrent(strangers, dependencies)) {
      this.#generation++;
      plan = this.#plan(shapes, variant, trace);
    }
    if (!this.#checked.has(plan)) this.#checkValues(plan, shapes);
    return plan;
  }

  /** The children that ran, in the order in which they completed. What comes between two of them belongs to the later one. */
  #partsOf(graph: Graph, { nodes }: Program): Part[] {
    // A node may run earlier than it was traced.
    const until = (position: number) => nodes.reduce((last, node, i) => (node.position < position ? i + 1 : last), 0);
    return [...this.#root.namedChildren()]
      .map(([child, module]) => ({ child, position: graph.positionOf(module) }))
      .filter(({ position }) => position !== undefined)
      .sort((a, b) => a.position! - b.position!)
      .map(({ child, position }) => ({ child, nodes: until(position!) }));
  }

  #outputsOf<Output>(plan: Plan, tensors: readonly Tensor<Float32Array>[]): Materialized<Output> {
    const ofValue = new Map(plan.program.taps.map((tap, i) => [tap, tensors[i]!]));
    return materialize(this.#traced.get(plan)!.output as Output, (value) => ofValue.get(value)!);
  }

  /**
   * Makes room for the whole module's plans for inputs of these shapes, and returns what packs its weights.
   *
   * @throws {@link MemoryError} where they don't fit, before anything is allocated
   * @throws {@link ShapeError} for an empty batch, which no weight is packed for
   */
  packing(inputShapes: readonly Shape[]): Packing {
    const empty = inputShapes.find(([images]) => images === 0);
    if (empty) {
      throw new ShapeError(`loadStateDictAsync: expected inputShapes of at least one image, got ${formatShape(empty)}`);
    }
    this.#packedFor = inputShapes;
    const plans = inputShapes.map((shape) => this.#plan([shape], '', (values) => this.#root.call(...values)));
    const weights = new Set(plans.flatMap(({ constants }) => constants.flatMap(({ weight }) => weight ?? [])));
    const others = new Set(
      plans.flatMap(({ program }) => parametersOf(program)).filter((state) => !weights.has(state)),
    );
    const takeNote = () => {
      this.#dependencies = dependenciesOf([this.#root]);
    };
    const begin = () => {
      const holding = this.model.reserve(plans);
      takeNote();
      return holding;
    };
    return { weights, others, begin, end: takeNote };
  }

  #plan(shapes: readonly Shape[], variant: string, trace: (values: readonly Value[]) => unknown): Plan {
    for (const shape of shapes) {
      if ((shape.length !== 4 && shape.length !== 2) || shape.includes(0, 1)) {
        throw new ShapeError(
          `${this.#root.constructor.name}: expected an input of shape [N, C, H, W] or [N, C] in which no axis but N is empty, ` +
            `got ${formatShape(shape)}`,
        );
      }
    }
    let traced: { readonly output: unknown; readonly graph: Graph; readonly strangers: readonly Watchable[] } | null =
      null;
    const plan = this.model.plan(
      `${variant} ${shapes.join(' ')} ${this.#generation}`,
      () => {
        const graph = new Graph(shapes);
        const output = trace(graph.inputs);
        const program = graph.program(valuesOf(output));
        traced = { output, graph, strangers: this.#root.strangersIn(graph, parametersOf(program)) };
        return program;
      },
      {
        whole: variant === '' ? undefined : () => programOf(shapes, (values) => this.#root.call(...values)),
        resized: (others) => programOf(others, trace),
      },
    );
    if (traced !== null) {
      const { output, graph, strangers } = traced as {
        readonly output: unknown;
        readonly graph: Graph;
        readonly strangers: readonly Watchable[];
      };
      const parts = this.#partsOf(graph, plan.program);
      this.#traced.set(plan, { output, parts, strangers, dependencies: dependenciesOf(strangers) });
    }
    return plan;
  }

  /** @throws {@link StateDictError} naming the parameters that the plan reads and that have no values */
  #checkValues(plan: Plan, shapes: readonly Shape[]): void {
    const lost = new Set(this.model.lost(plan).map(({ weight }) => weight!));
    const packed = new Set(plan.constants.flatMap(({ weight }) => (weight && !lost.has(weight) ? weight : [])));
    const missing = new Set(parametersOf(plan.program).filter((state) => !state.hasValues && !packed.has(state)));
    for (const state of parametersOf(plan.program)) state.checkAttached();
    if (missing.size === 0) return void this.#checked.add(plan);
    const name = this.#root.constructor.name;
    if ([...missing].every((state) => lost.has(state) && this.model.holds(state))) {
      throw new StateDictError(
        `${name}: expected weights packed for an input of ${shapes.map(formatShape).join(' and ')}, got them packed for ` +
          `${this.#packedFor.map(formatShape).join(' and ')}; call loadStateDictAsync with both among inputShapes, or without ` +
          'inputShapes to keep the values',
      );
    }
    const named = [...this.#root.namedParameters()].filter(([, state]) => missing.has(state));
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

/** Everything that these modules' traces depend on. */
function dependenciesOf(modules: readonly Watchable[]): readonly unknown[] {
  const dependencies: unknown[] = [];
  for (const module of modules) module.everyDependency((one) => dependencies.push(one) > 0);
  return dependencies;
}

/** True where {@link dependenciesOf} would give the same. */
function areCurrent(modules: readonly Watchable[], dependencies: readonly unknown[]): boolean {
  let i = 0;
  for (const module of modules) if (!module.everyDependency((one) => Object.is(one, dependencies[i++]))) return false;
  return i === dependencies.length;
}

/** The program that a trace records for inputs of these shapes. */
function programOf(shapes: readonly Shape[], trace: (values: readonly Value[]) => unknown): Program {
  const graph = new Graph(shapes);
  return graph.program(valuesOf(trace(graph.inputs)));
}

/** The error that says which parameters of a module have no values; the first eight by name. */
export function missingValues(module: string, which: string, missing: readonly NamedState[]): StateDictError {
  const names = missing.slice(0, 8).map(([path]) => `"${path}"`);
  const listed = names.join(', ') + (missing.length > 8 ? ` and ${missing.length - 8} more` : '');
  const wayOut = missing.some(([, state]) => state.isReleased)
    ? 'loadStateDictAsync keeps none where it is given inputShapes: load again, without them to keep the values'
    : 'call loadStateDict first';
  return new StateDictError(`${module}: expected values for ${which}, got none for ${listed}; ${wayOut}`);
}
