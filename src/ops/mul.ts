/** Multiplication of two tensors of one shape, or of each channel by a number: squeeze-and-excitation. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_mul } from '../wasm/steps.gen.ts';
import { channelRanges } from './lowering/cut.ts';
import { channelsOf, pixelsOf, type Slot } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** @see torch.mul; the second factor may be `[N, C, 1, 1]` */
export const mul: Op<null> = {
  name: 'mul',

  inferShape([a, b]) {
    const isPerChannel = a!.length === 4 && b!.length === 4 && sameShape(b!, [a![0]!, a![1]!, 1, 1]);
    if (!isPerChannel && !sameShape(a!, b!)) {
      throw new ShapeError(
        `mul: expected two tensors of one shape, or the second of [N, C, 1, 1], got ${formatShape(a!)} and ` +
          `${formatShape(b!)}`,
      );
    }
    return a!;
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ engine }) => ({
        phases({ inputs, output }) {
          const [a, b] = inputs as [Slot, Slot];
          const images = output.shape[0]!;
          const pixels = pixelsOf(output.shape) / images;
          const isPerChannel = numel(a.shape) !== numel(b.shape);
          const steps = channelRanges(channelsOf(output.shape), engine.threads).map(({ offset, count }) =>
            f32_mul({
              images,
              pixels,
              channels: count,
              x: a.address + offset,
              pixelBytes: a.pixelBytes,
              scale: b.address + offset,
              scaleBytes: isPerChannel ? 0 : b.pixelBytes,
              scaleImageBytes: isPerChannel ? b.pixelBytes : pixels * b.pixelBytes,
              out: output.address + offset,
              outBytes: output.pixelBytes,
            }),
          );
          return [steps];
        },
      }),
    },
  ],
};

/** {@link mul} by plain loops. */
export const referenceMul: Reference<null> = ([a, b]) => {
  const run = a!.numel() / b!.numel();
  return new Tensor(
    a!.data.map((v, i) => v * b!.data[Math.floor(i / run)]!),
    a!.shape,
  );
};
