/**
 * A compiled model: one WASM instance whose memory holds packed weights and, above them, the block of the plan that ran last.
 *
 *     memory  ┌ packed constants, once for all plans ┬ block of the bound plan: zeros, tables, arena ┐
 *
 * Only one plan is bound at a time (one run ends before the next begins), so memory is what the most demanding plan needs, however many input
 * shapes come by; binding again costs about a hundredth of a run. When the model is dropped, the garbage collector takes it all.
 */

import { MemoryError, ValueError } from '../errors.ts';
import type { Program } from '../graph/graph.ts';
import type { Constant, Engine, WeightStorage } from '../ops/op.ts';
import { withDefaults } from '../options.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Binary, chooseBinary, type Instance, instantiate, MAX_PAGES, PAGE_BYTES } from '../wasm/instantiate.ts';
import { aligned } from './arena.ts';
import { leastSizes, priceWithin, type Sizes, smallerInput, smallestSizes, totalOf } from './budget.ts';
import type { Compiled } from './compiled.ts';
import { BYTE_PRICE } from './cost.ts';
import { distinct, FIRST_ADDRESS, Plan, type StepReport } from './plan.ts';
import type { Pool } from './pool.ts';
import { type RunOptions, Runs, type ValuesOf } from './runs.ts';

/** What can be chosen when a model is compiled. */
export interface CompileOptions {
  /**
   * True for the same bits on every engine: the plain SIMD binary, which rounds each product; nothing that is chosen depends on the
   * engine; every NaN is 0x7fc00000. False unless given.
   */
  readonly deterministic?: boolean;
  /** Threads for asynchronous calls: a ThreadPool of `layertap/threads`. None unless given. */
  readonly pool?: Pool | undefined;
  /**
   * The most bytes of WebAssembly memory that a plan may take, weights and activations together; 4 GiB unless given. Within it, memory
   * is spent where it saves most time; a plan that can't fit throws a MemoryError before anything is allocated.
   */
  readonly memoryBudgetBytes?: number;
  /**
   * How packed weights of convolutions and linear layers lie in memory: as `f32`, unless given, or as `f16`, which halves them. Sums
   * stay in float32. Weights from an f16 file are exact; others are rounded to nearest even, and a ValueError names the weight that has
   * values of 65,520 or more, which f16 has no room for. Depthwise weights stay f32, and so do
   * Winograd's, which are used only where memoryBudgetBytes is given and leaves room for them.
   */
  readonly weightStorage?: WeightStorage;
}

interface CheckedOptions extends Required<CompileOptions> {
  /** True where a budget was given. */
  readonly isBudgeted: boolean;
}

/** @throws {@link ValueError} for options that aren't known, or out of range */
export function checkedOptions(options: CompileOptions): CheckedOptions {
  const checked = withDefaults('compile', options, {
    deterministic: false,
    pool: undefined,
    memoryBudgetBytes: MAX_BYTES,
    weightStorage: 'f32' as const,
  });
  const { memoryBudgetBytes, weightStorage } = checked;
  if (!Number.isSafeInteger(memoryBudgetBytes) || memoryBudgetBytes <= 0 || memoryBudgetBytes > MAX_BYTES) {
    throw new ValueError(
      `compile: expected memoryBudgetBytes as a whole number from 1 to ${MAX_BYTES}, got ${memoryBudgetBytes}`,
    );
  }
  if (weightStorage !== 'f32' && weightStorage !== 'f16') {
    throw new ValueError(`compile: expected weightStorage as 'f32' or 'f16', got ${JSON.stringify(weightStorage)}`);
  }
  return { ...checked, isBudgeted: options.memoryBudgetBytes !== undefined };
}

/** A WebAssembly memory's limit. */
const MAX_BYTES = MAX_PAGES * PAGE_BYTES;

/** What a plan's program is, beside itself. */
export interface ProgramContext {
  /** The whole module's program: what decides about algorithms, so that taps don't. The plan's own unless given. */
  readonly whole?: (() => Program) | undefined;
  /** The plan's program for inputs of other shapes, to find one that fits; throws a ShapeError where they are too small. */
  readonly resized?: (shapes: readonly Shape[]) => Program;
}

