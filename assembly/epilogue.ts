/**
 * What convolutions, additions and batch norm do to their sums last. A kernel takes the address of a record, which
 * src/ops/lowering/epilogue.ts writes; so a kernel has one epilogue, whatever is fused.
 */

import { CLAMP, GELU, HARDSIGMOID, HARDSWISH, SIGMOID } from "./layout";
import { madd, storeLanes } from "./simd";

/** activation(v·scale + shift + residual). The record has EPILOGUE_BYTES; addresses are 0 for none. */
@unmanaged
export class Epilogue {
  /** Addresses of vectors, whose length and order are the kernel's. */
  scale: usize;
  shift: usize;
  /** The address of what is added: pixels `residualBytes` apart, in the output's order. */
  residual: usize;
  residualBytes: usize;
  /** CLAMP, HARDSWISH, HARDSIGMOID, SIGMOID, SILU or GELU. */
  activation: i32;
  /** The limits of CLAMP; −∞ and ∞ for the other activations. */
  lo: f32;
  hi: f32;
}

/** min(max(v, lo), hi) on four lanes; a NaN in `v` stays. One instruction each, unlike f32x4.min and max. */
// @ts-ignore: decorator
@inline
export function clamp(v: v128, lo: v128, hi: v128): v128 {
  return f32x4.pmin(f32x4.pmax(v, lo), hi);
}

/** The activation of four lanes. CLAMP is ReLU and ReLU6 too. */
// @ts-ignore: decorator
@inline
export function activate(v: v128, activation: i32, lo: v128, hi: v128): v128 {
  if (activation == CLAMP) return clamp(v, lo, hi);
  else if (activation == HARDSWISH) return hardswish(v);
  else return curve(v, activation);
}

/**
 * Applies an activation after HARDSWISH in place, to `channels` floats of each pixel. f32_conv2d calls it after its
 * stores: with these activations in registers its tiles would have more code.
 */
export function activatePixels(pixels: i32, channels: i32, out: usize, outBytes: usize, activation: i32): void {
  for (let i = 0; i < pixels; i++) {
    let at = out;
    for (let c = 0; c < channels; c += 4) {
      storeLanes(at, curve(v128.load(at), activation), channels - c);
      at += 16;
    }
    out += outBytes;
  }
}

/**
 * `value` · `one`, where `one` is a variable that is 1: a vector that V8 can't prove constant. V8 builds a constant
 * vector anew at each use, which costs in loops of few sums.
 */
// @ts-ignore: decorator
@inline
export function variable(value: f32, one: i32): v128 {
  return f32x4.splat(value * <f32>one);
}

/** v·min(max(v + 3, 0), 6) / 6; its numbers may be {@link variable}. */
// @ts-ignore: decorator
@inline
export function hardswish(
  v: v128, three: v128 = f32x4.splat(3), six: v128 = f32x4.splat(6), sixth: v128 = f32x4.splat(1.0 / 6.0),
): v128 {
  return f32x4.mul(v, ramp(v, three, six, sixth));
}

/**
 * min(max(v + 3, 0), 6) / 6; exactly 1 from v = 3 on. It is a product by 1/6, since processors take several times as
 * long for a quotient.
 */
// @ts-ignore: decorator
@inline
function ramp(
  v: v128, three: v128 = f32x4.splat(3), six: v128 = f32x4.splat(6), sixth: v128 = f32x4.splat(1.0 / 6.0),
): v128 {
  return f32x4.mul(clamp(f32x4.add(v, three), f32x4.splat(0), six), sixth);
}

/**
 * HARDSIGMOID, SIGMOID or SILU. Networks have them seldom, or on few values. So they are a function, and not inlined.
 */
function curve(v: v128, activation: i32): v128 {
  if (activation == HARDSIGMOID) return ramp(v);
  if (activation == GELU) return gelu(v);
  const sum = f32x4.add(f32x4.splat(1), exp(f32x4.neg(v)));
  return f32x4.div(activation == SIGMOID ? f32x4.splat(1) : v, sum);
}

/**
 * v·Φ(v). Φ(−z·√2) = erfc(z) / 2 by a polynomial in t = 1 / (1 + p·z), within 7.5e-8 of it.
 *
 * @see Abramowitz and Stegun 1964, 7.1.26
 */
// @ts-ignore: decorator
@inline
function gelu(v: v128): v128 {
  const z = f32x4.mul(f32x4.abs(v), f32x4.splat(0.70710678));
  const one = f32x4.splat(1);
  const t = f32x4.div(one, madd(one, z, f32x4.splat(0.3275911)));
  let p = f32x4.splat(0.5307027);
  p = madd(f32x4.splat(-0.7265760), p, t);
  p = madd(f32x4.splat(0.7107069), p, t);
  p = madd(f32x4.splat(-0.1422484), p, t);
  p = madd(f32x4.splat(0.1274148), p, t);
  const tail = f32x4.mul(f32x4.mul(p, t), exp(f32x4.neg(f32x4.mul(z, z))));
  return f32x4.mul(v, v128.bitselect(f32x4.sub(one, tail), tail, f32x4.gt(v, f32x4.splat(0))));
}

/**
 * eˣ = 2ⁿ·eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2, eʳ by its Taylor polynomial of degree 7. The result is within
 * 2 ulp where it is normal, infinite where float32 can't hold it, and about 0 below −87; a NaN stays.
 */
function exp(x: v128): v128 {
  x = clamp(x, f32x4.splat(-87), f32x4.splat(89));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  // ln 2 in two parts, so that n times the first is exact.
  const r = f32x4.add(f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375))), f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = f32x4.splat(1.0 / 5040.0);
  p = madd(f32x4.splat(1.0 / 720.0), p, r);
  p = madd(f32x4.splat(1.0 / 120.0), p, r);
  p = madd(f32x4.splat(1.0 / 24.0), p, r);
  p = madd(f32x4.splat(1.0 / 6.0), p, r);
  p = madd(f32x4.splat(0.5), p, r);
  p = madd(f32x4.splat(1), p, r);
  p = madd(f32x4.splat(1), p, r);
  // 2ⁿ⁻¹ twice, since 2¹²⁸ has no bits of its own but p·2¹²⁸ may have.
  const half = f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(126)), 23));
  return f32x4.add(half, half);
}
