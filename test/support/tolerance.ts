/**
 * How far two right answers in float32 may be apart. Bounds are derived from the number of roundings, never tuned to
 * what was measured; what only moves or compares numbers must be equal. A number that isn't finite must be the very
 * same.
 */

import type { Tensor } from '../../src/tensor/tensor.ts';

/** The unit roundoff of float32: a rounding moves a number by at most this part of it. */
export const ROUNDOFF = 2 ** -24;

/**
 * The c of {@link sumBound}. A sum of K terms in float32 rounds 2K times, products and partial sums; no partial sum is
 * larger than Σ|term|. Where roundings are independent, their errors add up as √K·2⁻²⁴·Σ|term|/√3 in one standard
 * deviation, √2 times that for the difference of two such sums: 0.82. Five deviations, which a million outputs don't
 * exceed, are c = 4. For few terms it covers the worst case too: K + 1 roundings on both sides of a term, 2(K + 1) ≤
 * 4√K for K = 1.
 */
const SUM_FACTOR = 4;

/** The most by which two float32 sums of `terms` may differ, whatever their orders; `magnitude` is Σ|term|. */
export function sumBound(terms: number, magnitude: number): number {
  return SUM_FACTOR * Math.sqrt(terms) * ROUNDOFF * magnitude;
}

/** Products that kernels of matrix products add up one after the other. */
const RUN = 256;

/**
 * The most by which a convolution's or linear layer's sum of `terms` may differ from the exact one, for terms of one
 * sign too, whose roundings needn't be independent: f32_conv2d's bound, and one rounding of the expected number.
 */
export function runsBound(terms: number, magnitude: number): number {
  return roundingBound(Math.min(terms, RUN) + (2 * terms) / RUN + 4, magnitude);
}

/** The most by which `roundings`, all told on both sides, move a number whose parts are at most `magnitude`. */
export function roundingBound(roundings: number, magnitude: number): number {
  return roundings * ROUNDOFF * magnitude;
}

/** Where two tensors are furthest apart, as a part of the bound there; `ratio` ≤ 1 says that they agree. */
export interface Disagreement {
  readonly ratio: number;
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
  readonly bound: number;
}

/**
 * The worst disagreement of two arrays. NaN equals NaN, and 0 equals −0: no op of PyTorch promises a zero's sign.
 *
 * @param boundAt what the two may differ by at an index; only asked where the expected number is finite
 */
export function worstDisagreement(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  boundAt: (index: number) => number,
): Disagreement {
  let worst: Disagreement = { ratio: 0, index: -1, actual: Number.NaN, expected: Number.NaN, bound: 0 };
  for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
    const [a, e] = [actual[index]!, expected[index]!];
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const bound = Number.isFinite(e) ? boundAt(index) : 0;
    const ratio = Number.isFinite(a) && bound > 0 ? Math.abs(a - e) / bound : Infinity;
    if (ratio > worst.ratio) worst = { ratio, index, actual: a, expected: e, bound };
  }
  return worst;
}

/** The largest absolute value of the finite ones. */
export function largest({ data }: Tensor<Float32Array>): number {
  return data.reduce((max, v) => (Number.isFinite(v) ? Math.max(max, Math.abs(v)) : max), 0);
}
