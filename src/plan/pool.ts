/** Threads as a compiled model sees them. They are in src/threads, which only those load who use them. */

import type { Binary } from '../wasm/binary.ts';
import type { Instance } from '../wasm/instantiate.ts';
import type { Phase } from '../wasm/step.ts';

/** Some phases in a row. */
export interface PhaseRange {
  readonly phases: readonly Phase[];
  readonly first: number;
  /** The range ends before this one. */
  readonly last: number;
}

/** What a pool runs, and how it tells its owner when the threads have the instance's memory. */
export interface Stretch {
  /** Called when all threads wait, in the job that sets them to work: what to run, or null for nothing any more. */
  begin(): PhaseRange | null;
  /**
   * Called after {@link begin} gave phases, in the job in which the last thread has let go of the memory.
   *
   * @param isComplete false where a thread has died or a step has failed: what the phases write is then undefined
   */
  end(isComplete: boolean): void;
}

/** Threads that share a plan's steps: a ThreadPool of `layertap/threads`. */
export interface Pool {
  /** How many threads there are, the calling one included. */
  readonly threads: number;
  /** A new instance of a binary, whose memory all threads share. */
  instantiate(binary: Binary): Instance;
  /**
   * Runs a stretch when all before it have ended; threads that died are replaced before. From `begin` to `end` no one
   * else may touch the memory. Between them is no turn of the event loop, unless a thread keeps the others waiting for
   * long.
   *
   * @throws ThreadError where a thread dies meanwhile, as a rejection
   */
  run(instance: Instance, stretch: Stretch): Promise<void>;
}
