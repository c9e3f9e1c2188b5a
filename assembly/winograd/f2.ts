/**
 * F(2×2, 3×3), by the points 0, ±1 and ∞.
 *
 *          ⎡ 1   0  −1   0 ⎤         ⎡  1    0    0  ⎤
 *     Bᵀ = ⎢ 0   1   1   0 ⎥     G = ⎢ 1/2  1/2  1/2 ⎥     Aᵀ = ⎡ 1   1   1   0 ⎤
 *          ⎢ 0  −1   1   0 ⎥         ⎢ 1/2 −1/2  1/2 ⎥          ⎣ 0   1  −1  −1 ⎦
 *          ⎣ 0   1   0  −1 ⎦         ⎣  0    0    1  ⎦
 */

import { TILE_ADDRESS_BYTES, TILE_OUTPUT_BYTES } from "../layout";
import { pixelAt } from "./pixel";

/** Bytes of a row of four vectors, and of a row of four addresses. */
// @ts-ignore: decorator
@inline
const ROW: usize = 64, ADDRESS_ROW: usize = 16;

/** G by three weights, `stride` bytes from point to point. */
// @ts-ignore: decorator
@inline
export function weights2(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  const half = f32x4.splat(0.5);
  const even = f32x4.mul(f32x4.add(g0, g2), half), odd = f32x4.mul(g1, half);
  v128.store(to, g0); to += stride;
  v128.store(to, f32x4.add(even, odd)); to += stride;
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, g2);
}

/** Bᵀ·d·B of 4×4 pixels, whose addresses lie at `scratch`. */
export function input2(scratch: usize, channelBytes: usize, out: usize): void {
  const vectors = scratch + TILE_ADDRESS_BYTES;
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let p = scratch, q = vectors; p < scratch + ADDRESS_ROW; p += 4, q += 16) {
      const d0 = pixelAt(p, c), d1 = pixelAt(p + ADDRESS_ROW, c);
      const d2 = pixelAt(p + 2 * ADDRESS_ROW, c), d3 = pixelAt(p + 3 * ADDRESS_ROW, c);
      v128.store(q, f32x4.sub(d0, d2));
      v128.store(q, f32x4.add(d1, d2), ROW);
      v128.store(q, f32x4.sub(d2, d1), 2 * ROW);
      v128.store(q, f32x4.sub(d1, d3), 3 * ROW);
    }
    let o = out + c;
    for (let i = 0, q = vectors; i < 4; i++, q += ROW) {
      const d0 = v128.load(q), d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48);
      v128.store(o, f32x4.sub(d0, d2)); o += channelBytes;
      v128.store(o, f32x4.add(d1, d2)); o += channelBytes;
      v128.store(o, f32x4.sub(d2, d1)); o += channelBytes;
      v128.store(o, f32x4.sub(d1, d3)); o += channelBytes;
    }
  }
}

/** Aᵀ·m·A of 4×4 vectors as up to 2 rows of 2 vectors, 64 bytes from row to row. */
export function output2(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const vectors = scratch + TILE_OUTPUT_BYTES;
  const line = channelBytes * 4;
  for (let j: usize = 0; j < 4; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(f32x4.add(m0, m1), m2));
    v128.store(q, f32x4.sub(f32x4.sub(m1, m2), m3), ROW);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * ROW, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), m1), m2));
    v128.store(q, f32x4.sub(f32x4.sub(m1, m2), v128.load(p, 48)), 16);
  }
}
