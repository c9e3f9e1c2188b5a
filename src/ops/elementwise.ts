/** Numbers made of numbers one by one, by host steps: arithmetic with a number. */

import { elementwise } from './lowering/host.ts';
import type { Op } from './op.ts';

/** Attributes of arithmetic with a number, which is a float32. */
export interface ScalarAttrs {
  readonly number: number;
}

/** x + number. */
export const addNumber: Op<ScalarAttrs> = elementwise('add', (v, { number }) => v + number);

/** x·number. */
export const mulNumber: Op<ScalarAttrs> = elementwise('mul', (v, { number }) => v * number);

/** x / number. */
export const divNumber: Op<ScalarAttrs> = elementwise('div', (v, { number }) => v / number);

/** number − x. */
export const numberSub: Op<ScalarAttrs> = elementwise('sub', (v, { number }) => number - v);

/** number / x. */
export const numberDiv: Op<ScalarAttrs> = elementwise('div', (v, { number }) => number / v);

const ROOT = Math.sqrt(2 / Math.PI);

/** x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2. @see torch.nn.functional.gelu with approximate='tanh' */
export const geluTanh: Op<null> = elementwise('gelu', (v) => {
  return 0.5 * v * (1 + Math.tanh(ROOT * (v + 0.044715 * v * v * v)));
});

/** Attributes of curves that have one number. */
export interface AlphaAttrs {
  readonly alpha: number;
}

/** x, and alpha·x where it is negative. @see torch.nn.functional.leaky_relu */
export const leakyRelu: Op<AlphaAttrs> = elementwise('leaky_relu', (v, { alpha }) => (v > 0 ? v : v * alpha));

/** x, and alpha·(eˣ − 1) where it is negative. @see torch.nn.functional.elu */
export const elu: Op<AlphaAttrs> = elementwise('elu', (v, { alpha }) => (v > 0 ? v : alpha * Math.expm1(v)));

/** x, and alpha·(e^(x / alpha) − 1) where it is negative. @see torch.nn.functional.celu */
export const celu: Op<AlphaAttrs> = elementwise('celu', (v, { alpha }) => {
  return Math.max(v, 0) + Math.min(0, alpha * Math.expm1(v / alpha));
});

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** scale·elu(x) with the numbers that keep mean and deviation. @see torch.nn.functional.selu */
export const selu: Op<null> = elementwise('selu', (v) => {
  return SELU_SCALE * (v > 0 ? v : SELU_ALPHA * Math.expm1(v));
});

/** x·tanh(ln(1 + eˣ)). @see torch.nn.functional.mish */
export const mish: Op<null> = elementwise('mish', (v) => v * Math.tanh(v > 20 ? v : Math.log1p(Math.exp(v))));

/** @see torch.tanh */
export const tanh: Op<null> = elementwise('tanh', Math.tanh);

/** Attributes of {@link softplus}. */
export interface SoftplusAttrs {
  readonly beta: number;
  readonly threshold: number;
}

/** ln(1 + e^(beta·x)) / beta, and x where beta·x is above the threshold. @see torch.nn.functional.softplus */
export const softplus: Op<SoftplusAttrs> = elementwise('softplus', (v, { beta, threshold }) => {
  return v * beta > threshold ? v : Math.log1p(Math.exp(v * beta)) / beta;
});
