/**
 * The instruction set: multiply-adds, which are all that differs between the binaries, vectors of one number, the few
 * lane moves that several kernels need, and binary16s. Everything but {@link widenHalves} is inlined.
 */

/**
 * c + a·b on four lanes: one rounding in the relaxed binary, two in the simd binary. The simd binary is made of the
 * relaxed one (scripts/fused.mjs); the debug binary is compiled without fusing, too.
 */
// @ts-ignore: decorator
@inline
export function madd(c: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/** c − a·b on four lanes, rounded as {@link madd} rounds. */
// @ts-ignore: decorator
@inline
export function msub(c: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  else return f32x4.sub(c, f32x4.mul(a, b));
}

/**
 * A vector of `value` that V8 can't prove constant: `value` · `one`, where `one` is a variable that is 1. V8 builds a
 * constant vector anew at each use, which costs in loops of few sums.
 */
// @ts-ignore: decorator
@inline
export function variable(value: f32, one: i32): v128 {
  return f32x4.splat(value * <f32>one);
}

/** Two float64 sums, each with the first or second of four float32 lanes added. */
// @ts-ignore: decorator
@inline
export function addLow(sums: v128, v: v128): v128 {
  return f64x2.add(sums, f64x2.promote_low_f32x4(v));
}

/** The same with the third and fourth lanes. */
// @ts-ignore: decorator
@inline
export function addHigh(sums: v128, v: v128): v128 {
  return f64x2.add(sums, f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1)));
}

/** Four float64 numbers rounded to float32. */
// @ts-ignore: decorator
@inline
export function demote(low: v128, high: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
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

/** A binary16 whose bits without the sign are at least this is infinite or a NaN. */
export const HALF_INFINITY: i32 = 0x7c00;

/**
 * Four binary16s as float32, from 32-bit lanes that hold their bits sign-extended: exact for numbers, subnormal ones
 * too, since the product with 2¹¹² only moves the exponent. Infinities and NaN come out as numbers: see {@link
 * widenAny}.
 */
// @ts-ignore: decorator
@inline
export function widenFinite(lanes: v128): v128 {
  const bits = v128.and(i32x4.shl(lanes, 13), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(reinterpret<f32>(0x77800000)));
}

/** The same, exact for infinities and NaN as well. */
// @ts-ignore: decorator
@inline
export function widenAny(lanes: v128): v128 {
  const exponent = i32x4.splat(HALF_INFINITY);
  const special = i32x4.eq(v128.and(lanes, exponent), exponent);
  return v128.or(widenFinite(lanes), v128.and(special, i32x4.splat(0x7f800000)));
}

/** Widens `count` binary16s, a multiple of eight, to float32: exact for all 65536, a NaN keeping its bits. */
export function widenHalves(count: i32, x: usize, out: usize): void {
  const end = x + (<usize>count << 1);
  let from = x, to = out;
  let largest = i16x8.splat(0);
  while (from < end) {
    const v = v128.load(from);
    largest = i16x8.max_s(largest, v128.and(v, i16x8.splat(0x7fff)));
    v128.store(to, widenFinite(i32x4.extend_low_i16x8_s(v)));
    v128.store(to, widenFinite(i32x4.extend_high_i16x8_s(v)), 16);
    from += 16;
    to += 32;
  }
  // Weights are hardly ever infinite: rather than asking of each, all are widened again.
  if (!v128.any_true(i16x8.ge_s(largest, i16x8.splat(<i16>HALF_INFINITY)))) return;
  from = x;
  to = out;
  while (from < end) {
    const v = v128.load(from);
    v128.store(to, widenAny(i32x4.extend_low_i16x8_s(v)));
    v128.store(to, widenAny(i32x4.extend_high_i16x8_s(v)), 16);
    from += 16;
    to += 32;
  }
}
