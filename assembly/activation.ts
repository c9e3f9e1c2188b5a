/**
 * The activations that kernels don't have in registers (HARDSIGMOID, SIGMOID, SILU, GELU): a pass over pixels that are
 * stored. All but HARDSIGMOID go by an exponential.
 */

import { clamp, ramp } from "./epilogue";
import { GELU, HARDSIGMOID, SIGMOID } from "./layout";
import { madd, msub, storeLanes, variable } from "./simd";

/**
 * HARDSIGMOID, SIGMOID, SILU or GELU in place, of `channels` floats of each pixel. Kernels call it after their stores:
 * with these activations in registers, their loops would have more code. Steps of the loop don't depend on each other,
 * so a processor has several of them at work at once. What a call makes ready takes as long as a few pixels of eight
 * channels. So kernels call it for many of them.
 *
 * All go by e⁻ˣ = 2ⁿ·e⁻ʳ with n = −round(x / ln 2) and |r| ≤ ln 2 / 2. e⁻ʳ is a polynomial of degree 5 whose last four
 * coefficients are those of least error: 1.1e-7 of e⁻ʳ, where the Taylor polynomial is off by 3.2e-6. The exponential
 * is within 2 ulp where it is normal, infinite where float32 can't hold it, and about 0 beyond 87; a NaN stays.
 *
 * GELU is v·Φ(v). Φ(−z·√2) = erfc(z) / 2 by a polynomial in t = 1 / (1 + p·z), within 7.5e-8 of it.
 *
 * @see Abramowitz and Stegun 1964, 7.1.26, for erfc
 */
export function activatePixels(pixels: i32, channels: i32, out: usize, outBytes: usize, activation: i32): void {
  const isGelu = activation == GELU, isSigmoid = activation == SIGMOID;
  // A 1 that V8 can't know: see variable. So V8 makes each of these vectors once, and not at each use.
  const is = i32(pixels > 0);
  const least = variable(-89, is), most = variable(87, is), perLn2 = variable(-1.44269504088896341, is);
  // Above 2²³ a float32 is an integer: a sum with it is rounded to one. Its last bits are n + 126.
  const integers = variable(12582912 + 126, is);
  // ln 2 in two parts, so that n times the first is exact.
  const ln2 = variable(0.693359375, is), ln2Rest = variable(-2.12194440e-4, is);
  const one = variable(1, is), c2 = variable(0.4999923030354379, is);
  const c3 = variable(-0.16667115396750104, is), c4 = variable(0.041890332422823855, is);
  const c5 = variable(-0.008312500909822575, is);
  const g1 = variable(0.1274148, is), g2 = variable(-0.1422484, is), g3 = variable(0.7107069, is);
  const g4 = variable(-0.7265760, is), g5 = variable(0.5307027, is), perZ = variable(0.3275911, is);
  for (let i = 0; i < pixels; i++) {
    let at = out;
    for (let c = channels; c > 0; c -= 4) {
      const v = v128.load(at);
      let y: v128;
      if (activation == HARDSIGMOID) {
        y = ramp(v);
      } else {
        let z = v, x = v;
        if (isGelu) {
          z = f32x4.mul(f32x4.abs(v), f32x4.splat(0.70710678));
          x = f32x4.mul(z, z);
        }
        x = clamp(x, least, most);
        const sum = madd(integers, x, perLn2);
        const n = f32x4.sub(sum, integers);
        const r = madd(madd(x, n, ln2), n, ln2Rest);
        let p = madd(c4, c5, r);
        p = madd(c3, p, r);
        p = madd(c2, p, r);
        p = msub(one, p, r);
        p = msub(one, p, r);
        // 2ⁿ⁻¹ twice, since 2¹²⁸ has no bits of its own but p·2¹²⁸ may have.
        p = f32x4.mul(p, i32x4.shl(sum, 23));
        if (isGelu) {
          const t = f32x4.div(one, madd(one, z, perZ));
          const q = madd(g1, madd(g2, madd(g3, madd(g4, g5, t), t), t), t);
          const tail = f32x4.mul(f32x4.mul(q, t), f32x4.add(p, p));
          y = f32x4.mul(v, v128.bitselect(f32x4.sub(one, tail), tail, f32x4.gt(v, f32x4.splat(0))));
        } else {
          y = f32x4.div(isSigmoid ? one : v, f32x4.add(one, f32x4.add(p, p)));
        }
      }
      storeLanes(at, y, c);
      at += 16;
    }
    out += outBytes;
  }
}
