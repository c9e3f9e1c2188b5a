/** Reads bytes of an origin at once. */

import type { Origin } from './byte-source.ts';

/** Bytes that are asked for first: they hold the headers of most files, and a small file's tensors too. */
export const HEAD_BYTES = 64 * 2 ** 10;

/** What was read before, and the bytes that follow. Nothing is allocated before it is there. */
export async function readRange(
  origin: Origin,
  begin: number,
  end: number,
  signal: AbortSignal | undefined,
  before: Uint8Array = new Uint8Array(0),
): Promise<Uint8Array> {
  const pieces = [before];
  for await (const piece of origin.pieces(begin, end, signal)) pieces.push(origin.keepsPieces ? piece : piece.slice());
  return joined(pieces);
}

/** The pieces, one behind the other. Allocated once all are there: sizes are a stranger's claims. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
