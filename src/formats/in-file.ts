/** Says of which file an error is: who reads several, by names or from a hub, gave none of their addresses. */

import { FormatError } from '../errors.ts';

/** The error; of a file's content, with the file's address in front, where it has one and isn't named yet. */
export function inFile(name: string | undefined, error: unknown): unknown {
  if (name === undefined || !(error instanceof FormatError) || error.message.includes(name)) return error;
  return new FormatError(`${name}: ${error.message}`, { cause: error.cause });
}
