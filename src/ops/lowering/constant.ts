/** Constants: what is derived from parameters, and written once into WASM memory in the order that a kernel reads. */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';

/** A tensor derived from parameters in the order that a kernel reads, written once into WASM memory. */
export interface Constant {
  /**
   * With `form` the constant's identity: the same owner and form are packed once for all plans. So they tell apart
   * constants that differ in any of the parameters that they are made of.
   */
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

/** How a vector of channels is laid out: the channels of each group together, padded to a multiple of floats. */
export interface VectorLayout {
  readonly channels: number;
  readonly groups: number;
  /** LANES for kernels that read vectors by fours; PANEL for those that read them by panels. */
  readonly multiple: number;
}

/** Floats of a vector in its layout. */
function vectorLength({ channels, groups, multiple }: VectorLayout): number {
  return groups * Math.ceil(channels / groups / multiple) * multiple;
}

/** A number for each parameter that a vector was made of. Forms tell parameters apart by it. */
const numbers = new WeakMap<Parameter, number>();

let lastNumber = 0;

function numberOf(parameter: Parameter | null): number {
  if (!parameter) return 0;
  const number = numbers.get(parameter) ?? ++lastNumber;
  numbers.set(parameter, number);
  return number;
}

/**
 * A constant of one number for each channel, zero where the layout pads; of `count` vectors, one after the other.
 *
 * The parameters are all that the vectors depend on beside `name` and layout, so they are a part of the form: norms
 * that share only some of their tensors are packed apart.
 *
 * @param vectors the vectors, made of the parameters' values as float32; undefined for null
 */
export function vectorConstant(
  name: string,
  parameters: readonly (Parameter | null)[],
  layout: VectorLayout,
  count: number,
  vectors: (values: readonly (Float32Array | undefined)[]) => readonly Float32Array[],
): Constant {
  const length = vectorLength(layout);
  const { channels, groups, multiple } = layout;
  return {
    owner: parameters.find((parameter) => parameter)!,
    form: `${name} ${parameters.map(numberOf)} ${groups}x${multiple}`,
    bytes: count * length * 4,
    write({ kernels, address, valuesOf }) {
      const out = new Float32Array(kernels.memory.buffer, address, count * length).fill(0);
      const ofGroup = channels / groups;
      const values = parameters.map((parameter) => (parameter ? valuesOf(parameter).float().data : undefined));
      vectors(values).forEach((from, vector) => {
        for (let group = 0; group < groups; group++) {
          const part = from.subarray(group * ofGroup, (group + 1) * ofGroup);
          out.set(part, vector * length + (group * length) / groups);
        }
      });
    },
  };
}

/** A bias in its layout; null where there is none. */
export function biasConstant(bias: Parameter | null, layout: VectorLayout): Constant | null {
  return bias && vectorConstant('bias', [bias], layout, 1, ([values]) => [values!]);
}
