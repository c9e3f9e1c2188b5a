/** What commands give to the program, as a type. */

export {};

/**
 * What a command did: the object that --json prints, the lines that people get, and what either should know of the
 * result.
 *
 * @typedef {{ result: object, lines: readonly string[], warnings?: readonly string[],
 *   isFailed?: boolean, isOnStderr?: boolean }} Outcome of which some may have failed; the lines go to stderr where
 *   stdout has the output itself
 */
