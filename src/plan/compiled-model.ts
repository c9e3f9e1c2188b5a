/**
 * A compiled model: one WASM instance whose memory holds packed weights and, above them, the block of the plan that ran last.
 *
 *     memory  ┌ packed constants, once for all plans ┬ block of the bound plan: zeros, tables, arena ┐
 *
 * Only one plan is bound at a time (one run ends before the next begins), so memory is what the most demanding plan needs, however many input
 * shapes come by; binding again costs about a hundredth of a run. When the model is dropped, the garbage collector takes it all.
 */

import { MemoryError, ThreadError } from '../errors.ts';
import type { Program } from '../graph/graph.ts';
import type { Constant, Engine } from '../ops/op.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Binary, chooseBinary, type Instance, instantiate, MAX_PAGES, PAGE_BYTES } from '../wasm/instantiate.ts';
import { aligned } from './arena.ts';
import { nextTurn } from './next-turn.ts';
import { Plan } from './plan.ts';
import type { Pool } from './pool.ts';

/** What can be chosen when a model is compiled. */
export interface CompileOptions {
  /**
   * True for the same bits on every engine: the plain SIMD binary, which rounds each product; nothing that is chosen depends on the
   * engine; every NaN is 0x7fc00000. False unless given.
   */
  readonly deterministic?: boolean;
  /** Threads for asynchronous calls: a ThreadPool of `layertap/threads`. None unless given. */
  readonly pool?: Pool | undefined;
}

/** Addresses below are left free, so that 0 stands for none. */
const FIRST_ADDRESS = 64;

/** Plans that are kept, the least recently used being dropped first; they hold no WASM memory of their own. */
const MAX_PLANS = 16;

/** An asynchronous run: how many nodes are computed, and what came out once all are. */
interface PartialRun {
  readonly plan: Plan;
  nodes: number;
  outputs: Tensor<Float32Array>[] | null;
  isOnThreads: boolean;
}

/** One WASM instance with a model's packed weights, and its plans. */
export class CompiledModel {
  readonly engine: Engine;
  readonly #instance: Instance;
  readonly #pool: Pool | null;
  readonly #plans = new Map<string, Plan>();
  readonly #addresses = new Map<object, Map<string, number>>();
  #constantsEnd = FIRST_ADDRESS;
  #bound: Plan | null = null;
  /** Ends when all asynchronous runs so far have. */
  #queue: Promise<void> = Promise.resolve();
  #underWay: PartialRun | null = null;

  /** @param threads into how many parts each step is cut; no result depends on it */
  constructor(
    { deterministic = false, pool }: CompileOptions = {},
    instance = (pool?.instantiate ?? instantiate).call(pool, chooseBinary(deterministic)),
    threads = pool?.threads ?? 1,
  ) {
    this.#pool = pool ?? null;
    this.#instance = instance;
    const tileRows = deterministic ? DETERMINISTIC_TILE_ROWS : tileRowsOf(instance.binary);
    this.engine = { tileRows, threads, deterministic };
  }

  /** The binary that runs. */
  get binary(): Binary {
    return this.#instance.binary;
  }

  /** Bytes of the instance's memory: packed weights and the largest plan's block. It never shrinks. */
  get memoryBytes(): number {
    return this.#instance.kernels.memory.buffer.byteLength;
  }

  /** Bytes of packed weights. */
  get constantBytes(): number {
    return this.#constantsEnd - FIRST_ADDRESS;
  }

