/**
 * F(3×3, 3×3), by the points ±1/2, ±3/2 and ∞. Bᵀ and Aᵀ are exact in binary; G has sixths.
 *
 *          ⎡ −9/8  −9/4   1/2   1   0 ⎤         ⎡ −1/2  −1/4  −1/8 ⎤
 *          ⎢  9/8  −9/4  −1/2   1   0 ⎥         ⎢  1/2  −1/4   1/8 ⎥         ⎡  1    1     1     1    0 ⎤
 *     Bᵀ = ⎢ −3/8  −1/4   3/2   1   0 ⎥     G = ⎢  1/6   1/4   3/8 ⎥    Aᵀ = ⎢ 1/2 −1/2   3/2  −3/2   0 ⎥
 *          ⎢  3/8  −1/4  −3/2   1   0 ⎥         ⎢ −1/6   1/4  −3/8 ⎥         ⎣ 1/4  1/4   9/4   9/4   1 ⎦
 *          ⎣ 9/16    0   −5/2   0   1 ⎦         ⎣   0     0     1  ⎦
 *
 * Rows of ± points share their even and odd parts: one sum and one difference give both.
 */

import { TILE_ADDRESS_BYTES, TILE_OUTPUT_BYTES } from "../layout";
import { madd, msub, variable } from "../simd";
import { pixelAt } from "./pixel";

/** Bytes of a row of five vectors, and of a row of five addresses. */
// @ts-ignore: decorator
@inline
const ROW: usize = 80, ADDRESS_ROW: usize = 20;

/** G by three weights, `stride` bytes from point to point. */
// @ts-ignore: decorator
@inline
export function weights3(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  let even = f32x4.mul(g1, f32x4.splat(-0.25));
  let odd = madd(f32x4.mul(g0, f32x4.splat(0.5)), g2, f32x4.splat(0.125));
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, f32x4.add(even, odd)); to += stride;
  even = f32x4.mul(g1, f32x4.splat(0.25));
  odd = madd(f32x4.mul(g0, f32x4.splat(1.0 / 6.0)), g2, f32x4.splat(0.375));
  v128.store(to, f32x4.add(even, odd)); to += stride;
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, g2);
}

/** Bᵀ·d·B of 5×5 pixels, whose addresses lie at `scratch`. */
export function input3(scratch: usize, channelBytes: usize, out: usize, one: i32): void {
  const vectors = scratch + TILE_ADDRESS_BYTES;
  const minus1_4 = variable(-0.25, one), minus9_4 = variable(-2.25, one), minus5_2 = variable(-2.5, one);
  const plus9_16 = variable(0.5625, one), a = variable(0.5, one), b = variable(1.5, one);
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 5; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d0 = pixelAt(p, c), d1 = pixelAt(p + ADDRESS_ROW, c);
      const d2 = pixelAt(p + 2 * ADDRESS_ROW, c), d3 = pixelAt(p + 3 * ADDRESS_ROW, c);
      const s = madd(d3, d1, minus9_4), r = madd(d2, d0, minus9_4);
      const u = madd(d3, d1, minus1_4), v = madd(d2, d0, minus1_4);
      v128.store(q, madd(s, r, a));
      v128.store(q, msub(s, r, a), ROW);
      v128.store(q, madd(u, v, b), 2 * ROW);
      v128.store(q, msub(u, v, b), 3 * ROW);
      v128.store(q, madd(madd(pixelAt(p + 4 * ADDRESS_ROW, c), d2, minus5_2), d0, plus9_16), 4 * ROW);
    }
    let o = out + c;
    for (let i: usize = 0; i < 5; i++) {
      const q = vectors + i * ROW;
      const d0 = v128.load(q), d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48);
      const s = madd(d3, d1, minus9_4), r = madd(d2, d0, minus9_4);
      const u = madd(d3, d1, minus1_4), v = madd(d2, d0, minus1_4);
      v128.store(o, madd(s, r, a)); o += channelBytes;
      v128.store(o, msub(s, r, a)); o += channelBytes;
      v128.store(o, madd(u, v, b)); o += channelBytes;
      v128.store(o, msub(u, v, b)); o += channelBytes;
      v128.store(o, madd(madd(v128.load(q, 64), d2, minus5_2), d0, plus9_16)); o += channelBytes;
    }
  }
}

/** Aᵀ·m·A of 5×5 vectors as up to 3 rows of 3 vectors, 64 bytes from row to row. */
export function output3(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const half = f32x4.splat(0.5), plus3_2 = f32x4.splat(1.5), quarter = f32x4.splat(0.25), plus9_4 = f32x4.splat(2.25);
  const vectors = scratch + TILE_OUTPUT_BYTES;
  const line = channelBytes * 5;
  for (let j: usize = 0; j < 5; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const m4 = v128.load(p);
    const s = f32x4.add(m0, m1), d = f32x4.sub(m0, m1), u = f32x4.add(m2, m3), e = f32x4.sub(m2, m3);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(s, u));
    v128.store(q, madd(f32x4.mul(d, half), e, plus3_2), ROW);
    v128.store(q, madd(madd(m4, s, quarter), u, plus9_4), 2 * ROW);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * ROW, q = scratch + <usize>i * 64;
    const m0 = v128.load(p), m1 = v128.load(p, 16), m2 = v128.load(p, 32), m3 = v128.load(p, 48);
    const s = f32x4.add(m0, m1), d = f32x4.sub(m0, m1), u = f32x4.add(m2, m3), e = f32x4.sub(m2, m3);
    v128.store(q, f32x4.add(s, u));
    v128.store(q, madd(f32x4.mul(d, half), e, plus3_2), 16);
    v128.store(q, madd(madd(v128.load(p, 64), s, quarter), u, plus9_4), 32);
  }
}
