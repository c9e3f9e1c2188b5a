/**
 * A generation of workers: begun together, ended together. The first worker that dies ends them all, since the others
 * wait for it. Neither their control words nor what they had been told is used again.
 */

import { ThreadError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import type { Phase } from '../wasm/step.ts';
import { fail, isInside, newControl } from './protocol.ts';
import { spawn, type Thread } from './spawn.ts';

/** A worker, and what it was told. */
export interface Member {
  /** Its number; the calling thread's is 0. */
  readonly number: number;
  readonly thread: Thread;
  /** The phases of each instance that it knows. */
  readonly phases: Map<number, readonly Phase[]>;
  isGone: boolean;
}

/** Workers that share phases with the calling thread. */
export class Generation {
  readonly control: Int32Array;
  readonly #members: Member[] = [];
  #death: ThreadError | null = null;
  #isReady = false;
  #end: Promise<void> | null = null;
  /** Rejects the promise of {@link ready}. */
  #rejectReady: (error: ThreadError) => void = () => {};
  readonly #ready: Promise<unknown>;

  /** @param worker the URL of worker.js where a bundler has moved it */
  constructor(threads: number, worker: URL | undefined) {
    this.control = newControl(threads);
    const starts: Promise<void>[] = [];
    const death = new Promise<never>((_, reject) => {
      this.#rejectReady = reject;
    });
    try {
      for (let number = 1; number < threads; number++) {
        const start = promiseWithResolve();
        starts.push(start.promise);
        this.#members.push(this.#begin(number, threads, worker, start.resolve));
      }
    } catch (cause) {
      this.#died(cause);
    }
    this.#ready = Promise.race([death, Promise.all(starts)]);
    this.#ready.catch(() => {});
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Why no thread can be counted on, once one has died. */
  get death(): ThreadError | null {
    return this.#death;
  }

  /** True from {@link ready} until a death. */
  get isAlive(): boolean {
    return this.#isReady && !this.#death;
  }

  /** Resolves when all wait for work. @throws {@link ThreadError} where one dies before; then all have ended */
  async ready(): Promise<void> {
    try {
      await this.#ready;
    } catch (error) {
      await this.end();
      throw error;
    }
    for (const { thread } of this.#members) thread.unref();
    this.#isReady = true;
  }

  /** Says why no thread can be counted on from now on; the first reason stays. */
  fail(error: ThreadError): void {
    if (this.#death) return;
    this.#death = error;
    fail(this.control);
    this.#rejectReady(error);
  }

  /** Ends all workers. Once it resolves, none of them touches any memory. */
  end(): Promise<void> {
    this.#end ??= this.#endAll();
    return this.#end;
  }

  async #endAll(): Promise<void> {
    // Not all hosts tell when a worker that is ended has stopped. One that is among a run's phases leaves them at the
    // end of its own.
    fail(this.control);
    const isBusy = ({ number, isGone }: Member) => !isGone && isInside(this.control, number);
    while (this.#members.some(isBusy)) await nextTurn();
    await Promise.all(this.#members.map(({ thread }) => thread.end()));
  }

  #begin(number: number, threads: number, worker: URL | undefined, onReady: () => void): Member {
    const thread = spawn(worker, {
      onReady,
      onDeath: (cause) => {
        member.isGone = true;
        this.#died(cause);
      },
    });
    const member: Member = { number, thread, phases: new Map(), isGone: false };
    thread.post({ kind: 'start', control: this.control, threads, thread: number });
    return member;
  }

  #died(cause: unknown): void {
    const expected = this.#isReady ? 'run' : 'start';
    const wayOut = this.#isReady ? '; the next call starts new ones' : '';
    this.fail(new ThreadError(`ThreadPool: expected a worker to ${expected}, got "${cause}"${wayOut}`, { cause }));
  }
}

function promiseWithResolve(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}
