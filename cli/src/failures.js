/**
 * What can go wrong, in one line each. Mistakes in a command line are UsageErrors (exit code 2); all else, from a
 * missing file to a layer that isn't there, is a failure (exit code 1).
 */

import { withoutSecretsIn } from './secrets.js';

/** A command line that can't be right whatever the files hold. */
export class UsageError extends Error {}

/** Something that a command was given and can't work with: a file, a name, an image. */
export class CommandError extends Error {}

/** A failure of a run as a whole, which no picture has by itself. */
export class RunError extends CommandError {}

/** Messages are cut after so many characters: a state dict may list thousands of keys. */
const MAX_CHARACTERS = 2000;

/**
 * The text on one line, each of its lines a sentence, without control characters, which names in a hostile file may
 * hold, and without secrets in URLs.
 *
 * @param {string} text
 */
export function oneLine(text) {
  const sentences = withoutSecretsIn(text).replace(/([^\s.:;,])\s*\n\s*(?=[A-Za-z])/g, '$1. ');
  const line = sentences.replace(/[\s\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
  return line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)} …` : line;
}

/**
 * What a failure prints. Some of the core's messages begin with the library's name, which is said once.
 *
 * @param {string} message
 */
export function failureLine(message) {
  return `layertap: ${oneLine(message).replace(/^layertap: /, '')}`;
}

/**
 * What the system said, without the code, the call and the path that Node adds: `no such file or directory`.
 *
 * @param {unknown} error
 */
export function reasonOf(error) {
  const message = error instanceof Error ? error.message : String(error);
  return /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}
