/** Multiplication of two tensors of one shape, or of each channel by a number: squeeze-and-excitation. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { channelRanges, channelsOf, type Op, pixelsOf, stepOf } from './op.ts';

/** @see torch.mul; the second factor may be `[N, C, 1, 1]` */
export const mul: Op<null> = {
  name: 'mul',

  inferShape([a, b]) {
    const isPerChannel = a!.length === 4 && b!.length === 4 && sameShape(b!, [a![0]!, a![1]!, 1, 1]);
    if (!isPerChannel && !sameShape(a!, b!)) {
      throw new ShapeError(
        `mul: expected two tensors of one shape, or the second of [N, C, 1, 1], got ${formatShape(a!)} and ${formatShape(b!)}`,
      );
    }
    return a!;
  },

  reference([a, b]) {
    const run = a!.numel() / b!.numel();
    return new Tensor(
      a!.data.map((v, i) => v * b!.data[Math.floor(i / run)]!),
      a!.shape,
    );
  },

  algorithms: [
    {
      name: 'direct',
      bind({ engine, inputs, output }) {
        const [a, b] = inputs as [(typeof inputs)[0], (typeof inputs)[0]];
        const images = output.shape[0]!;
        const pixels = pixelsOf(output.shape) / images;
        const isPerChannel = numel(a.shape) !== numel(b.shape);
        const scaleBytes = isPerChannel ? [0, b.pixelBytes] : [b.pixelBytes, pixels * b.pixelBytes];
        const steps = channelRanges(channelsOf(output.shape), engine.threads).map(({ offset, count }) =>
          stepOf(
            'f32_mul',
            ...([images, pixels, count, a.address + offset, a.pixelBytes] as const),
            ...([b.address + offset, scaleBytes[0]!, scaleBytes[1]!] as const),
            ...([output.address + offset, output.pixelBytes] as const),
          ),
        );
        return [steps];
      },
    },
  ],
};
