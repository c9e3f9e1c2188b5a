/**
 * How kernels are told of an epilogue: batch norm's constants, and a record in memory whose address a kernel takes
 * (`Epilogue` of assembly/epilogue.ts).
 */

import { CLAMP, EPILOGUE_BYTES, HARDSIGMOID, HARDSWISH, SIGMOID, SILU } from '../../wasm/kernels.gen.ts';
import { type Activation, type Epilogue, type Norm, scaleAndShift } from '../rules/epilogue.ts';
import type { Binding } from './algorithm.ts';
import { type Constant, type VectorForm, vectorConstant } from './constant.ts';

/** Batch norm as two constants; nulls where there is no norm. */
export interface NormConstants {
  readonly scale: Constant | null;
  readonly shift: Constant | null;
}

/** The constants of no norm. */
export const NO_NORM: NormConstants = { scale: null, shift: null };

/** Scale and shift of a norm, in the form that the kernel reads. */
export function normConstants(norm: Norm | null, form: VectorForm): NormConstants {
  if (!norm) return NO_NORM;
  return {
    scale: vectorConstant(norm.runningVar, `scale ${norm.eps}`, form, (of) => scaleAndShift(norm, of).scale),
    shift: vectorConstant(norm.runningVar, `shift ${norm.eps}`, form, (of) => scaleAndShift(norm, of).shift),
  };
}

/** What kernels know an activation by. */
const ACTIVATION_CODES: Readonly<Record<Activation['kind'], number>> = {
  clamp: CLAMP,
  hardswish: HARDSWISH,
  hardsigmoid: HARDSIGMOID,
  sigmoid: SIGMOID,
  silu: SILU,
};

/**
 * Writes the record that tells kernels of an epilogue, and returns its address.
 *
 * @param norm the constants of the epilogue's norm
 * @param residual what is added; null for nothing
 */
export function writeEpilogue(
  { kernels, record, addressOf }: Binding,
  { activation }: Pick<Epilogue, 'activation'>,
  { scale, shift }: NormConstants,
  residual: Binding['residual'],
): number {
  const isClamp = activation?.kind === 'clamp';
  const view = new DataView(kernels.memory.buffer, record, EPILOGUE_BYTES);
  const words = [addressOf(scale), addressOf(shift), residual?.address ?? 0, residual?.pixelBytes ?? 0];
  [...words, activation ? ACTIVATION_CODES[activation.kind] : CLAMP].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  view.setFloat32(20, isClamp ? activation.min : -Infinity, true);
  view.setFloat32(24, isClamp ? activation.max : Infinity, true);
  return record;
}
