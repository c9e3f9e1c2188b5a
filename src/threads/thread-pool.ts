/** ThreadPool: workers that share a plan's steps with the calling thread. */

import { ThreadError, UnsupportedError, ValueError } from '../errors.ts';
import { callsOf, type Phase } from '../ops/op.ts';
import { withDefaults } from '../options.ts';
import { nextTurn } from '../plan/next-turn.ts';
import type { Pool } from '../plan/pool.ts';
import { type Binary, type Instance, instantiate, kernelsIn, newMemory } from '../wasm/instantiate.ts';
import { arrive, CONTROL_WORDS, hasEnded, hasFailed, sleep, stepsOf } from './protocol.ts';
import { sharedModule } from './shared-module.ts';
import { missingForThreads, spawn, type Thread } from './spawn.ts';

const MAX_THREADS = 64;

/** How long the calling thread waits for the others before it looks, in a turn of the event loop, whether one has died. */
const PATIENCE_MS = 500;

/** Options of {@link ThreadPool.create}. */
export interface ThreadPoolOptions {
  /** Where `layertap/threads/worker.js` is, for bundlers that don't follow `new URL('./worker.js', import.meta.url)`. */
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

/** A worker, and what it was told. */
interface Member {
  readonly thread: Thread;
  readonly phases: Map<number, readonly Phase[] | null>;
}

/**
 * Threads for models: on Node, Deno, Bun and cross-origin isolated pages.
 *
 *     import { ThreadPool } from 'layertap/threads';
 *     const pool = await ThreadPool.create(4);
 *     getter.compile({ pool });
 *     const features = await getter.forwardAsync(x);
 *
 * Asynchronous calls of a model that was compiled with a pool run on all its threads, the calling one included, with the same bits
 * as on one. Synchronous calls run on the calling thread alone. Several models may share a pool. In Node and Bun it doesn't keep the
 * process alive; elsewhere {@link close} it.
 */
export class ThreadPool implements Pool {
  readonly threads: number;
  readonly #worker: URL | undefined;
  #members: readonly Member[] = [];
  #control: Int32Array = new Int32Array(CONTROL_WORDS);
  /** Why no thread can be counted on, until all are replaced. */
  #death: ThreadError | null = null;
  #isRunning = false;
  #isClosed = false;
  #starting: Promise<void> | null = null;
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
   */
  static async create(threads: number, options: ThreadPoolOptions = {}): Promise<ThreadPool> {
    const { worker } = withDefaults('ThreadPool.create', options, { worker: undefined });
    if (!Number.isSafeInteger(threads) || threads < 1 || threads > MAX_THREADS) {
      throw new ValueError(
        `ThreadPool.create: expected a whole number of threads from 1 to ${MAX_THREADS}, got ${threads}`,
      );
    }
    const missing = threads > 1 ? missingForThreads() : null;
    if (missing) throw new UnsupportedError(`ThreadPool.create: expected workers and shared memory, got ${missing}`);
    const pool = new ThreadPool(threads, worker);
    await pool.ready();
    return pool;
  }

  /** @internal */
  instantiate(binary: Binary): Instance {
    if (this.threads === 1) return instantiate(binary);
    const module = sharedModule(binary);
    const instance = { binary, kernels: kernelsIn(module, newMemory({ shared: true })) };
    const id = this.#nextId++;
    this.#shared.set(instance, { id, module, phases: null, calls: [] });
    this.#dropped.register(instance, id);
    return instance;
  }

  /** @internal */
  async ready(): Promise<void> {
    if (this.#isClosed) throw new ThreadError('ThreadPool: expected an open pool, got a call after close()');
    while (this.#isRunning) await nextTurn();
    if (this.#members.length === this.threads - 1 && !this.#death) return;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = null;
    });
    await this.#starting;
  }

  /** @internal */
  async run(instance: Instance, phases: readonly Phase[], first: number, last: number): Promise<void> {
    const shared = this.#shared.get(instance);
    if (!shared) {
      for (const call of callsOf(instance.kernels, phases.slice(first, last))) call();
      return;
    }
    while (this.#isRunning) await nextTurn();
    if (shared.phases !== phases) {
      shared.phases = phases;
      shared.calls = stepsOf(phases, 0, this.threads).map((phase) => callsOf(instance.kernels, [phase]));
    }
    this.#isRunning = true;
    try {
      this.#members.forEach(({ thread, phases: known }, i) => {
        const { id, module } = shared;
        const { memory } = instance.kernels;
        if (!known.has(id)) thread.post({ kind: 'instance', id, module, memory });
        if (known.get(id) !== phases) thread.post({ kind: 'phases', id, phases: stepsOf(phases, i + 1, this.threads) });
        known.set(id, phases);
        thread.post({ kind: 'run', id, first, last });
      });
      for (let i = first; i < last; i++) {
        for (const call of shared.calls[i]!) call();
        const phase = arrive(this.#control, this.threads);
        if (!hasEnded(this.#control, phase) && !this.#wait(phase)) await this.#waitForDeath(phase);
      }
    } catch (error) {
      // Where this thread can't go on, the others wait for it in vain.
      this.#death ??= new ThreadError('ThreadPool: expected all threads to run, got an error on the calling one', {
        cause: error,
      });
      throw error;
    } finally {
      this.#isRunning = false;
    }
  }

  /** Ends all workers. Models that were compiled with the pool go on with synchronous calls. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const members = this.#members;
    this.#members = [];
    await Promise.all(members.map(({ thread }) => thread.end()));
  }

  /** Starts workers in the place of those that there are, if any. */
  async #start(): Promise<void> {
    const before = this.#members;
    this.#members = [];
    await Promise.all(before.map(({ thread }) => thread.end()));
    const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
    this.#control = control;
    this.#death = null;
    const members = Array.from({ length: this.threads - 1 }, () => this.#member(control));
    try {
      const threads = await Promise.all(members);
      this.#members = threads.map((thread) => ({ thread, phases: new Map() }));
    } catch (cause) {
      throw this.#death ?? cause;
    }
    for (const { thread } of this.#members) thread.unref();
  }

  #member(control: Int32Array): Promise<Thread> {
    return new Promise((resolve, reject) => {
      const thread = spawn(this.#worker, {
        onReady: () => resolve(thread),
        onDeath: (cause) => {
          // Of a generation that was replaced: expected.
          if (this.#control !== control || this.#isClosed) return;
          this.#death ??= new ThreadError(
            `ThreadPool: expected a worker to run, got "${cause}"; the next call starts new ones`,
            {
              cause,
            },
          );
          reject(this.#death);
        },
      });
      thread.post({ kind: 'start', control, threads: this.threads });
    });
  }

  /** Nobody has the instance any more: its memory goes once no worker has it either. */
  #drop(id: number): void {
    for (const { thread, phases } of this.#members) if (phases.delete(id)) thread.post({ kind: 'drop', id });
  }

  /** Waits for a phase to end, blocking this thread. Returns false where that takes too long, or a worker has failed. */
  #wait(phase: number): boolean {
    const end = performance.now() + PATIENCE_MS;
    while (performance.now() < end && !hasFailed(this.#control)) {
      if (this.#canBlock) sleep(this.#control, phase, 5);
      if (hasEnded(this.#control, phase, 1000)) return true;
    }
    return false;
  }

  /** Waits for a phase to end with turns of the event loop, in which the death of a worker is told. */
  async #waitForDeath(phase: number): Promise<void> {
    while (!hasEnded(this.#control, phase, 1)) {
      await nextTurn();
      if (this.#death) throw this.#death;
      if (this.#canBlock) sleep(this.#control, phase, 1);
    }
  }
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
