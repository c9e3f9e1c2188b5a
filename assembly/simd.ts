/**
 * The instruction set: what differs between the simd and the relaxed binary, and the few lane moves that
 * several kernels need. The only file that asks for a feature; everything here is inlined.
 */

/** c + a·b on four lanes: one rounding in the relaxed binary, two in the simd binary. */
// @ts-ignore: decorator
@inline
export function madd(c: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(c, f32x4.mul(a, b));
}

/** c + a·b on one number, rounded as {@link madd} rounds. */
// @ts-ignore: decorator
@inline
export function madd1(c: f32, a: f32, b: f32): f32 {
  return f32x4.extract_lane(madd(f32x4.splat(c), f32x4.splat(a), f32x4.splat(b)), 0);
}

/** min(max(v, lo), hi) on four lanes; a NaN in `v` stays. One instruction each, unlike f32x4.min and max. */
// @ts-ignore: decorator
@inline
export function clamp(v: v128, lo: v128, hi: v128): v128 {
  return f32x4.pmin(f32x4.pmax(v, lo), hi);
}

/** Stores the first `lanes` (1 to 4) of `v`, and no byte more. */
// @ts-ignore: decorator
@inline
export function storeLanes(to: usize, v: v128, lanes: i32): void {
  if (lanes >= 4) {
    v128.store(to, v);
  } else {
    if (lanes & 2) v128.store64_lane(to, v, 0);
    if (lanes == 3) v128.store32_lane(to, v, 2, 8);
    if (lanes == 1) v128.store32_lane(to, v, 0);
  }
}
