/**
 * Two pixels along a side with only padding around them. Two outputs are the Toeplitz matrix [w1 w2; w0 w1] by [x0;
 * x1], which takes three products: w1·(x0 + x1), (w2 − w1)·x1 and (w0 − w1)·x0 (Fan and Hasan, IEEE Trans. Computers
 * 56(2), 2007).
 *
 *          ⎡ 1  1 ⎤         ⎡ 0   1   0 ⎤
 *     Bᵀ = ⎢ 0  1 ⎥     G = ⎢ 0  −1   1 ⎥     Aᵀ = ⎡ 1  1  0 ⎤
 *          ⎣ 1  0 ⎦         ⎣ 1  −1   0 ⎦          ⎣ 1  0  1 ⎦
 */

import { pixelAt } from "./pixel";

/** G by three weights, `stride` bytes from point to point. */
// @ts-ignore: decorator
@inline
export function weightsToeplitz(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  v128.store(to, g1); to += stride;
  v128.store(to, f32x4.sub(g2, g1)); to += stride;
  v128.store(to, f32x4.sub(g0, g1));
}

/** Bᵀ·d·B of 2×2 pixels, whose addresses lie at `scratch`. */
export function inputToeplitz(scratch: usize, channelBytes: usize, out: usize): void {
  for (let c: usize = 0; c < channelBytes; c += 16) {
    const d00 = pixelAt(scratch, c), d01 = pixelAt(scratch + 4, c);
    const d10 = pixelAt(scratch + 8, c), d11 = pixelAt(scratch + 12, c);
    let o = out + c;
    o = storePoints(o, channelBytes, f32x4.add(d00, d10), f32x4.add(d01, d11));
    o = storePoints(o, channelBytes, d10, d11);
    storePoints(o, channelBytes, d00, d01);
  }
}

/** Stores the three points of two pixels, and returns the address after them. */
// @ts-ignore: decorator
@inline
function storePoints(o: usize, channelBytes: usize, d0: v128, d1: v128): usize {
  v128.store(o, f32x4.add(d0, d1)); o += channelBytes;
  v128.store(o, d1); o += channelBytes;
  v128.store(o, d0); o += channelBytes;
  return o;
}

/**
 * Aᵀ·m·A of 3×3 vectors as up to 2 rows of 2 vectors, 64 bytes from row to row. A row or column alone is its first
 * point.
 */
export function outputToeplitz(m: usize, channelBytes: usize, scratch: usize, rows: i32, columns: i32): void {
  const line = channelBytes * 3;
  let p = m;
  const m0 = v128.load(p); p += channelBytes;
  const m1 = v128.load(p); p += channelBytes;
  const m2 = v128.load(p);
  for (let i = 0; i < rows; i++) {
    let u0 = m0, u1 = m1, u2 = m2;
    if (rows > 1) {
      p = m + line + <usize>i * line;
      u0 = f32x4.add(u0, v128.load(p)); p += channelBytes;
      u1 = f32x4.add(u1, v128.load(p)); p += channelBytes;
      u2 = f32x4.add(u2, v128.load(p));
    }
    const q = scratch + (<usize>i << 6);
    v128.store(q, columns > 1 ? f32x4.add(u0, u1) : u0);
    v128.store(q, f32x4.add(u0, u2), 16);
  }
}
