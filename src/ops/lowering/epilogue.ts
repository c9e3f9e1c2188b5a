/**
 * How kernels are told of an epilogue: batch norm's constant, and a record in memory whose address a kernel takes
 * (`Epilogue` of assembly/epilogue.ts).
 */

import { CLAMP, GELU, HARDSIGMOID, HARDSWISH, SIGMOID, SILU } from '../../wasm/kernels.gen.ts';
import { type Activation, type Epilogue, type Norm, parametersOfNorm, scaleAndShift } from '../rules/epilogue.ts';
import type { Binding } from './algorithm.ts';
import { type Constant, type VectorLayout, vectorConstant } from './constant.ts';

/** Scale and, behind it, shift of a norm, in the layout that the kernel reads; null where there is no norm. */
export function normConstant(norm: Norm | null, layout: VectorLayout): Constant | null {
  if (!norm) return null;
  return vectorConstant(`norm ${norm.eps}`, parametersOfNorm(norm), layout, 2, (values) => {
    const { scale, shift } = scaleAndShift(norm, values);
    return [scale, shift];
  });
}

/** What kernels know an activation by. */
const ACTIVATION_CODES: Readonly<Record<Activation['kind'], number>> = {
  clamp: CLAMP,
  hardswish: HARDSWISH,
  hardsigmoid: HARDSIGMOID,
  sigmoid: SIGMOID,
  silu: SILU,
  gelu: GELU,
};

/**
 * Writes the record that tells kernels of an epilogue, and returns its address.
 *
 * @param norm the constant of the epilogue's norm
 * @param residual what is added; null for nothing
 */
export function writeEpilogue(
  { kernels, record, addressOf }: Binding,
  { activation }: Pick<Epilogue, 'activation'>,
  norm: Constant | null,
  residual: Binding['residual'],
): number {
  // In the order of the fields of `Epilogue` in assembly/epilogue.ts: five words, then two floats.
  const { buffer } = kernels.memory;
  const scale = addressOf(norm);
  const shift = norm ? scale + norm.bytes / 2 : 0;
  const code = activation ? ACTIVATION_CODES[activation.kind] : CLAMP;
  new Uint32Array(buffer, record).set([scale, shift, residual?.address ?? 0, residual?.pixelBytes ?? 0, code]);
  const limits = activation?.kind === 'clamp' ? [activation.min, activation.max] : [-Infinity, Infinity];
  new Float32Array(buffer, record + 20).set(limits);
  return record;
}
