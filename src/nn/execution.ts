/** Where a module meets its plans: traces it for an input shape, and runs what was compiled. */

import { DtypeError, ShapeError, StateDictError } from '../errors.ts';
import { Graph, parametersOf, type Value } from '../graph/graph.ts';
import { CompiledModel, type CompileOptions } from '../plan/compiled-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Materialized, materialize, valuesOf } from './output.ts';

/** What an execution asks of the module that it runs. */
export interface Root {
  namedParameters(): Iterable<readonly [path: string, parameter: Parameter]>;
  /** Everything that a compiled module depends on: another list means compiling anew. */
  structure(): readonly unknown[];
}

/** A module compiled for tensors, as long as its structure stays what it was. */
export class Execution<Out> {
  readonly model: CompiledModel;
  readonly #root: Root;
  readonly #structure: readonly unknown[];
  readonly #outputs = new WeakMap<Plan, unknown>();
  readonly #checked = new WeakSet<Plan>();

  constructor(root: Root, options: CompileOptions) {
    this.model = new CompiledModel(options);
    this.#root = root;
    this.#structure = root.structure();
  }

  /** True as long as the module is what was compiled. */
  get isCurrent(): boolean {
    const structure = this.#root.structure();
    return structure.length === this.#structure.length && structure.every((part, i) => part === this.#structure[i]);
  }

  /**
   * The outputs of `trace` for these tensors.
   *
   * @param variant tells apart what is traced for the same shapes
   */
  run<Traced = Out>(
    inputs: readonly Tensor[],
    variant: string,
    trace: (values: readonly Value[]) => Traced,
  ): Materialized<Traced> {
    const name = this.#root.constructor.name;
    for (const { dtype, shape } of inputs) {
      if (dtype !== 'float32')
        throw new DtypeError(`${name}: expected a float32 input, got ${dtype}; convert it with x.float()`);
      if ((shape.length !== 4 && shape.length !== 2) || shape.includes(0)) {
        throw new ShapeError(
          `${name}: expected an input of shape [N, C, H, W] or [N, C] without empty axes, got ${formatShape(shape)}`,
        );
      }
    }
    const shapes = inputs.map(({ shape }) => shape);
    let traced: unknown;
    const plan = this.model.plan(`${variant} ${shapes.join(' ')}`, () => {
      const graph = new Graph(shapes);
      traced = trace(graph.inputs);
      return graph.program(valuesOf(traced));
    });
    if (traced !== undefined) this.#outputs.set(plan, traced);
    if (!this.#checked.has(plan)) this.#checkValues(plan);
    const tensors = this.model.run(plan, inputs as readonly Tensor<Float32Array>[]);
    const ofValue = new Map(plan.program.taps.map((tap, i) => [tap, tensors[i]!]));
    return materialize(this.#outputs.get(plan) as Traced, (value) => ofValue.get(value)!);
  }

  /** @throws {@link StateDictError} naming the parameters that the plan reads and that have no values */
  #checkValues(plan: Plan): void {
    const missing = new Set(parametersOf(plan.program).filter((parameter) => !parameter.hasValues));
    if (missing.size === 0) return void this.#checked.add(plan);
    const paths = [...this.#root.namedParameters()]
      .filter(([, parameter]) => missing.has(parameter))
      .map(([path]) => path);
    throw missingValues(this.#root.constructor.name, 'all parameters that run', paths);
  }
}

/** The error that says which parameters of a module have no values; the first eight by name. */
export function missingValues(module: string, which: string, paths: readonly string[]): StateDictError {
  const names = paths.slice(0, 8).map((path) => `"${path}"`);
  const listed = names.join(', ') + (paths.length > 8 ? ` and ${paths.length - 8} more` : '');
  return new StateDictError(
    `${module}: expected values for ${which}, got none for ${listed}; call loadStateDict first`,
  );
}
