/** What a user sees of a compiled model: which binary runs, what it takes, and what it computes. */

import type { Binary } from '../wasm/binary.ts';
import type { StepReport } from './plan.ts';

/** A compiled module, for reports. */
export interface Compiled {
  /** The binary that runs. */
  readonly binary: Binary;
  /** Bytes of the instance's memory: packed weights and the largest plan's block. It never shrinks. */
  readonly memoryBytes: number;
  /** Bytes of packed weights. */
  readonly constantBytes: number;
  /** What each node of the plan that ran last computes and how, in order; none before the first run. */
  readonly steps: readonly StepReport[];
}
