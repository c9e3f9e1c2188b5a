/**
 * Calls that meet: synchronous, asynchronous, aborted ones, weights that are loaded meanwhile, workers that are killed,
 * pools that are closed, on several modules at once. Every call ends, right to the bit or with the one error that it
 * may end with. No tests in here.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import threads, { type Worker } from 'node:worker_threads';
import { StateDictError, ThreadError } from '../../src/errors.ts';
import type { Value } from '../../src/graph/graph.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import type { StateDict } from '../../src/nn/state-dict.ts';
import type { CompileOptions } from '../../src/plan/compile-options.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { noise, TinyResNet } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits, type Random } from '../support/kernels.ts';

const WORKER = new URL('../../dist/threads/worker.js', import.meta.url);

/** Layers whose algorithms differ from input to input. */
class Blocks extends Module {
  readonly stem = new Conv2d(3, 32, 3, { padding: 1, bias: false });
  readonly bn = new BatchNorm2d(32);
  readonly deep = new Conv2d(32, 32, 3, { padding: 1 });
  readonly wise = new Conv2d(32, 32, 3, { padding: 1, groups: 32 });
  readonly head = new Conv2d(32, 7, 1);
  forward(x: Value): Value {
    const y = relu(this.bn.call(this.stem.call(x)));
    return this.head.call(add(this.wise.call(relu(this.deep.call(y))), y));
  }
}

const inputs = [noise('a', [1, 3, 40, 36]), noise('b', [1, 3, 40, 36]), noise('c', [2, 3, 9, 11])];
const shapes = [inputs[0]!.shape, inputs[2]!.shape];
const WEIGHTS = 3;

interface Subject {
  readonly module: Module;
  readonly options: CompileOptions;
  /** Which pool it has; -1 for none. */
  readonly pool: number;
  readonly dicts: readonly StateDict[];
  /** The right outputs, by weights and input. */
  readonly right: readonly (readonly Float32Array[])[];
  weights: number;
  /** The weights that are on their way, and when they are there. */
  loading: number | null;
  loaded: Promise<void>;
  /** True where the compiled model alone has the weights. */
  isHeld: boolean;
}

/** How often what happened. */
export type Counts = Record<string, number>;

/** Modules, pools, and what is under way on them. */
export class Calls {
  readonly counts: Counts = {};
  readonly #random: Random;
  readonly #subjects: Subject[];
  readonly #pools: ThreadPool[] = [];
  readonly #threads = [2, 3];
  /** How often a worker or a pool was ended. */
  #ends = 0;
  readonly #workers: Worker[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #problems: unknown[] = [];
  readonly #restore: () => void;

