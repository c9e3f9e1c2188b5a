/** Puts the bytes of a tensor together from the pieces that a file arrives in. */

import type { Memory, Origin } from './byte-source.ts';

/**
 * A tensor's bytes are allocated at once up to here, and beyond only as they arrive: sizes are a stranger's claims.
 * Fewer where not even the file's size is known.
 */
const TRUSTED_BYTES = 64 * 2 ** 20;
const LEAST_TRUSTED_BYTES = 2 ** 20;

/** Bytes of a file, and where they belong. */
export interface Piece {
  /** The place of the first byte. */
  readonly begin: number;
  readonly bytes: Uint8Array;
}

/** Puts arrays together from pieces. */
export class PieceReader {
  readonly #pieces: AsyncGenerator<Piece>;
  readonly #keepsPieces: boolean;
  readonly #trustedBytes: number;
  readonly #onBytes: (count: number) => void;
  #piece: Piece = { begin: 0, bytes: new Uint8Array(0) };
  /** What has come of the bytes that were asked for last. */
  #data: Uint8Array | null = null;
  #filled = 0;

  /** @param onBytes called with how many bytes of those that were asked for have come */
  constructor(
    pieces: AsyncGenerator<Piece>,
    { keepsPieces, byteLength }: Pick<Origin, 'keepsPieces' | 'byteLength'>,
    onBytes: (count: number) => void,
  ) {
    this.#pieces = pieces;
    this.#keepsPieces = keepsPieces;
    this.#trustedBytes = byteLength === undefined ? LEAST_TRUSTED_BYTES : TRUSTED_BYTES;
    this.#onBytes = onBytes;
  }

  /** How many of the bytes that were asked for last have come; 0 once they were given. */
  get filled(): number {
    return this.#filled;
  }

  /**
   * The bytes from `begin` up to `end`: a view where they came in one piece that stays, otherwise in the memory that is
   * given, if any is. Null where they go on in the next piece: ask for them again after {@link advance}.
   */
  take({ begin, end }: { readonly begin: number; readonly end: number }, memory?: Memory): Uint8Array | null {
    const length = end - begin;
    const { begin: at, bytes } = this.#piece;
    const part = bytes.subarray(within(bytes, begin + this.#filled - at), within(bytes, end - at));
    if (part.length > 0) {
      this.#onBytes(part.length);
      if (part.length === length && this.#keepsPieces) return part;
      const needed = this.#filled + part.length;
      let data =
        this.#data ?? memory?.(length) ?? new Uint8Array(Math.min(length, Math.max(this.#trustedBytes, needed)));
      if (needed > data.length) data = grown(data, Math.min(length, Math.max(2 * data.length, needed)));
      data.set(part, this.#filled);
      this.#data = data;
      this.#filled = needed;
    }
    if (this.#filled < length) return null;
    const whole = this.#data?.subarray(0, length) ?? new Uint8Array(0);
    this.#data = null;
    this.#filled = 0;
    return whole;
  }

  /** Goes on to the next piece, once it has come; false where there is none. */
  async advance(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (!done) this.#piece = value;
    return !done;
  }

  /** Ends the reading. */
  async return(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

/** An index of the array, or the nearest one. */
function within({ length }: Uint8Array, index: number): number {
  return Math.min(length, Math.max(0, index));
}

function grown(data: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(data);
  return larger;
}
