/** Activations after HARDSWISH, which go by an exponential but for HARDSIGMOID: a pass over pixels that are stored. */

import { clamp, ramp, variable } from "./epilogue";
import { GELU, HARDSIGMOID, SIGMOID } from "./layout";
import { madd, storeLanes } from "./simd";

/**
 * HARDSIGMOID, SIGMOID, SILU or GELU in place, of `channels` floats of each pixel. Kernels call it after their stores:
 * with these activations in registers, their loops would have more code. Steps of the loop don't depend on each other,
 * so a processor has several of them at work at once.
 *
 * The exponential is eˣ = 2ⁿ·eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2, eʳ by its Taylor polynomial of degree 7.
 * It is within 2 ulp where it is normal, infinite where float32 can't hold it, and about 0 below −87; a NaN stays.
 */
export function activatePixels(pixels: i32, channels: i32, out: usize, outBytes: usize, activation: i32): void {
  const isGelu = activation == GELU, isSigmoid = activation == SIGMOID;
  // All of them are variable, so that V8 makes each number once, and not at each use.
  const is = i32(pixels > 0);
  const one = variable(1, is), half = variable(0.5, is);
  const least = variable(-87, is), most = variable(89, is), perLn2 = variable(1.44269504088896341, is);
  // ln 2 in two parts, so that n times the first is exact.
  const ln2 = variable(0.693359375, is), ln2Rest = variable(2.12194440e-4, is);
  const c3 = variable(1.0 / 6.0, is), c4 = variable(1.0 / 24.0, is), c5 = variable(1.0 / 120.0, is);
  const c6 = variable(1.0 / 720.0, is), c7 = variable(1.0 / 5040.0, is);
  for (let i = 0; i < pixels; i++) {
    let at = out;
    for (let c = channels; c > 0; c -= 4) {
      const v = v128.load(at);
      let y: v128;
      if (activation == HARDSIGMOID) {
        y = ramp(v);
      } else {
        const z = f32x4.mul(f32x4.abs(v), f32x4.splat(0.70710678));
        const x = clamp(f32x4.neg(isGelu ? f32x4.mul(z, z) : v), least, most);
        const n = f32x4.nearest(f32x4.mul(x, perLn2));
        const r = f32x4.add(f32x4.sub(x, f32x4.mul(n, ln2)), f32x4.mul(n, ln2Rest));
        let p = madd(c6, c7, r);
        p = madd(c5, p, r);
        p = madd(c4, p, r);
        p = madd(c3, p, r);
        p = madd(half, p, r);
        p = madd(one, p, r);
        p = madd(one, p, r);
        // 2ⁿ⁻¹ twice, since 2¹²⁸ has no bits of its own but p·2¹²⁸ may have.
        p = f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(126)), 23));
        p = f32x4.add(p, p);
        y = isGelu ? gelu(v, z, p) : f32x4.div(isSigmoid ? one : v, f32x4.add(one, p));
      }
      storeLanes(at, y, c);
      at += 16;
    }
    out += outBytes;
  }
}

/**
 * v·Φ(v). Φ(−z·√2) = erfc(z) / 2 by a polynomial in t = 1 / (1 + p·z), within 7.5e-8 of it.
 *
 * @see Abramowitz and Stegun 1964, 7.1.26
 * @param z |v| / √2
 * @param e the exponential of −z²
 */
// @ts-ignore: decorator
@inline
function gelu(v: v128, z: v128, e: v128): v128 {
  const one = f32x4.splat(1);
  const t = f32x4.div(one, madd(one, z, f32x4.splat(0.3275911)));
  let p = f32x4.splat(0.5307027);
  p = madd(f32x4.splat(-0.7265760), p, t);
  p = madd(f32x4.splat(0.7107069), p, t);
  p = madd(f32x4.splat(-0.1422484), p, t);
  p = madd(f32x4.splat(0.1274148), p, t);
  const tail = f32x4.mul(f32x4.mul(p, t), e);
  return f32x4.mul(v, v128.bitselect(f32x4.sub(one, tail), tail, f32x4.gt(v, f32x4.splat(0))));
}
