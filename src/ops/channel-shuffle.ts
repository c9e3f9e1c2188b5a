/** Channels of several groups in turn: one of each group, then the next of each. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_channel_shuffle } from '../wasm/steps.gen.ts';
import { ranges } from './lowering/cut.ts';
import { channelsOf, pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link channelShuffle}. */
export interface ChannelShuffleAttrs {
  readonly groups: number;
}

/** @see torch.nn.functional.channel_shuffle */
export const channelShuffle: Op<ChannelShuffleAttrs> = {
  name: 'channel_shuffle',
  mixedAxes: () => [1],

  inferShape([x], { groups }) {
    if (x!.length < 3) {
      throw new ShapeError(`channel_shuffle expects input with > 2 dims, but got input with sizes ${formatShape(x!)}`);
    }
    if (x![1]! % groups !== 0) {
      throw new ShapeError(
        `Number of channels must be divisible by groups. Got ${x![1]} channels and ${groups} groups.`,
      );
    }
    return x!;
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ attrs: { groups }, engine }) => ({
        phases({ inputs, output }) {
          const x = inputs[0]!;
          return [
            ranges(pixelsOf(output.shape), engine.threads).map(({ first, count }) =>
              f32_channel_shuffle({
                pixels: count,
                channels: channelsOf(output.shape),
                groups,
                x: x.address + first * x.pixelBytes,
                pixelBytes: x.pixelBytes,
                out: output.address + first * output.pixelBytes,
                outBytes: output.pixelBytes,
              }),
            ),
          ];
        },
      }),
    },
  ],
};

/** {@link channelShuffle} by plain loops. */
export const referenceChannelShuffle: Reference<ChannelShuffleAttrs> = ([x], { groups }) => {
  const channels = x!.shape[1]!;
  const plane = numel(x!.shape.slice(2));
  const run = channels / groups;
  const y = new Float32Array(x!.data.length);
  for (let i = 0; i < y.length / Math.max(plane, 1); i++) {
    const c = i % channels;
    const from = i - c + (c % groups) * run + Math.floor(c / groups);
    y.set(x!.data.subarray(from * plane, (from + 1) * plane), i * plane);
  }
  return new Tensor(y, x!.shape);
};
