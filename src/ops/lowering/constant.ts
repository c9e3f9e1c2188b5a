/** Constants: what is derived from parameters, and written once into WASM memory in the order that a kernel reads. */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';
import type { ValuesOf } from '../rules/epilogue.ts';

/** A tensor derived from parameters in the order that a kernel reads, written once into WASM memory. */
export interface Constant {
  /** With `form` the constant's identity: the same owner and form are packed once for all plans. */
  readonly owner: object;
  readonly form: string;
  readonly bytes: number;
  /**
   * The weight that the constant is packed from, and nothing else: once the constant is written, the weight's values
   * may go. Constants without one are made of vectors (biases, batch norm's), which stay: they are small, and taps
   * decide how they are packed.
   */
  readonly weight?: Parameter;
  /** Bytes of scratch memory that writing takes; none where absent. */
  readonly scratchBytes?: number;
  /** @throws ValueError where the form has no room for a value */
  write(packer: Packer): void;
}

/** What a {@link Constant} writes with. */
export interface Packer {
  readonly kernels: Kernels;
  /** Where the constant goes. */
  readonly address: number;
  /** {@link Constant.scratchBytes}, to be used as the constant likes. */
  readonly scratch: number;
  /**
   * A parameter's values in the dtype they came in. Nothing else is read, since a run may want those of an earlier
   * moment.
   */
  valuesOf(state: Parameter): Tensor;
  /** A weight's name, for errors. */
  nameOf(weight: Parameter): string;
}

/** How a vector of channels is laid out: `groups` runs, each padded to a multiple of `panel` floats. */
export interface VectorForm {
  readonly channels: number;
  readonly groups: number;
  /** LANES or PANEL. */
  readonly panel: number;
}

/** Floats of a vector in its form. */
function vectorLength({ channels, groups, panel }: VectorForm): number {
  return groups * Math.ceil(channels / groups / panel) * panel;
}

/**
 * A constant of one number for each channel, zero where the form pads; of `count` vectors, one after the other.
 *
 * @param vectors the values of each
 */
export function vectorConstant(
  owner: object,
  label: string,
  form: VectorForm,
  vectors: (of: ValuesOf) => readonly Float32Array[],
  count = 1,
): Constant {
  const length = vectorLength(form);
  return {
    owner,
    form: `${label} ${form.groups}x${form.panel}`,
    bytes: count * length * 4,
    write({ kernels, address, valuesOf }) {
      const out = new Float32Array(kernels.memory.buffer, address, count * length).fill(0);
      const channels = form.channels / form.groups;
      vectors((state) => valuesOf(state).float().data).forEach((from, vector) => {
        for (let group = 0; group < form.groups; group++) {
          const values = from.subarray(group * channels, (group + 1) * channels);
          out.set(values, vector * length + (group * length) / form.groups);
        }
      });
    },
  };
}

/** A bias in its form; null where there is none. */
export function biasConstant(bias: Parameter | null, form: VectorForm): Constant | null {
  return bias && vectorConstant(bias, 'bias', form, (of) => [of(bias)]);
}
