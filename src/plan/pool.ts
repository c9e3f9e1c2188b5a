/** Threads as a compiled model sees them. They are in src/threads, which only those load who use them. */

import type { Phase } from '../ops/op.ts';
import type { Binary, Instance } from '../wasm/instantiate.ts';

/** Threads that share a plan's steps: a ThreadPool of `layertap/threads`. */
export interface Pool {
  /** How many threads there are, the calling one included. */
  readonly threads: number;
  /** A new instance of a binary, whose memory all threads share. */
  instantiate(binary: Binary): Instance;
  /** Resolves when all threads wait for work; those that died are replaced. */
  ready(): Promise<void>;
  /**
   * Runs the phases from `first` to before `last`. The pool must be ready, and no one else may touch the memory until it resolves;
   * it does so without a turn of the event loop, unless a thread keeps the others waiting for long.
   *
   * @throws ThreadError where a thread has died, as a rejection
   */
  run(instance: Instance, phases: readonly Phase[], first: number, last: number): Promise<void>;
}
