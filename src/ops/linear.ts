/** y = x·Wᵀ + b: a convolution of one tap whose pixels are the rows of x. */

import { ShapeError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { writeEpilogue } from './lowering/epilogue.ts';
import { convolutionPhase, gemmConstants, gemmScratchBytes, listOf, tableBytes } from './lowering/gemm.ts';
import { relay } from './lowering/relay.ts';
import type { Op, Reference } from './op.ts';
import { ONE_PIXEL } from './rules/window.ts';

/** Attributes of {@link linear}. */
export interface LinearAttrs {
  /** `[out, in]` */
  readonly weight: Parameter;
  /** `[out]` */
  readonly bias: Parameter | null;
}

/** @see torch.nn.functional.linear */
export const linear: Op<LinearAttrs> = {
  name: 'linear',
  acceptsInEpilogue: ['norm', 'residual', 'activation'],
  parameters: ({ weight, bias }) => [weight, bias],
  axis: 'last',
  relay,

  inferShape([x], { weight }) {
    const [out, features] = weight.shape as [number, number];
    const last = x!.at(-1);
    if (last !== features) {
      const rows = numel(x!.slice(0, -1));
      throw new ShapeError(
        `linear: mat1 and mat2 shapes cannot be multiplied (${rows}x${last ?? 1} and ${features}x${out}): ` +
          'expected x of shape ' +
          `[…, ${features}], got ${formatShape(x!)}${x!.length > 2 ? '; is a flatten missing before it?' : ''}`,
      );
    }
    return [...x!.slice(0, -1), out];
  },

  macs: (_inputs, output, { weight }) => numel(output.slice(0, -1)) * weight.numel(),

  algorithms: [
    {
      name: 'gemm',

      prepare(site) {
        const { output, attrs, engine, weightStorage } = site;
        const constants = gemmConstants(site);
        return {
          work: { macs: output[0]! * attrs.weight.numel(), transformed: 0 },
          constants: listOf(constants),
          workspace: {
            tableBytes: tableBytes(output[0]!, 1, engine.tileRows),
            scratchBytes: gemmScratchBytes({ channelsIn: attrs.weight.shape[1]!, taps: 1, weightStorage }, engine),
            zeroBytes: 0,
          },
          phases(binding) {
            const record = writeEpilogue(binding, site.epilogue, constants.norm, binding.residual);
            const x = binding.inputs[0]!;
            return [convolutionPhase(binding, { x, window: ONE_PIXEL, engine, weightStorage, constants, record })];
          },
        };
      },
    },
  ],
};

/** {@link linear} by plain loops. */
export const referenceLinear: Reference<LinearAttrs> = ([x], attrs) => {
  const shape = linear.inferShape([x!.shape], attrs);
  const out = shape.at(-1)!;
  const rows = numel(shape) / out;
  const features = attrs.weight.shape[1]!;
  const w = attrs.weight.values();
  const b = attrs.bias?.values();
  const y = new Float32Array(rows * out);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < out; o++) {
      let sum = b ? b[o]! : 0;
      for (let i = 0; i < features; i++) sum += x!.data[n * features + i]! * w[o * features + i]!;
      y[n * out + o] = sum;
    }
  }
  return new Tensor(y, shape);
};
