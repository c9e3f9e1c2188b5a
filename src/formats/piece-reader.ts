/** Puts the bytes of a tensor together from the pieces that a file arrives in. */

import type { Memory } from './byte-source.ts';

/** A tensor's bytes are allocated at once up to here, and beyond only as they arrive: sizes are a stranger's claims. */
const TRUSTED_BYTES = 64 * 2 ** 20;

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
  #piece: Piece = { begin: 0, bytes: new Uint8Array(0) };

  constructor(pieces: AsyncGenerator<Piece>, keepsPieces: boolean) {
    this.#pieces = pieces;
    this.#keepsPieces = keepsPieces;
  }

  /**
   * The bytes from `begin` up to `end`: a view where they came in one piece that stays, otherwise in the memory that is
   * given, if any is. Fewer where the pieces end.
   */
  async take(
    begin: number,
    end: number,
    onBytes: (count: number) => void,
    memory: Memory | undefined,
  ): Promise<Uint8Array> {
    const length = end - begin;
    let data: Uint8Array | null = null;
    let filled = 0;
    while (filled < length) {
      const { begin: at, bytes } = this.#piece;
      const part = bytes.subarray(within(bytes, begin + filled - at), within(bytes, end - at));
      if (part.length === 0) {
        const { done, value } = await this.#pieces.next();
        if (done) break;
        this.#piece = value;
        continue;
      }
      onBytes(part.length);
      if (part.length === length && this.#keepsPieces) return part;
      const needed = filled + part.length;
      data ??= memory?.(length) ?? new Uint8Array(Math.min(length, Math.max(TRUSTED_BYTES, needed)));
      if (needed > data.length) data = grown(data, Math.min(length, Math.max(2 * data.length, needed)));
      data.set(part, filled);
      filled = needed;
    }
    return data?.subarray(0, filled) ?? new Uint8Array(0);
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
