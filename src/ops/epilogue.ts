/** The epilogue's own rules: its constants, its reference, and the addresses that kernels take. */

import type { Parameter } from '../tensor/parameter.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import {
  type Activation,
  type Binding,
  type Constant,
  type Epilogue,
  NO_EPILOGUE,
  type Norm,
  type Packer,
} from './op.ts';

/** How a vector of channels is laid out: `groups` runs, each padded to a multiple of `panel` floats. */
export interface VectorForm {
  readonly channels: number;
  readonly groups: number;
  readonly panel: 4 | 8;
}

/** Floats of a vector in its form. */
function vectorLength({ channels, groups, panel }: VectorForm): number {
  return groups * Math.ceil(channels / groups / panel) * panel;
}

/** A parameter's values as float32. */
type ValuesOf = (state: Parameter) => Float32Array;

const currentValues: ValuesOf = (state) => state.values();

/** A constant of one number for each channel, zero where the form pads. */
export function vectorConstant(
  owner: object,
  label: string,
  form: VectorForm,
  values: (of: ValuesOf) => ArrayLike<number>,
): Constant {
  const length = vectorLength(form);
  return {
    owner,
    form: `${label} ${form.groups}x${form.panel}`,
    bytes: length * 4,
    write({ kernels, address, valuesOf }: Packer) {
      const out = new Float32Array(kernels.memory.buffer, address, length).fill(0);
      const channels = form.channels / form.groups;
      const run = length / form.groups;
      const from = values((state) => valuesOf(state).float().data);
      for (let c = 0; c < form.channels; c++) out[Math.floor(c / channels) * run + (c % channels)] = from[c]!;
    },
  };
}

/** Batch norm as scale = weight / √(var + eps) and shift = bias − mean·scale, each rounded once to float32. */
export function scaleAndShift(norm: Norm, of = currentValues): { scale: Float32Array; shift: Float32Array } {
  const mean = of(norm.runningMean);
  const variance = of(norm.runningVar);
  const weight = norm.weight && of(norm.weight);
  const bias = norm.bias && of(norm.bias);
  const scale = new Float32Array(mean.length);
  const shift = new Float32Array(mean.length);
  for (let c = 0; c < mean.length; c++) {
    const s = (weight ? weight[c]! : 1) / Math.sqrt(variance[c]! + norm.eps);
    scale[c] = s;
    shift[c] = (bias ? bias[c]! : 0) - mean[c]! * s;
  }
  return { scale, shift };
}

/** A bias in its form; none where there is no bias. */
export function biasConstants(bias: Parameter | null, form: VectorForm): readonly Constant[] {
  return bias ? [vectorConstant(bias, 'bias', form, (of) => of(bias))] : [];
}

/** Scale and shift of an epilogue's norm as constants, in that order; none where there is no norm. */
export function normConstants({ norm }: Epilogue, form: VectorForm): readonly Constant[] {
  if (!norm) return [];
  return [
    vectorConstant(norm.runningVar, `scale ${norm.eps}`, form, (of) => scaleAndShift(norm, of).scale),
    vectorConstant(norm.runningVar, `shift ${norm.eps}`, form, (of) => scaleAndShift(norm, of).shift),
  ];
}

/** The last arguments of every kernel with an epilogue. */
export type EpilogueArguments = readonly [
  scale: number,
  shift: number,
  residual: number,
  residualBytes: number,
  activation: number,
  lo: number,
  hi: number,
];

/** The epilogue's arguments, its constants being the last two where there is a norm. */
export function epilogueArguments({ epilogue, constants, residual }: Binding): EpilogueArguments {
  const [scale, shift] = epilogue.norm ? constants.slice(-2) : [0, 0];
  return [
    scale!,
    shift!,
    residual?.address ?? 0,
    residual?.pixelBytes ?? 0,
    ...activationArguments(epilogue.activation),
  ];
}

/** What kernels know an activation by: see assembly/epilogue.ts. */
const ACTIVATIONS = ['clamp', 'hardswish', 'hardsigmoid', 'sigmoid', 'silu'] as const;

const UNCLAMPED = [-Infinity, Infinity] as const;

/** The arguments of an epilogue that does nothing. */
export const NO_EPILOGUE_ARGUMENTS: EpilogueArguments = [0, 0, 0, 0, 0, ...UNCLAMPED];

function activationArguments(activation: Activation | null): readonly [activation: number, lo: number, hi: number] {
  if (!activation) return [0, ...UNCLAMPED];
  const { kind } = activation;
  return [ACTIVATIONS.indexOf(kind), ...(kind === 'clamp' ? ([activation.min, activation.max] as const) : UNCLAMPED)];
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
  }
}

/** Applies an epilogue to what an op's reference returned. */
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
