/** ThreadPool: workers that share a plan's steps with the calling thread. */

import { describe, ThreadError, UnsupportedError, ValueError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import { withDefaults } from '../options.ts';
import type { PhaseRange, Pool, Stretch } from '../plan/pool.ts';
import type { Binary } from '../wasm/binary.ts';
import { type Instance, instantiate, kernelsIn, newMemory } from '../wasm/instantiate.ts';
import { callsOf, type Phase } from '../wasm/step.ts';
import { Generation } from './generation.ts';
import { arrive, hasEnded, hasFailed, sleep, stepsOf } from './protocol.ts';
import { sharedModule } from './shared-module.ts';
import { missingForThreads } from './spawn.ts';

const MAX_THREADS = 64;

/**
 * How long the calling thread waits for the others before it looks, in a turn of the event loop, whether one has died.
 */
const PATIENCE_MS = 500;

/** Options of {@link ThreadPool.create}. */
export interface ThreadPoolOptions {
  /**
   * Where `layertap/threads/worker.js` is, for bundlers that don't follow `new URL('./worker.js', import.meta.url)`.
   */
  readonly worker?: URL;
}

/** What the calling thread knows of an instance. */
interface Shared {
  readonly id: number;
  readonly module: WebAssembly.Module;
  /** The phases that {@link calls} are of. */
  phases: readonly Phase[] | null;
  /** The calling thread's own calls, phase by phase. */
  calls: readonly (readonly (() => void)[])[];
}

/**
 * Threads for models: on Node, Deno, Bun and cross-origin isolated pages.
 *
 *     import { ThreadPool } from 'layertap/threads';
 *     const pool = await ThreadPool.create(4);
 *     getter.compile({ pool });
 *     const features = await getter.forwardAsync(x);
 *
 * Asynchronous calls of a model that was compiled with a pool run on all its threads, the calling one included, with
 * the same bits as on one. Synchronous calls run on the calling thread alone. Several models may share a pool. In Node
 * and Bun it doesn't keep the process alive; elsewhere {@link close} it.
 */
export class ThreadPool implements Pool {
  readonly threads: number;
  readonly #worker: URL | undefined;
  /** The workers that there are; others take their place once one of them has died. */
  #generation: Generation | null = null;
  #isClosed = false;
  /** Resolves when all stretches that were asked for have ended. */
  #queue: Promise<void> = Promise.resolve();
  readonly #shared = new WeakMap<Instance, Shared>();
  readonly #dropped = new FinalizationRegistry<number>((id) => this.#drop(id));
  readonly #canBlock = canBlock();
  #nextId = 0;

  private constructor(threads: number, worker: URL | undefined) {
    this.threads = threads;
    this.#worker = worker;
  }

  /**
   * A pool of `threads` threads, the calling one included: it starts one worker less. With 1 it runs as without a pool.
   *
   * @throws {@link UnsupportedError} where the host has no workers or no shared memory, as a rejection
   * @throws {@link ThreadError} where a worker can't be started, as a rejection; none is left running then
   */
  static async create(threads: number, options: ThreadPoolOptions = {}): Promise<ThreadPool> {
    const { worker } = withDefaults('ThreadPool.create', options, { worker: undefined });
    if (!Number.isSafeInteger(threads) || threads < 1 || threads > MAX_THREADS) {
      throw new ValueError(
        `ThreadPool.create: expected a whole number of threads from 1 to ${MAX_THREADS}, got ${describe(threads)}`,
      );
    }
    const missing = threads > 1 ? missingForThreads() : null;
    if (missing) throw new UnsupportedError(`ThreadPool.create: expected workers and shared memory, got ${missing}`);
    const pool = new ThreadPool(threads, worker);
    if (threads > 1) await pool.#renew();
    return pool;
  }

  /** An instance on memory that the workers share. A compiled model asks for it. */
  instantiate(binary: Binary): Instance {
    if (this.threads === 1) return instantiate(binary);
    const module = sharedModule(binary);
    const instance = { binary, kernels: kernelsIn(module, newMemory({ shared: true })) };
    const id = this.#nextId++;
    this.#shared.set(instance, { id, module, phases: null, calls: [] });
    this.#dropped.register(instance, id);
    return instance;
  }

  /** Runs a stretch of an instance's phases on all threads. A compiled model asks for it. */
  async run(instance: Instance, stretch: Stretch): Promise<void> {
    const before = this.#queue;
    const end = before.then(() => this.#run(instance, stretch));
    this.#queue = end.catch(() => {});
    return end;
  }

  async #run(instance: Instance, stretch: Stretch): Promise<void> {
    const shared = this.#shared.get(instance);
    if (!shared) return this.#runAlone(instance, stretch);
    while (!this.#generation?.isAlive) await this.#renew();
    // From this look at the generation on, until its threads are at work, nobody else gets a turn.
    const generation = this.#generation;
    const range = stretch.begin();
    if (!range) return;
    try {
      await this.#share(generation, instance, shared, range);
    } catch (error) {
      // Where this thread can't go on, the others wait for it in vain.
      const expected = 'ThreadPool: expected all threads to run, got an error on the calling one';
      generation.fail(new ThreadError(expected, { cause: error }));
      await generation.end();
      stretch.end(false);
      throw error;
    }
    stretch.end(true);
  }

  /** Runs a stretch on the calling thread, for a pool of one thread and for instances that aren't the pool's. */
  #runAlone({ kernels }: Instance, stretch: Stretch): void {
    if (this.#isClosed) throw closedError();
    const range = stretch.begin();
    if (!range) return;
    let isComplete = false;
    try {
      for (const call of callsOf(kernels, range.phases.slice(range.first, range.last))) call();
      isComplete = true;
    } finally {
      stretch.end(isComplete);
    }
  }

  /** Runs phases on all threads of a generation. */
  async #share(
    generation: Generation,
    { kernels }: Instance,
    shared: Shared,
    { phases, first, last }: PhaseRange,
  ): Promise<void> {
    const { threads } = this;
    const { control } = generation;
    const { id, module } = shared;
    if (shared.phases !== phases) {
      shared.phases = phases;
      shared.calls = stepsOf(phases, 0, threads).map((phase) => callsOf(kernels, [phase]));
    }
    for (const { thread, number, phases: known } of generation.members) {
      if (!known.has(id)) thread.post({ kind: 'instance', id, module, memory: kernels.memory });
      if (known.get(id) !== phases) thread.post({ kind: 'phases', id, phases: stepsOf(phases, number, threads) });
      known.set(id, phases);
      thread.post({ kind: 'run', id, first, last });
    }
    for (let i = first; i < last; i++) {
      for (const call of shared.calls[i]!) call();
      const phase = arrive(control, threads);
      if (!hasEnded(control, phase) && !this.#wait(control, phase)) await this.#waitForDeath(generation, phase);
    }
  }

  /**
   * Ends all workers; a call that they are in the midst of is rejected. Models that were compiled with the pool go on
   * with synchronous calls.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#generation?.fail(
      new ThreadError('ThreadPool: expected an open pool until a call ends, got close() in the midst of it'),
    );
    await this.#generation?.end();
  }

  /** Starts workers in the place of those that there are, if any. */
  async #renew(): Promise<void> {
    if (this.#isClosed) throw closedError();
    await this.#generation?.end();
    if (this.#isClosed) throw closedError();
    this.#generation = new Generation(this.threads, this.#worker);
    await this.#generation.ready();
  }

  /** Tells the workers that nobody has an instance any more. Its memory goes once no worker has it either. */
  #drop(id: number): void {
    for (const { thread, phases } of this.#generation?.members ?? []) {
      if (phases.delete(id)) thread.post({ kind: 'drop', id });
    }
  }

  /**
   * Waits for a phase to end, blocking this thread. Returns false where that takes too long, or a worker has failed.
   */
  #wait(control: Int32Array, phase: number): boolean {
    const end = performance.now() + PATIENCE_MS;
    while (performance.now() < end && !hasFailed(control)) {
      if (this.#canBlock) sleep(control, phase, 5);
      if (hasEnded(control, phase, 1000)) return true;
    }
    return false;
  }

  /** Waits for a phase to end with turns of the event loop, in which the death of a worker is told. */
  async #waitForDeath(generation: Generation, phase: number): Promise<void> {
    const { control } = generation;
    while (!hasEnded(control, phase, 1)) {
      await nextTurn();
      if (generation.death) throw generation.death;
      if (this.#canBlock) sleep(control, phase, 1);
    }
  }
}

function closedError(): ThreadError {
  return new ThreadError('ThreadPool: expected an open pool, got a call after close()');
}

/** Whether this thread may wait: a page's main thread mustn't. */
function canBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}