  constructor(random: Random) {
    this.#random = random;
    this.#subjects = [
      subjectOf(() => new TinyResNet(), -1, {}),
      subjectOf(() => new Blocks(), -1, { weightStorage: 'f16' }),
      subjectOf(() => new TinyResNet(), 0, { deterministic: true }),
      subjectOf(() => new Blocks(), 0, {}),
      subjectOf(() => new Blocks(), 1, {}),
    ];
    const { Worker } = threads;
    const workers = this.#workers;
    threads.Worker = class extends Worker {
      constructor(...given: ConstructorParameters<typeof Worker>) {
        super(...given);
        workers.push(this);
      }
    };
    // Every step is a stretch of its own: there are as many turns to come in as there can be.
    const { runAsync } = CompiledModel.prototype;
    CompiledModel.prototype.runAsync = function (plan, given, options) {
      return runAsync.call(this, plan, given, { ...options, stretchMs: 0 });
    };
    this.#restore = () => {
      threads.Worker = Worker;
      CompiledModel.prototype.runAsync = runAsync;
    };
  }

  /** Does `count` things at random, waits for all that they began, and ends all workers. */
  async run(count: number): Promise<void> {
    try {
      for (let i = 0; i < this.#threads.length; i++) await this.#open(i);
      for (let i = 0; i < count && this.#problems.length === 0; i++) await this.#step();
      await Promise.all(this.#underWay);
      for (const pool of this.#pools) await pool.close();
    } finally {
      this.#restore();
    }
    if (this.#problems.length > 0) throw this.#problems[0];
  }

  async #step(): Promise<void> {
    const chance = this.#random.next();
    const subject = this.#pick(this.#subjects);
    if (chance < 0.34) this.#callAsync(subject);
    else if (chance < 0.54) this.#call(subject);
    else if (chance < 0.62) this.#reload(subject);
    else if (chance < 0.67) this.#reloadAsync(subject);
    else if (chance < 0.69) this.#kill();
    else if (chance < 0.7) await this.#reopen();
    else if (chance < 0.85) for (let i = this.#random.whole(0, 9); i > 0; i--) await null;
    else if (chance < 0.97) for (let i = this.#random.whole(1, 9); i > 0; i--) await nextTurn();
    else await Promise.all(this.#underWay);
    if (this.#underWay.size > 12) await Promise.race(this.#underWay);
  }

  #call(subject: Subject): void {
    const input = this.#random.whole(0, inputs.length - 1);
    const { loading } = subject;
    const expectRight = rightOf(subject, input);
    try {
      expectRight(subject.module.call(inputs[input]!).data, 'a synchronous call');
      this.#count('synchronous');
    } catch (error) {
      const isRefused = error instanceof ThreadError && /expected no run under way/.test(error.message);
      if (isRefused && subject.pool >= 0) this.#count('synchronous refused');
      else if (error instanceof StateDictError && loading !== null) this.#count('without values');
      else this.#problems.push(error);
    }
  }

  #callAsync(subject: Subject): void {
    const { loading, pool, module } = subject;
    const input = this.#random.whole(0, inputs.length - 1);
    const expectRight = rightOf(subject, input);
    const controller = new AbortController();
    const reason = new Error('soak: aborted');
    const end = this.#random.next();
    const at = this.#random.whole(1, 12);
    let steps = 0;
    const onProgress = () => {
      steps++;
      if (end < 0.1 && steps === at) controller.abort(reason);
      if (end > 0.7 && steps === at) this.#call(this.#pick(this.#subjects));
      if (end > 0.95 && steps === at + 1) this.#reload(this.#pick(this.#subjects));
    };
    if (end > 0.1 && end < 0.2) this.#later(at * 2, () => controller.abort(reason));
    this.#watch(
      module.callAsync(inputs[input]!, { onProgress, signal: controller.signal }).then(
        ({ data }) => {
          expectRight(data, 'an asynchronous call');
          this.#count('asynchronous');
        },
        (error) => {
          if (error === reason && controller.signal.aborted) this.#count('aborted');
          else if (error instanceof ThreadError && pool >= 0 && this.#ends > 0) this.#count('ended with a worker');
          else if (error instanceof StateDictError && loading !== null) this.#count('without values');
          else throw error;
        },
      ),
    );
  }

  #reload(subject: Subject): void {
    if (subject.loading !== null) return;
    subject.weights = this.#random.whole(0, WEIGHTS - 1);
    subject.module.loadStateDict(subject.dicts[subject.weights]!);
    subject.isHeld = false;
    this.#count('reloaded');
  }

  #reloadAsync(subject: Subject): void {
    if (subject.loading !== null) return;
    const loading = this.#random.whole(0, WEIGHTS - 1);
    subject.loading = loading;
    const options = this.#random.next() < 0.5 ? { inputShapes: shapes } : {};
    const load = subject.module.loadStateDictAsync(slowly(subject.dicts[loading]!, this.#random), options);
    subject.loaded = load.then(() => {
      subject.weights = loading;
      subject.loading = null;
      subject.isHeld = 'inputShapes' in options;
      this.#count('reloaded asynchronously');
    });
    this.#watch(subject.loaded);
  }

  #kill(): void {
    const alive = this.#workers.filter(({ threadId }) => threadId > 0);
    if (alive.length === 0) return;
    this.#ends++;
    this.#count('workers killed');
    void this.#pick(alive).terminate();
  }

  async #reopen(): Promise<void> {
    const index = this.#random.whole(0, this.#pools.length - 1);
    this.#ends++;
    const closed = this.#pools[index]!.close();
    if (this.#random.next() < 0.5) await closed;
    await this.#open(index);
    await closed;
    this.#count('pools closed');
  }

  async #open(index: number): Promise<void> {
    // A worker may be killed while it starts.
    for (let tries = 0; ; tries++) {
      try {
        this.#pools[index] = await ThreadPool.create(this.#threads[index]!, { worker: WORKER });
        break;
      } catch (error) {
        if (!(error instanceof ThreadError) || tries === 5) throw error;
      }
    }
    for (const subject of this.#subjects.filter(({ pool }) => pool === index)) {
      // A module mustn't change while it is loading.
      await subject.loaded;
      const { module, options, dicts, weights } = subject;
      module.compile({ ...options, pool: this.#pools[index]! });
      // What was compiled is dropped, and weights that nobody else has go with it.
      if (subject.isHeld) module.loadStateDict(dicts[weights]!);
      subject.isHeld = false;
    }
  }

  #later(turns: number, act: () => void): void {
    const wait = async () => {
      for (let i = 0; i < turns; i++) await (i % 3 === 0 ? nextTurn() : null);
      act();
    };
    this.#watch(wait());
  }

  #watch(promise: Promise<void>): void {
    const watched = promise
      .catch((error) => void this.#problems.push(error))
      .finally(() => void this.#underWay.delete(watched));
    this.#underWay.add(watched);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.whole(0, items.length - 1)]!;
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/**
 * A check of what a call gives that begins now. Weights that are on their way are there a moment before whoever loads
 * them is told. So a call may have those altogether, or the ones before.
 */
function rightOf({ right, weights, loading }: Subject, input: number) {
  const before = right[weights]![input]!;
  const after = loading === null ? before : right[loading]![input]!;
  return (data: ArrayLike<number>, what: string): void => {
    const isAfter = after.every((value, i) => Object.is(value, data[i]));
    expectBits(data, isAfter ? after : before, what);
  };
}

function subjectOf(make: () => Module, pool: number, options: CompileOptions): Subject {
  const all = Array.from({ length: WEIGHTS }, (_, i) => fillParameters(make(), `${i}.`).compile(options));
  const module = make().compile(options);
  const dicts = all.map((one) => one.stateDict());
  module.loadStateDict(dicts[0]!);
  const right = all.map((one) => inputs.map((input) => (one.call(input) as Tensor<Float32Array>).data));
  return { module, options, pool, dicts, right, weights: 0, loading: null, loaded: Promise.resolve(), isHeld: false };
}

/** A state dict as a file whose tensors arrive with turns of the event loop between. */
function slowly(dict: StateDict, random: Random): TensorStream {
  return {
    tensors: dict,
    async *stream(names) {
      for (const name of names) {
        if (random.next() < 0.2) await nextTurn();
        yield [name, dict.get(name)!];
      }
    },
  };
}