/** Plans that are kept, the least recently used being dropped first; they hold no WASM memory of their own. */
const MAX_PLANS = 16;

/** Takes weights as they arrive, and keeps them packed as long as the model lives: their values may go. */
export interface Holding {
  /** Where a weight's values may lie until it is held: room that runs will use, where that is large enough. */
  memory(weight: Parameter, byteLength: number): Uint8Array;
  /** Writes a weight as the plans need it. */
  hold(weight: Parameter, values: Tensor): void;
}

/** Where constants of each owner lie, by their forms. */
type Addresses = Map<object, Map<string, number>>;

/** One WASM instance with a model's packed weights, and its plans. */
export class CompiledModel implements Compiled {
  readonly engine: Engine;
  readonly #options: CheckedOptions;
  readonly #instance: Instance;
  readonly #nameOf: (weight: Parameter) => string;
  readonly #plans = new Map<string, Plan>();
  /** Constants whose weights' values are gone: they stay as long as the model does. */
  readonly #held: Addresses = new Map();
  #heldEnd = FIRST_ADDRESS;
  /** All others, above those. */
  readonly #packed: Addresses = new Map();
  #constantsEnd = FIRST_ADDRESS;
  #bound: Plan | null = null;
  readonly #runs: Runs;

  /**
   * @param givenThreads into how many parts each step is cut; no result depends on it
   * @param nameOf a weight's name, for errors
   */
  constructor(
    options: CompileOptions = {},
    given?: Instance,
    givenThreads?: number,
    nameOf = ({ shape }: Parameter) => `a weight of shape ${formatShape(shape)}`,
  ) {
    this.#nameOf = nameOf;
    this.#options = checkedOptions(options);
    const { deterministic, pool } = this.#options;
    const instance = given ?? (pool?.instantiate ?? instantiate).call(pool, chooseBinary(deterministic));
    const threads = givenThreads ?? pool?.threads ?? 1;
    this.#instance = instance;
    this.#runs = new Runs({
      instance,
      pool: pool ?? null,
      bind: (plan, valuesOf) => this.#bind(plan, valuesOf),
    });
    const tileRows = deterministic ? DETERMINISTIC_TILE_ROWS : tileRowsOf(instance.binary);
    this.engine = { tileRows, threads, deterministic };
  }

  get binary(): Binary {
    return this.#instance.binary;
  }

  get memoryBytes(): number {
    return this.#instance.kernels.memory.buffer.byteLength;
  }

  get constantBytes(): number {
    return this.#constantsEnd - FIRST_ADDRESS;
  }

  get steps(): readonly StepReport[] {
    return this.#bound?.steps ?? [];
  }

  /**
   * The plan kept under `key`, or the one made of `trace`'s program.
   *
   * @throws {@link MemoryError} where it can't fit the budget, saying what would
   */
  plan(key: string, trace: () => Program, { whole = trace, resized }: ProgramContext = {}): Plan {
    let plan = this.#plans.get(key);
    if (!plan) {
      const { memoryBudgetBytes, weightStorage, isBudgeted } = this.#options;
      const program = trace();
      const least = leastSizes(program, weightStorage);
      if (least.memoryBytes > memoryBudgetBytes) throw this.#overBudget(least, program, resized);
      const usual = weightStorage === 'f16' ? Infinity : BYTE_PRICE;
      const bytePrice = isBudgeted
        ? priceWithin(memoryBudgetBytes, whole === trace ? program : whole(), weightStorage)
        : usual;
      plan = new Plan(program, this.engine, { weightStorage, bytePrice });
      if (plan.memoryBytes > memoryBudgetBytes) throw this.#overBudget(plan, program, resized);
    }
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    if (this.#plans.size > MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
    return plan;
  }

  /** What a plan over the budget needs, and what would fit: each way out is tried, not guessed. */
  #overBudget(got: Sizes, program: Program, resized: ProgramContext['resized']): MemoryError {
    const { memoryBudgetBytes, weightStorage, isBudgeted } = this.#options;
    const sizesOf = (of: Program, storage: WeightStorage) => smallestSizes(of, this.engine, storage, memoryBudgetBytes);
    const shapes = program.inputs.map(({ shape }) => shape);
    const fitting: string[] = [];
    const tried: string[] = [];
    const weigh = (what: string, sizes: Sizes) =>
      (sizes.memoryBytes <= memoryBudgetBytes ? fitting : tried).push(`${what} (${totalOf(sizes)} bytes)`);
    if (weightStorage === 'f32') {
      if (!isBudgeted && !got.isLeast) {
        weigh(`memoryBudgetBytes: ${MAX_BYTES} for smaller algorithms`, sizesOf(program, 'f32'));
      }
      weigh("weightStorage: 'f16'", sizesOf(program, 'f16'));
    }
    if (resized) {
      const smaller = smallerInput(
        shapes,
        (candidate) => leastSizes(resized(candidate), weightStorage).memoryBytes,
        (candidate) => sizesOf(resized(candidate), weightStorage),
        memoryBudgetBytes,
      );
      if (smaller) weigh(`an input of ${smaller.shapes.map(formatShape).join(' and ')}`, smaller.sizes);
    }
    const out =
      fitting.length > 0
        ? `; what fits: ${fitting.join(', or ')}`
        : tried.length > 0
          ? `; nor fit ${tried.join(', or ')}`
          : '';
    return new MemoryError(
      `layertap: expected a plan within ${memoryBudgetBytes} bytes of WebAssembly memory, got ${totalOf(got)} for an input of ` +
        `${shapes.map(formatShape).join(' and ')} (${got.constantBytes} of weights, ${got.roomBytes} of activations)${out}`,
    );
  }

  /**
   * Runs a plan of this model: binds it first where another one ran last. An asynchronous run that is under way is finished before.
   *
   * @throws {@link MemoryError} where the host doesn't give the memory that the plan needs
   * @throws {@link ThreadError} where threads are in the midst of an asynchronous run, one of them being late
   */
  run(plan: Plan, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
    return this.#runs.run(plan, inputs);
  }

  /**
   * Runs a plan in stretches worth some milliseconds ({@link Plan.stopAfter}), with a turn of the event loop between them; after all runs that
   * were asked for before, with the values that parameters have now.
   *
   * @throws the signal's reason, once it is aborted
   */
  runAsync(plan: Plan, inputs: readonly Tensor<Float32Array>[], options?: RunOptions): Promise<Tensor<Float32Array>[]> {
    return this.#runs.runAsync(plan, inputs, options);
  }

  #bind(plan: Plan, valuesOf: ValuesOf): void {
    if (this.#bound === plan) return;
    const { kernels } = this.#instance;
    this.#bound = null;
    this.#reserve(plan);
    for (const constant of plan.constants) {
      if (this.#addressOf(constant) === undefined) this.#pack(this.#packed, constant, valuesOf);
    }
    const constant = (wanted: Constant) => this.#addressOf(wanted)!;
    plan.bind({ kernels, base: this.#constantsEnd, constant }, this.engine);
    this.#bound = plan;
  }

  /** The constants of a plan that can't be written any more, since their weights' values are gone and they were packed otherwise. */
  lost(plan: Plan): readonly Constant[] {
    return plan.constants.filter(({ weight, owner, form }) => {
      return weight && !weight.hasValues && !this.#held.get(owner)?.has(form);
    });
  }

  /** True where a weight was packed as it arrived. */
  holds(weight: Parameter): boolean {
    return this.#held.has(weight);
  }

  /**
   * Makes room for plans together, whose weights are about to come, before any run.
   *
   * @throws {@link MemoryError} where that takes more than the budget, or than the host gives
   */
  reserve(plans: readonly Plan[]): Holding {
    const all = distinct(plans.flatMap(({ constants }) => constants));
    const bytes = (of: readonly Constant[]) => of.reduce((sum, constant) => sum + aligned(constant.bytes), 0);
    const held = bytes(all.filter(({ weight }) => weight));
    const room = plans.reduce((most, { constants, roomBytes }) => {
      return Math.max(most, bytes(distinct(constants).filter(({ weight }) => !weight)) + roomBytes);
    }, 0);
    const needed = Math.ceil((FIRST_ADDRESS + held + room) / PAGE_BYTES) * PAGE_BYTES;
    const { memoryBudgetBytes } = this.#options;
    if (needed > memoryBudgetBytes) {
      throw new MemoryError(
        `layertap: expected plans within ${memoryBudgetBytes} bytes of WebAssembly memory, got ${needed} for ${plans.length} input ` +
          `shapes together, whose weights are packed in several ways; load for fewer of them`,
      );
    }
    this.#grow(needed);
    const ofWeight = new Map<Parameter, Constant[]>();
    for (const constant of all) {
      if (constant.weight) ofWeight.set(constant.weight, [...(ofWeight.get(constant.weight) ?? []), constant]);
    }
    let spare = new Uint8Array(0);
    return {
      memory: (weight, byteLength) => {
        const own = ofWeight.get(weight) ?? [];
        const scratch = own.reduce((at, constant) => at + aligned(constant.bytes), this.#constantsEnd);
        const address = scratch + aligned(own.reduce((most, { scratchBytes = 0 }) => Math.max(most, scratchBytes), 0));
        if (address + byteLength <= this.memoryBytes) {
          return new Uint8Array(this.#instance.kernels.memory.buffer, address, byteLength);
        }
        if (spare.length < byteLength) spare = new Uint8Array(byteLength);
        return spare.subarray(0, byteLength);
      },
      hold: (weight, values) => {
        for (const constant of ofWeight.get(weight) ?? []) this.#pack(this.#held, constant, () => values);
        this.#heldEnd = this.#constantsEnd;
      },
    };
  }

  /**
   * Grows the memory once, for all that the plan will need. Rather than growing it for constants that only other plans need (another
   * input shape may take other algorithms, whose weights are packed otherwise), it drops those: so memory never exceeds what
   * the most demanding plan needs by itself. What is held is never dropped.
   */
  #reserve(plan: Plan): void {
    let all = 0;
    let missing = 0;
    for (const constant of distinct(plan.constants)) {
      const bytes = aligned(constant.bytes);
      if (this.#held.get(constant.owner)?.has(constant.form)) continue;
      all += bytes;
      if (this.#addressOf(constant) === undefined) missing += bytes;
    }
    const end = this.#constantsEnd + missing + plan.roomBytes;
    const isOthers = this.#constantsEnd - this.#heldEnd + missing > all;
    if (isOthers && end > this.memoryBytes) {
      this.#packed.clear();
      this.#constantsEnd = this.#heldEnd;
    }
    this.#grow(isOthers ? Math.min(end, this.#heldEnd + all + plan.roomBytes) : end);
  }

  #addressOf({ owner, form }: Constant): number | undefined {
    return this.#held.get(owner)?.get(form) ?? this.#packed.get(owner)?.get(form);
  }

  #pack(into: Addresses, constant: Constant, valuesOf: ValuesOf): void {
    const { owner, form, bytes, scratchBytes = 0 } = constant;
    const { kernels } = this.#instance;
    const address = this.#constantsEnd;
    const scratch = address + aligned(bytes);
    this.#grow(scratch + scratchBytes);
    constant.write({ kernels, address, scratch, valuesOf, nameOf: this.#nameOf });
    this.#constantsEnd = scratch;
    into.set(owner, (into.get(owner) ?? new Map<string, number>()).set(form, address));
  }

  #grow(bytes: number): void {
    const { memory } = this.#instance.kernels;
    const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
    if (pages <= 0) return;
    try {
      if (bytes > MAX_PAGES * PAGE_BYTES) throw new RangeError('a WebAssembly memory holds 4 GiB');
      memory.grow(pages);
    } catch (cause) {
      throw new MemoryError(
        `layertap: expected ${bytes} bytes of WebAssembly memory for weights and activations, got ${memory.buffer.byteLength} ` +
          `(${(cause as Error).message}); use weightStorage: 'f16', a smaller input or fewer layers`,
        { cause },
      );
    }
  }
}

/** Rows of a convolution's tile that every engine keeps in registers: the choice of algorithms looks at it. */
const DETERMINISTIC_TILE_ROWS = 4;

/**
 * Rows of a convolution's tile. V8 before 13 spills registers in tiles of more than four rows; whether an engine is as new
 * is told by Float16Array, which came at the same time. Results don't depend on it.
 */
function tileRowsOf(binary: Binary): number {
  if (!('Float16Array' in globalThis)) return 4;
  return binary === 'relaxed' ? 6 : 5;
}
