/**
 * 3×3 with stride 2, three outputs along a side. The outer weights w0 and w2 meet every other pixel, the middle one w1
 * the pixels between. So three outputs are F(3, 2) of the outer weights at the points 0, ±1 and ∞, and three products
 * by w1.
 *
 *          ⎡ 1  ·   0  ·  −1  ·   0 ⎤         ⎡  1   0    0  ⎤
 *          ⎢ 0  ·   1  ·   1  ·   0 ⎥         ⎢ 1/2  0   1/2 ⎥         ⎡ 1  1   1   0  1  ·  · ⎤
 *          ⎢ 0  ·  −1  ·   1  ·   0 ⎥         ⎢ 1/2  0  −1/2 ⎥    Aᵀ = ⎢ 0  1  −1   0  ·  1  · ⎥
 *     Bᵀ = ⎢ 0  ·   1  ·   0  ·  −1 ⎥     G = ⎢  0   0    1  ⎥         ⎣ 0  1   1  −1  ·  ·  1 ⎦
 *          ⎢ ·  1   ·  ·   ·  ·   · ⎥         ⎢  0   1    0  ⎥
 *          ⎢ ·  ·   ·  1   ·  ·   · ⎥         ⎢  0   1    0  ⎥ the last three points have one weight,
 *          ⎣ ·  ·   ·  ·   ·  1   · ⎦         ⎣  0   1    0  ⎦ which is written once
 */

import { TILE_ADDRESS_BYTES, TILE_OUTPUT_BYTES } from "../layout";
import { pixelAt } from "./pixel";

/** Bytes of a row of seven vectors, and of a row of seven addresses. */
// @ts-ignore: decorator
@inline
const ROW: usize = 112, ADDRESS_ROW: usize = 28;

/** The first five rows of G by three weights, `stride` bytes from point to point. */
// @ts-ignore: decorator
@inline
export function weightsStrided(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  const half = f32x4.splat(0.5);
  const even = f32x4.mul(g0, half), odd = f32x4.mul(g2, half);
  v128.store(to, g0); to += stride;
  v128.store(to, f32x4.add(even, odd)); to += stride;
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, g2); to += stride;
  v128.store(to, g1);
}

/** Bᵀ·d·B of 7×7 pixels, whose addresses lie at `scratch`. */
export function inputStrided(scratch: usize, channelBytes: usize, out: usize): void {
  const vectors = scratch + TILE_ADDRESS_BYTES;
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let p = scratch, q = vectors; p < scratch + ADDRESS_ROW; p += 4, q += 16) {
      const d0 = pixelAt(p, c), d1 = pixelAt(p + 2 * ADDRESS_ROW, c);
      const d2 = pixelAt(p + 4 * ADDRESS_ROW, c), d3 = pixelAt(p + 6 * ADDRESS_ROW, c);
      v128.store(q, f32x4.sub(d0, d2));
      v128.store(q, f32x4.add(d1, d2), ROW);
      v128.store(q, f32x4.sub(d2, d1), 2 * ROW);
      v128.store(q, f32x4.sub(d1, d3), 3 * ROW);
      v128.store(q, pixelAt(p + ADDRESS_ROW, c), 4 * ROW);
      v128.store(q, pixelAt(p + 3 * ADDRESS_ROW, c), 5 * ROW);
      v128.store(q, pixelAt(p + 5 * ADDRESS_ROW, c), 6 * ROW);
    }
    let o = out + c;
    for (let i = 0, q = vectors; i < 7; i++, q += ROW) {
      const d0 = v128.load(q), d1 = v128.load(q, 32), d2 = v128.load(q, 64), d3 = v128.load(q, 96);
      v128.store(o, f32x4.sub(d0, d2)); o += channelBytes;
      v128.store(o, f32x4.add(d1, d2)); o += channelBytes;
      v128.store(o, f32x4.sub(d2, d1)); o += channelBytes;
      v128.store(o, f32x4.sub(d1, d3)); o += channelBytes;
      v128.store(o, v128.load(q, 16)); o += channelBytes;
      v128.store(o, v128.load(q, 48)); o += channelBytes;
      v128.store(o, v128.load(q, 80)); o += channelBytes;
    }
  }
}

/** Aᵀ·m·A of 7×7 vectors as up to 3 rows of 3 vectors, 64 bytes from row to row. */
export function outputStrided(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const vectors = scratch + TILE_OUTPUT_BYTES;
  const line = channelBytes * 7;
  for (let j: usize = 0; j < 7; j++) {
    let p = m + j * channelBytes;
    const q = vectors + (j << 4);
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const s = f32x4.add(m1, m2);
    v128.store(q, f32x4.add(f32x4.add(m0, s), v128.load(p))); p += line;
    v128.store(q, f32x4.add(f32x4.sub(m1, m2), v128.load(p)), ROW); p += line;
    v128.store(q, f32x4.add(f32x4.sub(s, m3), v128.load(p)), 2 * ROW);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * ROW, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32), s = f32x4.add(m1, m2);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), s), v128.load(p, 64)));
    v128.store(q, f32x4.add(f32x4.sub(m1, m2), v128.load(p, 80)), 16);
    v128.store(q, f32x4.add(f32x4.sub(s, v128.load(p, 48)), v128.load(p, 96)), 32);
  }
}
