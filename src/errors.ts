/**
 * Every error that layertap throws on purpose. Each class has a stable `code`; messages read
 * `<public name>: <expected>, got <what came>[; <way out>]`. Broken invariants of the project itself
 * are not here: they fail an {@link assert}.
 */

/** The base class of all of layertap's errors, so that `catch` can tell them from anybody else's. */
export class LayertapError extends Error {
  /** A stable identifier, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A shape, rank or size that an operation can't take. */
export class ShapeError extends LayertapError {
  constructor(message: string) {
    super('ERR_SHAPE', message);
  }
}

/** A tensor whose dtype an operation can't take. */
export class DtypeError extends LayertapError {
  constructor(message: string) {
    super('ERR_DTYPE', message);
  }
}

/** An argument or option outside of what is allowed. */
export class ValueError extends LayertapError {
  constructor(message: string) {
    super('ERR_VALUE', message);
  }
}

/** A name that isn't there. */
export class KeyError extends LayertapError {
  constructor(message: string) {
    super('ERR_KEY', message);
  }
}

/** A state dict that doesn't fit a module. The message lists all problems at once, as PyTorch's does. */
export class StateDictError extends LayertapError {
  constructor(message: string) {
    super('ERR_STATE_DICT', message);
  }
}

/** A file that is malformed, truncated, or of a kind that isn't supported. */
export class FormatError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FORMAT', message, options);
  }
}

/** Memory that a plan needs and a host can't give. */
export class MemoryError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_MEMORY', message, options);
  }
}

/** A capability that the host lacks, or that a class leaves to its subclasses. */
export class UnsupportedError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_UNSUPPORTED', message, options);
  }
}

/** A server that can't be reached, refuses, or doesn't keep to HTTP. */
export class NetworkError extends LayertapError {
  /** The HTTP status that was answered, if it is what was wrong. */
  readonly status: number | undefined;

  constructor(message: string, { status, ...options }: ErrorOptions & { readonly status?: number } = {}) {
    super('ERR_NETWORK', message, options);
    this.status = status;
  }
}

/** A file that isn't the one any more that was opened. Opening it again gives the new one. */
export class FileChangedError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FILE_CHANGED', message, options);
  }
}

/** A thread that died, or threads that can't take a call now. */
export class ThreadError extends LayertapError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_THREAD', message, options);
  }
}

/** Throws when the project's own invariant is broken: a bug in layertap, never a user's mistake. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`layertap bug: ${invariant}; please report it`);
}
