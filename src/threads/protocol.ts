/** What the threads of a pool tell each other: messages for what comes seldom, words of shared memory for what comes often. */

import type { Phase } from '../ops/op.ts';

/** What the calling thread posts to a worker. Steps are those of this worker alone, phase by phase. */
export type Message =
  | { readonly kind: 'start'; readonly control: Int32Array; readonly threads: number }
  | {
      readonly kind: 'instance';
      readonly id: number;
      readonly module: WebAssembly.Module;
      readonly memory: WebAssembly.Memory;
    }
  | { readonly kind: 'phases'; readonly id: number; readonly phases: readonly Phase[] }
  | { readonly kind: 'run'; readonly id: number; readonly first: number; readonly last: number }
  | { readonly kind: 'drop'; readonly id: number };

/** Control words: how many phases have ended, how many threads have ended this one, whether a worker failed in it. */
export const CONTROL_WORDS = 3;
const ENDED = 0;
const ARRIVED = 1;
const FAILED = 2;

/** How often a thread looks before it goes to sleep: some tens of microseconds, about what falling asleep and waking costs. */
const LOOKS = 20_000;

/**
 * Says that this thread has ended its steps of a phase.
 *
 * @returns what {@link hasEnded} and {@link sleep} are to be asked with
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

/** Blocks this thread until a phase has ended, or for some milliseconds. */
export function sleep(control: Int32Array, phase: number, timeoutMs?: number): void {
  Atomics.wait(control, ENDED, phase, timeoutMs);
}

/** Says that this thread has failed and will not arrive. */
export function fail(control: Int32Array): void {
  Atomics.store(control, FAILED, 1);
  Atomics.notify(control, ENDED);
}

/** Whether a thread has failed. */
export function hasFailed(control: Int32Array): boolean {
  return Atomics.load(control, FAILED) !== 0;
}

/** The steps of one of `threads` threads, phase by phase. */
export function stepsOf(phases: readonly Phase[], thread: number, threads: number): Phase[] {
  return phases.map((phase) => phase.filter((_, i) => i % threads === thread));
}
