/** Reading a tile's pixels by their addresses. */

/** Four channels, from byte `c` on, of the pixel whose address lies at `p`. */
// @ts-ignore: decorator
@inline
export function pixelAt(p: usize, c: usize): v128 {
  return v128.load(load<usize>(p) + c);
}
