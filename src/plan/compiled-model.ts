/**
 * A compiled model: one WASM instance whose memory holds packed weights and, above them, the room of the plan that ran
 * last.
 *
 * Only one plan is bound at a time, because one run ends before the next begins. So the memory is what the most
 * demanding plan needs, however many input shapes come by. Binding again costs about a hundredth of a run. When the
 * model is dropped, the garbage collector takes it all.
 */

import type { Program } from '../graph/graph.ts';
import type { Engine } from '../ops/lowering/algorithm.ts';
import type { Constant } from '../ops/lowering/constant.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Binary } from '../wasm/binary.ts';
import { tileRowsOf } from '../wasm/engine.ts';
import { chooseBinary, type Instance, instantiate } from '../wasm/instantiate.ts';
import { leastSizes, priceWithin, type Sizes } from './budget.ts';
import { type CheckedOptions, type CompileOptions, checkedOptions } from './compile-options.ts';
import type { Compiled } from './compiled.ts';
import { BYTE_PRICE } from './cost.ts';
import { overBudget } from './over-budget.ts';
import { Plan, type StepReport } from './plan.ts';
import { type RunOptions, Runs, type ValuesOf } from './runs.ts';
import { type Holding, WeightMemory } from './weight-memory.ts';

/** Programs that belong to the one that a plan is made of. */
export interface RelatedPrograms {
  /** The whole module's: it decides about algorithms, so that taps don't. The plan's own unless given. */
  readonly whole?: Program;
  /** The plan's for inputs of other shapes, to find one that fits; throws a ShapeError where they are too small. */
  readonly resized?: (shapes: readonly Shape[]) => Program;
}

/** What a compiled model is made with beside its options. */
export interface Setup {
  /** The WASM instance that the model owns: a new one of the binary that the options choose, unless given. */
  readonly instance?: Instance;
  /** Into how many parts each step is cut, which no result depends on: the pool's threads, unless given. */
  readonly threads?: number;
  /** A weight's name, for errors: its shape, unless given. */
  readonly nameOf?: (weight: Parameter) => string;
}

/** One WASM instance with a model's packed weights. */
export class CompiledModel implements Compiled {
  readonly engine: Engine;
  readonly #options: CheckedOptions;
  readonly #instance: Instance;
  readonly weights: WeightMemory;
  readonly #runs: Runs;
  #bound: Plan | null = null;

  constructor(options: CompileOptions = {}, setup: Setup = {}) {
    this.#options = checkedOptions(options);
    const { deterministic, pool } = this.#options;
    const {
      instance = (pool?.instantiate ?? instantiate).call(pool, chooseBinary(deterministic)),
      threads = pool?.threads ?? 1,
      nameOf = ({ shape }) => `a weight of shape ${formatShape(shape)}`,
    } = setup;
    this.#instance = instance;
    this.weights = new WeightMemory(instance.kernels, nameOf);
    this.#runs = new Runs({
      instance,
      pool: pool ?? null,
      bind: (plan, valuesOf) => this.#bind(plan, valuesOf),
    });
    this.engine = { tileRows: tileRowsOf(instance.binary, deterministic), threads, deterministic };
  }

  get binary(): Binary {
    return this.#instance.binary;
  }

  get memoryBytes(): number {
    return this.weights.memoryBytes;
  }

  get constantBytes(): number {
    return this.weights.constantBytes;
  }

  get steps(): readonly StepReport[] {
    return this.#bound?.steps ?? [];
  }

  /** True where a budget was given: what a plan may take then depends on the whole module's program. */
  get isBudgeted(): boolean {
    return this.#options.isBudgeted;
  }

  /**
   * A plan of a program.
   *
   * @throws {@link MemoryError} where it can't fit the budget, saying what would
   */
  plan(program: Program, { whole = program, resized }: RelatedPrograms = {}): Plan {
    const { memoryBudgetBytes, weightStorage, isBudgeted } = this.#options;
    const checkFits = (sizes: Sizes) => {
      if (sizes.memoryBytes <= memoryBudgetBytes) return;
      throw overBudget(sizes, { program, options: this.#options, engine: this.engine, resized });
    };
    checkFits(leastSizes(program, weightStorage));
    const usual = weightStorage === 'f16' ? Infinity : BYTE_PRICE;
    const bytePrice = isBudgeted ? priceWithin(memoryBudgetBytes, whole, weightStorage) : usual;
    const plan = new Plan(program, this.engine, { weightStorage, bytePrice });
    checkFits(plan);
    return plan;
  }

  /**
   * Runs a plan of this model: binds it first where another one ran last. An asynchronous run that is under way is
   * finished before.
   *
   * @throws {@link MemoryError} where the host doesn't give the memory that the plan needs
   * @throws {@link ThreadError} while threads compute a stretch of an asynchronous run
   */
  run(plan: Plan, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
    return this.#runs.run(plan, inputs);
  }

  /**
   * Runs a plan in stretches worth some milliseconds ({@link Plan.stopAfter}), with a turn of the event loop between
   * them. It runs after all runs that were asked for before, with the values that parameters have now.
   *
   * @throws the signal's reason, once it is aborted
   */
  runAsync(plan: Plan, inputs: readonly Tensor<Float32Array>[], options?: RunOptions): Promise<Tensor<Float32Array>[]> {
    return this.#runs.runAsync(plan, inputs, options);
  }

  #bind(plan: Plan, valuesOf: ValuesOf): void {
    if (this.#bound === plan) return;
    // Packing may write over the bound plan's block. If it fails, no plan is bound.
    this.#bound = null;
    this.weights.provide(plan, valuesOf);
    const addressOf = (constant: Constant) => this.weights.addressOf(constant)!;
    plan.bind({ kernels: this.#instance.kernels, base: this.weights.end, addressOf });
    this.#bound = plan;
  }

  /**
   * Makes room for plans together, whose weights are about to come, before any run.
   *
   * @throws {@link MemoryError} where that takes more than the budget, or than the host gives
   */
  reserve(plans: readonly Plan[]): Holding {
    return this.weights.reserve(plans, this.#options.memoryBudgetBytes);
  }
}
