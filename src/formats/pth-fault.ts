/** The error of a `.pth` file that isn't what PyTorch writes. */

import { FormatError } from '../errors.ts';

/** @param problem the part of the file, what was expected there, and what came */
export function malformed(problem: string, options?: ErrorOptions): FormatError {
  return new FormatError(`pth: ${problem}`, options);
}
