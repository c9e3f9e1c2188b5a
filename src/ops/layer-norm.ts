/** Layer norm over the last axis, by a host step: sums are in float64, and each result rounds once. */

import { ShapeError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { hostPhase, rawConstant } from './lowering/host.ts';
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

/** A row less its mean, by its deviation, times the weight, plus the bias. */
function normalize(x: Row, y: Row, attrs: { size: number; eps: number }, weight: Row | null, bias: Row | null): void {
  const { size, eps } = attrs;
  let sum = 0;
  for (let c = 0; c < size; c++) sum += x.data[x.at + c]!;
  const mean = sum / size;
  let squares = 0;
  for (let c = 0; c < size; c++) squares += (x.data[x.at + c]! - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / size + eps);
  for (let c = 0; c < size; c++) {
    const v = (x.data[x.at + c]! - mean) * scale * (weight ? weight.data[weight.at + c]! : 1);
    y.data[y.at + c] = bias ? v + bias.data[bias.at + c]! : v;
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
      prepare({ attrs: { weight, bias, eps } }) {
        const constants = [rawConstant(weight), rawConstant(bias)] as const;
        return {
          constants,
          steps({ kernels, inputs, output, addressOf }) {
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
