/**
 * F(4×4, 3×3), by the points 0, ±a, ±b and ∞ with a = 1/√2 and b = √2. They are half as inaccurate as 0, ±1, ±2 and ∞
 * at the same cost (Lavin and Gray, arXiv:1509.09308; Barabasz et al., arXiv:1803.10986): a² = 1/2, b² = 2, a²·b² = 1,
 * a² + b² = 5/2.
 *
 *          ⎡ 1    0    −5/2   0    1   0 ⎤         ⎡   1      0      0   ⎤
 *          ⎢ 0   −2a   −2     a    1   0 ⎥         ⎢ −2/3  −2a/3  −1/3   ⎥         ⎡ 1   1     1     1    1   0 ⎤
 *     Bᵀ = ⎢ 0    2a   −2    −a    1   0 ⎥     G = ⎢ −2/3   2a/3  −1/3   ⎥    Aᵀ = ⎢ 0   a    −a     b   −b   0 ⎥
 *          ⎢ 0  −b/2  −1/2    b    1   0 ⎥         ⎢  1/6    b/6   1/3   ⎥         ⎢ 0  1/2   1/2    2    2   0 ⎥
 *          ⎢ 0   b/2  −1/2   −b    1   0 ⎥         ⎢  1/6   −b/6   1/3   ⎥         ⎣ 0  a/2  −a/2   2b  −2b   1 ⎦
 *          ⎣ 0    1     0   −5/2   0   1 ⎦         ⎣   0      0     1    ⎦
 *
 * Rows of ± points share their even and odd parts: one sum and one difference give both.
 */

import { TILE_ADDRESS_BYTES, TILE_OUTPUT_BYTES } from "../layout";
import { madd, msub, variable } from "../simd";
import { pixelAt } from "./pixel";

/** The points: a = 1/√2 and b = √2. */
// @ts-ignore: decorator
@inline
const A: f32 = 0.70710678118654752;
// @ts-ignore: decorator
@inline
const B: f32 = 1.41421356237309505;

/** Bytes of a row of six vectors, and of a row of six addresses. */
// @ts-ignore: decorator
@inline
const ROW: usize = 96, ADDRESS_ROW: usize = 24;

/** G by three weights, `stride` bytes from point to point. */
// @ts-ignore: decorator
@inline
export function weights4(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  v128.store(to, g0); to += stride;
  let even = madd(f32x4.mul(g0, f32x4.splat(-2.0 / 3.0)), g2, f32x4.splat(-1.0 / 3.0));
  let odd = f32x4.mul(g1, f32x4.splat(A / 1.5));
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, f32x4.add(even, odd)); to += stride;
  even = madd(f32x4.mul(g0, f32x4.splat(1.0 / 6.0)), g2, f32x4.splat(1.0 / 3.0));
  odd = f32x4.mul(g1, f32x4.splat(B / 6));
  v128.store(to, f32x4.add(even, odd)); to += stride;
  v128.store(to, f32x4.sub(even, odd)); to += stride;
  v128.store(to, g2);
}

/** Bᵀ·d·B of 6×6 pixels, whose addresses lie at `scratch`. */
export function input4(scratch: usize, channelBytes: usize, out: usize, one: i32): void {
  const vectors = scratch + TILE_ADDRESS_BYTES;
  const minus5_2 = variable(-2.5, one), minus2 = variable(-2, one), minus1_2 = variable(-0.5, one);
  const a = variable(A, one), b = variable(B, one);
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 6; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d1 = pixelAt(p + ADDRESS_ROW, c), d2 = pixelAt(p + 2 * ADDRESS_ROW, c);
      const d3 = pixelAt(p + 3 * ADDRESS_ROW, c), d4 = pixelAt(p + 4 * ADDRESS_ROW, c);
      const s = madd(d4, d2, minus2), r = madd(d3, d1, minus2);
      const u = madd(d4, d2, minus1_2), v = madd(d3, d1, minus1_2);
      v128.store(q, f32x4.add(pixelAt(p, c), madd(d4, d2, minus5_2)));
      v128.store(q, madd(s, r, a), ROW);
      v128.store(q, msub(s, r, a), 2 * ROW);
      v128.store(q, madd(u, v, b), 3 * ROW);
      v128.store(q, msub(u, v, b), 4 * ROW);
      v128.store(q, f32x4.add(d1, madd(pixelAt(p + 5 * ADDRESS_ROW, c), d3, minus5_2)), 5 * ROW);
    }
    let o = out + c;
    for (let i: usize = 0; i < 6; i++) {
      const q = vectors + i * ROW;
      const d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48), d4 = v128.load(q, 64);
      const s = madd(d4, d2, minus2), r = madd(d3, d1, minus2);
      const u = madd(d4, d2, minus1_2), v = madd(d3, d1, minus1_2);
      v128.store(o, f32x4.add(v128.load(q), madd(d4, d2, minus5_2))); o += channelBytes;
      v128.store(o, madd(s, r, a)); o += channelBytes;
      v128.store(o, msub(s, r, a)); o += channelBytes;
      v128.store(o, madd(u, v, b)); o += channelBytes;
      v128.store(o, msub(u, v, b)); o += channelBytes;
      v128.store(o, f32x4.add(d1, madd(v128.load(q, 80), d3, minus5_2))); o += channelBytes;
    }
  }
}

/** Aᵀ·m·A of 6×6 vectors as up to 4 rows of 4 vectors, 64 bytes from row to row. */
export function output4(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const half = f32x4.splat(0.5), two = f32x4.splat(2);
  // a³ = a/2 and b³ = 2b.
  const a = f32x4.splat(A), b = f32x4.splat(B), a3 = f32x4.splat(A / 2), b3 = f32x4.splat(B * 2);
  const vectors = scratch + TILE_OUTPUT_BYTES;
  const line = channelBytes * 6;
  for (let j: usize = 0; j < 6; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const m4 = v128.load(p); p += line;
    const m5 = v128.load(p);
    const s = f32x4.add(m1, m2), d = f32x4.sub(m1, m2), u = f32x4.add(m3, m4), e = f32x4.sub(m3, m4);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(f32x4.add(m0, s), u));
    v128.store(q, madd(f32x4.mul(d, a), e, b), ROW);
    v128.store(q, madd(f32x4.mul(s, half), u, two), 2 * ROW);
    v128.store(q, madd(madd(m5, d, a3), e, b3), 3 * ROW);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * ROW, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32), m3 = v128.load(p, 48), m4 = v128.load(p, 64);
    const s = f32x4.add(m1, m2), d = f32x4.sub(m1, m2), u = f32x4.add(m3, m4), e = f32x4.sub(m3, m4);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), s), u));
    v128.store(q, madd(f32x4.mul(d, a), e, b), 16);
    v128.store(q, madd(f32x4.mul(s, half), u, two), 32);
    v128.store(q, madd(madd(v128.load(p, 80), d, a3), e, b3), 48);
  }
}