  /** The plan kept under `key`, or the one made of `trace`'s program. */
  plan(key: string, trace: () => Program): Plan {
    const plan = this.#plans.get(key) ?? new Plan(trace(), this.engine);
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    if (this.#plans.size > MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
    return plan;
  }

  /**
   * Runs a plan of this model: binds it first where another one ran last. An asynchronous run that is under way is finished before.
   *
   * @throws {@link MemoryError} where the plan needs more memory than the host gives
   * @throws {@link ThreadError} where threads are in the midst of an asynchronous run, one of them being late
   */
  run(plan: Plan, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
    const { kernels } = this.#instance;
    const other = this.#underWay;
    if (other?.isOnThreads) {
      throw new ThreadError(
        'layertap: expected no threads to be running, got a synchronous call in the midst of an asynchronous one; await that, or use the ' +
          'asynchronous form',
      );
    }
    if (other && !other.outputs) {
      other.plan.compute(other.nodes);
      other.outputs = other.plan.read(kernels);
    }
    this.#bind(plan);
    plan.write(kernels, inputs);
    plan.compute();
    return plan.read(kernels);
  }

  /**
   * Runs a plan in parts, with a turn of the event loop between them; after all runs that were asked for before.
   *
   * @param parts for each part, how many nodes are computed at its end; the last has all
   * @param onPart called after each part
   * @throws the signal's reason, once it is aborted, before the next part
   */
  runAsync(
    plan: Plan,
    inputs: readonly Tensor<Float32Array>[],
    parts: readonly number[],
    { onPart, signal }: { readonly onPart: (part: number) => void; readonly signal?: AbortSignal | undefined },
  ): Promise<Tensor<Float32Array>[]> {
    const outputs = this.#queue.then(async () => {
      if (signal?.aborted) throw signal.reason;
      this.#bind(plan);
      plan.write(this.#instance.kernels, inputs);
      const run: PartialRun = { plan, nodes: 0, outputs: null, isOnThreads: false };
      this.#underWay = run;
      try {
        for (const [part, nodes] of parts.entries()) {
          if (run.nodes < nodes && !run.outputs) {
            if (run.nodes > 0) {
              await nextTurn();
              if (signal?.aborted) throw signal.reason;
            }
            if (this.#pool) await this.#pool.ready();
            // In that turn a synchronous run may have finished this one.
            if (!run.outputs) await this.#compute(run, nodes);
            run.nodes = nodes;
          }
          onPart(part);
        }
        return run.outputs ?? plan.read(this.#instance.kernels);
      } finally {
        this.#underWay = null;
      }
    });
    const end = () => {};
    this.#queue = outputs.then(end, end);
    return outputs;
  }

  /** Computes a run's next nodes, on all threads there are. */
  async #compute(run: PartialRun, last: number): Promise<void> {
    const { plan, nodes } = run;
    if (!this.#pool) return plan.compute(nodes, last);
    run.isOnThreads = true;
    try {
      await this.#pool.run(this.#instance, plan.phases, plan.phasesUntil(nodes), plan.phasesUntil(last));
    } finally {
      run.isOnThreads = false;
    }
  }

  #bind(plan: Plan): void {
    if (this.#bound === plan) return;
    const { kernels } = this.#instance;
    this.#bound = null;
    this.#reserve(plan);
    for (const constant of plan.constants) this.#pack(constant);
    const constant = (wanted: Constant) => this.#addresses.get(wanted.owner)!.get(wanted.form)!;
    plan.bind({ kernels, base: this.#constantsEnd, constant }, this.engine);
    this.#bound = plan;
  }

  /**
   * Grows the memory once, for all that the plan will need. Rather than growing it for constants that only other plans need (another
   * input shape may take other algorithms, whose weights are packed otherwise), it drops those: so memory never exceeds what
   * the most demanding plan needs by itself.
   */
  #reserve(plan: Plan): void {
    const needed = new Map<object, Set<string>>();
    let all = 0;
    let missing = 0;
    for (const { owner, form, bytes } of plan.constants) {
      const forms = needed.get(owner) ?? new Set();
      if (forms.has(form)) continue;
      needed.set(owner, forms.add(form));
      all += aligned(bytes);
      if (!this.#addresses.get(owner)?.has(form)) missing += aligned(bytes);
    }
    const end = this.#constantsEnd + missing + plan.blockBytes;
    const isOthers = this.constantBytes + missing > all;
    if (isOthers && end > this.memoryBytes) {
      this.#addresses.clear();
      this.#constantsEnd = FIRST_ADDRESS;
    }
    this.#grow(isOthers ? Math.min(end, FIRST_ADDRESS + all + plan.blockBytes) : end);
  }

  #pack(constant: Constant): void {
    const { owner, form, bytes, scratchBytes = 0 } = constant;
    let forms = this.#addresses.get(owner);
    if (!forms) {
      forms = new Map();
      this.#addresses.set(owner, forms);
    }
    if (forms.has(form)) return;
    const { kernels } = this.#instance;
    const address = this.#constantsEnd;
    const scratch = address + aligned(bytes);
    this.#grow(scratch + scratchBytes);
    constant.write({ kernels, address, scratch, valuesOf: (weight) => weight.tensor });
    this.#constantsEnd = scratch;
    forms.set(form, address);
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
          `(${(cause as Error).message}); use a smaller input or fewer layers`,
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
