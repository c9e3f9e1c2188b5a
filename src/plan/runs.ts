/**
 * The runs of one compiled model. Its memory holds the values of one run at a time: asynchronous runs queue, and a
 * synchronous one finishes the one under way first. What is computed is noted in the very job that computes it, so that
 * whoever comes in between finds it.
 */

import { ThreadError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import type { Parameter } from '../tensor/parameter.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Instance } from '../wasm/instantiate.ts';
import type { Plan } from './plan.ts';
import type { Pool } from './pool.ts';

/** A parameter's values. */
export type ValuesOf = (state: Parameter) => Tensor;

/** What runs need of a compiled model. */
export interface Machine {
  readonly instance: Instance;
  readonly pool: Pool | null;
  /** Makes a plan the one that owns the memory; weights that it has to pack for that are read by `valuesOf`. */
  bind(plan: Plan, valuesOf: ValuesOf): void;
}

/** How an asynchronous run tells what it does, and is told to stop. */
export interface RunOptions {
  /** Called whenever a stretch has ended, with how many nodes are computed: last with all. */
  readonly onProgress?: ((nodes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The least work between two turns of the event loop; see {@link Plan.stopAfter}. */
  readonly stretchMs?: number | undefined;
}

/** How a run ended. */
type Outcome = Success | { readonly error: unknown };

interface Success {
  readonly outputs: Tensor<Float32Array>[];
}

/** A run whose values are in the memory. */
interface Run {
  readonly plan: Plan;
  readonly signal: AbortSignal | undefined;
  readonly stretchMs: number | undefined;
  /** How many of the plan's nodes are computed. */
  nodes: number;
  /** True while a stretch is computed: nobody else may touch the memory then. */
  isComputing: boolean;
  /** How the run ended. Once there is an outcome, the memory isn't this run's any more. */
  outcome: Outcome | null;
}

/** The runs of one compiled model, one at a time. */
export class Runs {
  readonly #machine: Machine;
  /** Resolves when all asynchronous runs that were asked for have ended. */
  #queue: Promise<void> = Promise.resolve();
  #underWay: Run | null = null;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * Runs a plan at once. A run that is under way is finished before.
   *
   * @throws {@link ThreadError} while a stretch of another run is computed: from a host step of a user's own, or where
   *   a thread keeps the others waiting over a turn of the event loop
   */
  run(plan: Plan, inputs: readonly Tensor<Float32Array>[]): Tensor<Float32Array>[] {
    this.#finishUnderWay();
    const run = this.#begin(plan, inputs, (state) => state.tensor);
    this.#compute(run);
    return outputsOf(run);
  }

  /**
   * Runs a plan in stretches ({@link Plan.stopAfter}), with a turn of the event loop between them, after all runs that
   * were asked for before; with the values that the plan's parameters have now, whatever they are set to meanwhile.
   *
   * @throws the signal's reason, once it is aborted: at once while the run waits for others, otherwise when its stretch
   *   ends
   */
  runAsync(
    plan: Plan,
    inputs: readonly Tensor<Float32Array>[],
    options: RunOptions = {},
  ): Promise<Tensor<Float32Array>[]> {
    const values = new Map(plan.parameters.filter((state) => state.hasValues).map((state) => [state, state.tensor]));
    const before = this.#queue;
    const outputs = this.#runAfter(before, plan, inputs, (state) => values.get(state) ?? state.tensor, options);
    const end = () => {};
    this.#queue = before.then(() => outputs.then(end, end));
    return outputs;
  }

  async #runAfter(
    before: Promise<void>,
    plan: Plan,
    inputs: readonly Tensor<Float32Array>[],
    valuesOf: ValuesOf,
    options: RunOptions,
  ): Promise<Tensor<Float32Array>[]> {
    const { onProgress, signal } = options;
    await unlessAborted(before, signal);
    throwIfAborted(signal);
    const run = this.#begin(plan, inputs, valuesOf, options);
    try {
      // A stretch each time, and a report of it. A synchronous call may finish the run in between: that is reported
      // too.
      for (let told = -1; told < run.nodes || !run.outcome; ) {
        if (run.nodes > 0 && !run.outcome) await nextTurn();
        throwIfAborted(signal);
        await this.#advance(run);
        throwIfAborted(signal);
        if (run.outcome) outputsOf(run);
        told = run.nodes;
        onProgress?.(told);
        throwIfAborted(signal);
      }
      return outputsOf(run);
    } finally {
      if (this.#underWay === run) this.#underWay = null;
    }
  }

  /** Puts a run's values in the memory. */
  #begin(
    plan: Plan,
    inputs: readonly Tensor<Float32Array>[],
    valuesOf: ValuesOf,
    { signal, stretchMs }: RunOptions = {},
  ): Run {
    this.#machine.bind(plan, valuesOf);
    plan.write(this.#machine.instance.kernels, inputs);
    const run: Run = { plan, signal, stretchMs, nodes: 0, isComputing: false, outcome: null };
    this.#underWay = run;
    return run;
  }

  /** Computes a run's next stretch, on all threads there are; nothing where a synchronous run has finished it. */
  async #advance(run: Run): Promise<void> {
    if (run.outcome) return;
    const { instance, pool } = this.#machine;
    const { plan } = run;
    if (!pool) return this.#compute(run, plan.stopAfter(run.nodes, run.stretchMs));
    let stop = run.nodes;
    await pool.run(instance, {
      begin: () => {
        if (run.outcome || run.signal?.aborted) return null;
        run.isComputing = true;
        stop = plan.stopAfter(run.nodes, run.stretchMs);
        return { phases: plan.phases, first: plan.phasesUntil(run.nodes), last: plan.phasesUntil(stop) };
      },
      end: (isComplete) => {
        run.isComputing = false;
        if (isComplete) this.#compute(run, stop, true);
        // A failed stretch leaves the memory undefined, so no synchronous call may finish this run.
        else this.#underWay = null;
      },
    });
  }

  #finishUnderWay(): void {
    const run = this.#underWay;
    if (!run) return;
    if (run.isComputing) {
      throw new ThreadError(
        'layertap: expected no run under way, got a synchronous call in the midst of one; await that, or use the ' +
          'asynchronous form',
      );
    }
    if (run.signal?.aborted) this.#underWay = null;
    else this.#compute(run);
  }

  /**
   * Takes a run's nodes up to the first `nodes`, all unless given, computed on this thread unless threads have computed
   * them. Once all are, its outputs are taken out. What goes wrong is that run's failure, not its caller's.
   */
  #compute(run: Run, nodes = run.plan.program.nodes.length, isComputed = false): void {
    const { plan } = run;
    try {
      run.isComputing = true;
      if (!isComputed) plan.compute(run.nodes, nodes);
      run.isComputing = false;
      run.nodes = nodes;
      if (nodes < plan.program.nodes.length) return;
      this.#end(run, { outputs: plan.read(this.#machine.instance.kernels) });
    } catch (error) {
      this.#end(run, { error });
    }
  }

  #end(run: Run, outcome: Outcome): void {
    run.outcome = outcome;
    this.#underWay = null;
  }
}

/** What a run has come to. @throws what went wrong in it */
function outputsOf({ outcome }: Run): Tensor<Float32Array>[] {
  if ('error' in outcome!) throw outcome.error;
  return outcome!.outputs;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** The promise, or a rejection as soon as the signal is aborted. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal || signal.aborted) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
