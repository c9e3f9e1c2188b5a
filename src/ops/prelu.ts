/** PReLU: what is negative is multiplied by a learned slope, one for all channels or one for each. */

import { ShapeError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { EPILOGUE_BYTES, LANES } from '../wasm/kernels.gen.ts';
import { affinePhase } from './lowering/affine.ts';
import { vectorConstant } from './lowering/constant.ts';
import { writeEpilogue } from './lowering/epilogue.ts';
import { channelsOf, pixelBytesOf, pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';
import { NO_EPILOGUE } from './rules/epilogue.ts';

/** Attributes of {@link prelu}. */
export interface PReLUAttrs {
  /** `[1]` or `[C]` */
  readonly weight: Parameter;
}

const above = { activation: { kind: 'clamp', min: 0, max: Infinity } } as const;
const below = { activation: { kind: 'clamp', min: -Infinity, max: 0 } } as const;

/** @see torch.nn.functional.prelu */
export const prelu: Op<PReLUAttrs> = {
  name: 'prelu',
  parameters: ({ weight }) => [weight],

  inferShape([x], { weight }) {
    const channels = x!.length > 1 ? x![1]! : 1;
    if (weight.numel() !== 1 && weight.numel() !== channels) {
      throw new ShapeError(
        'Mismatch of parameter numbers and input channel size. Found parameter numbers = ' +
          `${weight.numel()} and channel size = ${channels}; prelu: got x ${formatShape(x!)}`,
      );
    }
    return x!;
  },

  algorithms: [
    {
      name: 'direct',
      // By the kernel of additions and norms: min(x, 0)·slope + max(x, 0), of which one is 0.
      prepare({ output, attrs: { weight }, engine }) {
        const channels = channelsOf(output);
        const layout = { channels, groups: 1, multiple: LANES };
        // Slopes as a norm's scale, and zeros as its shift.
        const slopes = vectorConstant(`slopes ${channels}`, [weight], layout, 2, ([values]) => [
          values!.length === 1 ? new Float32Array(channels).fill(values![0]!) : values!,
          new Float32Array(channels),
        ]);
        const pixelBytes = pixelBytesOf(output);
        return {
          constants: [slopes],
          workspace: {
            tableBytes: 2 * EPILOGUE_BYTES,
            scratchBytes: pixelsOf(output) * pixelBytes,
            zeroBytes: 0,
          },
          phases(binding) {
            const { output, table, scratch } = binding;
            const x = binding.inputs[0]!;
            const negative = { address: scratch, shape: output.shape, pixelBytes };
            const [lower, upper] = [below, above].map((clamp, i) =>
              writeEpilogue({ ...binding, record: table + i * EPILOGUE_BYTES }, clamp, null, null),
            ) as [number, number];
            const sum = writeEpilogue(binding, NO_EPILOGUE, slopes, output);
            return [
              [...affinePhase(x, negative, lower, engine), ...affinePhase(x, output, upper, engine)],
              affinePhase(negative, output, sum, engine),
            ];
          },
        };
      },
    },
  ],
};

/** {@link prelu} by plain loops. */
export const referencePrelu: Reference<PReLUAttrs> = ([x], { weight }) => {
  const slopes = weight.values();
  const plane = numel(x!.shape.slice(2));
  const slope = (i: number) => slopes[slopes.length === 1 ? 0 : Math.floor(i / plane) % slopes.length]!;
  return new Tensor(
    x!.data.map((v, i) => (v > 0 ? v : v * slope(i))),
    x!.shape,
  );
};
