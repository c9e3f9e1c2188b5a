/**
 * What convolutions, additions and batch norm do to their sums last. A kernel takes the address of a record, which
 * src/ops/lowering/epilogue.ts writes; so a kernel has one epilogue, whatever is fused.
 */

import { HARDSWISH } from "./layout";

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

/**
 * The activation of four lanes, where it is CLAMP (ReLU and ReLU6 too) or HARDSWISH. Others leave the lanes as they
 * are: kernels call {@link activatePixels} after their stores.
 */
// @ts-ignore: decorator
@inline
export function activate(v: v128, activation: i32, lo: v128, hi: v128): v128 {
  if (activation == HARDSWISH) return hardswish(v);
  else return clamp(v, lo, hi);
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
export function ramp(
  v: v128, three: v128 = f32x4.splat(3), six: v128 = f32x4.splat(6), sixth: v128 = f32x4.splat(1.0 / 6.0),
): v128 {
  return f32x4.mul(clamp(f32x4.add(v, three), f32x4.splat(0), six), sixth);
}
