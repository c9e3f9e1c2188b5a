/**
 * The epilogue: what a node does to its sums before it stores them. Here is what an epilogue means; how kernels are
 * told of one is in lowering/epilogue.ts.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import { Tensor } from '../../tensor/tensor.ts';

/** Batch norm's tensors, each of one element for each channel. */
export interface Norm {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  readonly eps: number;
}

/** The parameters that a norm is made of. */
export function parametersOfNorm({ weight, bias, runningMean, runningVar }: Norm): readonly (Parameter | null)[] {
  return [weight, bias, runningMean, runningVar];
}

/** An activation that kernels apply: a clamp (ReLU is 0 to ∞, ReLU6 0 to 6) or one of PyTorch's curves by its name. */
export type Activation =
  | { readonly kind: 'clamp'; readonly min: number; readonly max: number }
  | { readonly kind: 'hardswish' | 'hardsigmoid' | 'sigmoid' | 'silu' | 'gelu' };

/**
 * What a kernel does to its sums before storing: activation(sum·scale + shift + residual). The order is fixed, and each
 * part rounds as the op of its own would, so fusing never changes a bit.
 */
export interface Epilogue {
  readonly norm: Norm | null;
  /** True where the node's last input is added. */
  readonly residual: boolean;
  readonly activation: Activation | null;
}

/** An epilogue that does nothing. */
export const NO_EPILOGUE: Epilogue = { norm: null, residual: false, activation: null };

/** The parts of an epilogue, in the order in which kernels apply them. */
export const EPILOGUE_ORDER = ['norm', 'residual', 'activation'] as const;

/** One part of an {@link Epilogue}. */
export type EpiloguePart = { readonly norm: Norm } | { readonly residual: true } | { readonly activation: Activation };

/**
 * Batch norm as scale = weight / √(var + eps) and shift = bias − mean·scale, each rounded once to float32.
 *
 * @param values of {@link parametersOfNorm}, undefined for null; what the parameters hold now, unless given
 */
export function scaleAndShift(
  norm: Norm,
  values: readonly (Float32Array | undefined)[] = parametersOfNorm(norm).map((parameter) => parameter?.values()),
): { scale: Float32Array; shift: Float32Array } {
  const [weight, bias, mean, variance] = values;
  const { length } = mean!;
  const scale = new Float32Array(length);
  const shift = new Float32Array(length);
  for (let c = 0; c < length; c++) {
    const s = (weight ? weight[c]! : 1) / Math.sqrt(variance![c]! + norm.eps);
    scale[c] = s;
    shift[c] = (bias ? bias[c]! : 0) - mean![c]! * s;
  }
  return { scale, shift };
}

/** The value of an activation, in float64. */
export function referenceActivation(activation: Activation, v: number): number {
  const ramp = () => Math.min(Math.max(v + 3, 0), 6) / 6;
  switch (activation.kind) {
    case 'clamp':
      return Math.min(Math.max(v, activation.min), activation.max);
    case 'hardswish':
      return v * ramp();
    case 'hardsigmoid':
      return ramp();
    case 'sigmoid':
      return 1 / (1 + Math.exp(-v));
    case 'silu':
      return v / (1 + Math.exp(-v));
    case 'gelu':
      return (v * erfc(-v * Math.SQRT1_2)) / 2;
  }
}

/** 1 − erf(x) = 2/√π·∫ₓ^∞ e^(−t²) dt: erf by its series near 0, otherwise a continued fraction. */
function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  const size = Math.abs(x);
  let value: number;
  if (size < 2.5) {
    let [term, sum] = [size, size];
    for (let n = 1; n < 60; n++) {
      term *= -(size * size) / n;
      sum += term / (2 * n + 1);
    }
    value = 1 - (2 / Math.sqrt(Math.PI)) * sum;
  } else {
    let fraction = size;
    for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
    value = size > 30 ? 0 : Math.exp(-size * size) / (Math.sqrt(Math.PI) * fraction);
  }
  return x < 0 ? 2 - value : value;
}

/** Applies an epilogue to what an op's reference returned, by plain loops. */
export function referenceEpilogue(
  x: Tensor<Float32Array>,
  epilogue: Epilogue,
  residual: Tensor<Float32Array> | null,
): Tensor<Float32Array> {
  if (epilogue === NO_EPILOGUE) return x;
  const affine = epilogue.norm ? scaleAndShift(epilogue.norm) : null;
  const [, channels] = x.shape as [number, number];
  const plane = numel(x.shape.slice(2));
  const out = new Float32Array(x.data.length);
  for (let i = 0; i < out.length; i++) {
    let v = x.data[i]!;
    if (affine) {
      const c = Math.floor(i / plane) % channels;
      v = Math.fround(v * affine.scale[c]! + affine.shift[c]!);
    }
    if (residual) v = Math.fround(v + residual.data[i]!);
    out[i] = epilogue.activation ? referenceActivation(epilogue.activation, v) : v;
  }
  return new Tensor(out, x.shape);
}
