/** Layer norm over the last axis, by a host step: sums are in float64, and each result rounds once. */

import { ShapeError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { hostPhase, hostWork, rawConstant } from './lowering/host.ts';
import { relay } from './lowering/relay.ts';
import { channelsOf, pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link layerNorm}. */
export interface LayerNormAttrs {
  /** The size of the last axis. */
  readonly size: number;
  /** Of as many elements. */
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;
}

/** Numbers in a row of an array. */
interface Row {
  readonly data: Float32Array;
  readonly at: number;
}

/**
 * A row's mean less its first number, and its variance, of one pass: by the sums of how far the numbers are from the
 * first one, and of the squares of that. The first one is no further from the mean than √size deviations. So the
 * variance loses at most a part of size·2⁻⁵³, and one number all along has a variance of 0.
 */
function momentsOf({ data, at }: Row, size: number): [beyond: number, variance: number] {
  const first = data[at]!;
  // Every other number by itself, so that a processor doesn't wait for each sum before it begins the next one.
  let even = 0;
  let odd = 0;
  let evenSquares = 0;
  let oddSquares = 0;
  // Of an odd count the first one is left out, which is 0 away from itself.
  for (let i = at + (size & 1), end = at + size; i < end; i += 2) {
    const a = data[i]! - first;
    const b = data[i + 1]! - first;
    even += a;
    odd += b;
    evenSquares += a * a;
    oddSquares += b * b;
  }
  const beyond = (even + odd) / size;
  return [beyond, (evenSquares + oddSquares) / size - beyond * beyond];
}

/** A row less its mean, by its deviation, times the weight, plus the bias. */
function normalize(x: Row, y: Row, attrs: { size: number; eps: number }, weight: Row | null, bias: Row | null): void {
  const { size, eps } = attrs;
  const [beyond, variance] = momentsOf(x, size);
  const scale = 1 / Math.sqrt(variance + eps);
  const { data, at } = x;
  // The first one and what the mean is beyond it are taken off one by one: the mean itself has no room for the bits
  // that a large offset leaves.
  const first = data[at]!;
  const { data: out, at: to } = y;
  if (weight && bias) {
    // Nearly all layers have both, and a loop that asks for neither takes two thirds of the time.
    const { data: w, at: weightAt } = weight;
    const { data: b, at: biasAt } = bias;
    for (let c = 0; c < size; c++)
      out[to + c] = (data[at + c]! - first - beyond) * scale * w[weightAt + c]! + b[biasAt + c]!;
    return;
  }
  for (let c = 0; c < size; c++) {
    const v = (data[at + c]! - first - beyond) * scale * (weight ? weight.data[weight.at + c]! : 1);
    out[to + c] = bias ? v + bias.data[bias.at + c]! : v;
  }
}

/** @see torch.nn.functional.layer_norm */
export const layerNorm: Op<LayerNormAttrs> = {
  name: 'layer_norm',
  axis: 'last',
  relay,
  parameters: ({ weight, bias }) => [weight, bias],

  inferShape([x], { size }) {
    if (x!.at(-1) !== size) {
      throw new ShapeError(`layer_norm: expected x of shape [*, ${size}], got ${formatShape(x!)}`);
    }
    return x!;
  },

  algorithms: [
    {
      name: 'host',
      prepare({ attrs: { weight, bias, eps }, output: shape }) {
        const constants = [rawConstant(weight), rawConstant(bias)] as const;
        return {
          work: hostWork([shape]),
          constants,
          phases({ kernels, inputs, output, addressOf }) {
            const x = inputs[0]!;
            const [pixels, channels] = [pixelsOf(output.shape), channelsOf(output.shape)];
            const [w, b] = constants.map((constant) => constant && addressOf(constant) / 4) as [number, number];
            const phase = hostPhase(kernels, (data) => {
              const weightRow = weight && { data, at: w };
              const biasRow = bias && { data, at: b };
              for (let i = 0; i < pixels; i++) {
                const from = { data, at: (x.address + i * x.pixelBytes) / 4 };
                const to = { data, at: (output.address + i * output.pixelBytes) / 4 };
                normalize(from, to, { size: channels, eps }, weightRow, biasRow);
              }
            });
            return [phase];
          },
        };
      },
    },
  ],
};

/** {@link layerNorm} by plain loops. */
export const referenceLayerNorm: Reference<LayerNormAttrs> = ([x], { size, weight, bias, eps }) => {
  const y = new Float32Array(x!.data.length);
  const [w, b] = [weight, bias].map((parameter) => parameter && { data: parameter.values(), at: 0 });
  for (let at = 0; at < y.length; at += size) normalize({ data: x!.data, at }, { data: y, at }, { size, eps }, w!, b!);
  return new Tensor(y, x!.shape);
};
