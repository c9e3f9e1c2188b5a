/** The errors of a `.pth` file that isn't what PyTorch writes. */

import { FormatError } from '../errors.ts';

/** @param problem the part of the file, what was expected there, and what came */
export function malformed(problem: string): FormatError {
  return new FormatError(`pth: ${problem}`);
}

/** @throws {@link FormatError} unless the condition holds: what was expected, and what came where that is given */
export function check(condition: unknown, expected: string, got?: unknown): asserts condition {
  if (!condition) throw malformed(`expected ${expected}${got === undefined ? '' : `, got ${got}`}`);
}

/** How many times its stored bytes a file may take in memory, and bytes that it may take in any case. */
const MOST_TIMES = 4;
const LEAST_BYTES = 2 ** 20;

/** A few bytes of a file mustn't become gigabytes. @throws {@link FormatError} where they would */
export function checkGrowth(what: string, bytes: number, storedBytes: number): void {
  const isWithin = bytes <= Math.max(LEAST_BYTES, MOST_TIMES * storedBytes);
  check(isWithin, `${what} within ${MOST_TIMES} times the ${storedBytes} stored bytes`, bytes);
}
