/** Numbers of several bytes, as weight files have them: the lowest byte first. */

/**
 * An unsigned number of so many bytes. Not exact beyond 2⁵³, where no file has a place; NaN where the bytes end before.
 */
export function littleEndian(bytes: Uint8Array, at: number, byteCount: number): number {
  let number = 0;
  for (let i = byteCount - 1; i >= 0; i--) number = number * 256 + bytes[at + i]!;
  return number;
}
