/**
 * How long a soak goes on: a fixed number of cases in `npm test`, or until the minutes of `npm run soak` are over. No
 * tests in here.
 */

import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** What `npm run soak` was asked for; nothing in `npm test`. */
    readonly soak?: { readonly minutes: number; readonly seed: number };
  }
}

const asked = inject('soak');

/** The seed of the first case; the next ones count on from it. */
export const SEED = asked?.seed ?? 1;

/**
 * Runs case after case: `cases` of them, or as many as fit the part of the minutes that was asked for. Returns how
 * many.
 */
export async function soak(part: number, cases: number, run: (seed: number) => Promise<void> | void): Promise<number> {
  const end = asked && performance.now() + asked.minutes * 60_000 * part;
  let count = 0;
  for (; end === undefined ? count < cases : performance.now() < end; count++) {
    const seed = SEED + count;
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`soak: case ${count} failed; npm run soak -- --seed ${seed} begins with it`, { cause: error });
    }
  }
  return count;
}

/** Says how many of what were run. */
export function log(what: string, counts: Readonly<Record<string, number>>): void {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  console.log(`soak, seed ${SEED}: ${what}: ${parts.join(', ')}`);
}
