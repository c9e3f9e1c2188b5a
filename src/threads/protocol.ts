/**
 * What the threads of a pool tell each other: messages for what comes seldom, words of shared memory for what comes
 * often.
 */

import { type Phase, threadOf } from '../wasm/step.ts';

/** What the calling thread posts to a worker. Steps are those of this worker alone, phase by phase. */
export type Message =
  | { readonly kind: 'start'; readonly control: Int32Array; readonly threads: number; readonly thread: number }
  | {
      readonly kind: 'instance';
      readonly id: number;
      readonly module: WebAssembly.Module;
      readonly memory: WebAssembly.Memory;
    }
  | { readonly kind: 'phases'; readonly id: number; readonly phases: readonly Phase[] }
  | { readonly kind: 'run'; readonly id: number; readonly first: number; readonly last: number }
  | { readonly kind: 'drop'; readonly id: number };

// Control words: how many phases have ended, how many threads have ended this one, whether a thread has failed; then
// for each thread whether it is among a run's phases, where it may touch an instance's memory.
const ENDED = 0;
const ARRIVED = 1;
const FAILED = 2;
const INSIDE = 3;

/**
 * The control words of so many threads. Once one of the threads has failed, no other may take its place: others need
 * control words of their own.
 */
export function newControl(threads: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer((INSIDE + threads) * 4));
}

/**
 * How often a thread looks before it goes to sleep. Looking takes some tens of microseconds, about what falling asleep
 * and waking would take.
 */
const LOOKS = 20_000;

/**
 * Says that this thread has ended its steps of a phase.
 *
 * @returns the phase, for {@link hasEnded} and {@link sleep}
 */
export function arrive(control: Int32Array, threads: number): number {
  const phase = Atomics.load(control, ENDED);
  if (Atomics.add(control, ARRIVED, 1) === threads - 1) {
    Atomics.store(control, ARRIVED, 0);
    Atomics.add(control, ENDED, 1);
    Atomics.notify(control, ENDED);
  }
  return phase;
}

/** Whether all threads have ended a phase, after looking for a while. */
export function hasEnded(control: Int32Array, phase: number, looks = LOOKS): boolean {
  for (let i = 0; i < looks; i++) if (Atomics.load(control, ENDED) !== phase) return true;
  return false;
}

/**
 * Blocks this thread until a phase has ended, for some milliseconds at most: a failure in the moment before wakes
 * nobody.
 */
export function sleep(control: Int32Array, phase: number, mostMs: number): void {
  Atomics.wait(control, ENDED, phase, mostMs);
}

/** Says that a thread has failed: the others leave the run at the next end of a phase. */
export function fail(control: Int32Array): void {
  Atomics.store(control, FAILED, 1);
  Atomics.notify(control, ENDED);
}

/** Whether a thread has failed. */
export function hasFailed(control: Int32Array): boolean {
  return Atomics.load(control, FAILED) !== 0;
}

/**
 * Says that a thread is among a run's phases. It asks {@link hasFailed} after that: either it sees a failure, or it is
 * seen.
 */
export function enter(control: Int32Array, thread: number): void {
  Atomics.store(control, INSIDE + thread, 1);
}

/** Says that a thread touches no instance's memory any more. */
export function leave(control: Int32Array, thread: number): void {
  Atomics.store(control, INSIDE + thread, 0);
}

/** Whether a thread is among a run's phases. */
export function isInside(control: Int32Array, thread: number): boolean {
  return Atomics.load(control, INSIDE + thread) !== 0;
}

/** The steps of one of `threads` threads, phase by phase. */
export function stepsOf(phases: readonly Phase[], thread: number, threads: number): Phase[] {
  return phases.map((phase) => phase.filter((_, step) => threadOf(step, threads) === thread));
}
