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
