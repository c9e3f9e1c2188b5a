/** What this browser has: instructions, threads, memory. */

import type { CompileOptions, Pool } from 'layertap';
import { ThreadPool } from 'layertap/threads';

/** A module of one function with an instruction of relaxed SIMD, `f32x4.relaxed_madd`. */
const RELAXED = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11],
];

/** Whether the engine has relaxed SIMD. */
export const isRelaxed = WebAssembly.validate(new Uint8Array(RELAXED));

/** Whether memory can be shared with threads. */
export const isIsolated = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer !== 'undefined';

/** More threads than this gain little for one picture. */
const MOST_THREADS = 4;

let pool: Pool | undefined;
let starting: Promise<number> | undefined;

/** Starts threads where the page may have them, once. Returns how many there are, this one included. */
export function startThreads(): Promise<number> {
  starting ??= start();
  return starting;
}

async function start(): Promise<number> {
  const count = isIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  if (count < 2) return 1;
  try {
    pool = await ThreadPool.create(count);
    return count;
  } catch {
    return 1;
  }
}

/**
 * The most bytes of WebAssembly memory of a plan: a quarter of the machine's memory as far as the browser tells, from 1
 * to 4 GiB. Where it doesn't tell, 2 GiB.
 */
export const budgetBytes =
  Math.min(4, Math.max(1, ((navigator as { deviceMemory?: number }).deviceMemory ?? 8) / 4)) * 2 ** 30;

/** How networks are compiled here: with threads where these have started. The bits are the same. */
export function compileOptions(): CompileOptions {
  return { memoryBudgetBytes: budgetBytes, ...(pool && { pool }) };
}
