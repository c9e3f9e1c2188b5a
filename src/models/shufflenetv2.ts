/** ShuffleNet v2. @see torchvision.models.shufflenetv2; arXiv:1807.11164 */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { cat, channelShuffle, chunk, mean } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { MaxPool2d } from '../nn/pooling.ts';
import { whole, withDefaults } from '../options.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface ShuffleNetV2Options {
  /** 1000 unless given. */
  readonly numClasses?: number;
}

/** A 1×1 convolution, its norm, and ReLU. */
const pointwise = (input: number, out: number) => [
  new Conv2d(input, out, 1, { bias: false }),
  new BatchNorm2d(out),
  new ReLU({ inplace: true }),
];

/** A 3×3 convolution of each channel by itself, and its norm. */
const depthwise = (channels: number, stride: number) => [
  new Conv2d(channels, channels, 3, { stride, padding: 1, groups: channels, bias: false }),
  new BatchNorm2d(channels),
];

/**
 * Half of the channels pass, the other half is filtered; then both are shuffled. With stride 2 both are filtered.
 * torchvision has an InvertedResidual in each family: the exported one is MobileNet v2's, and a bundle can't have two
 * of a name. @see torchvision.models.shufflenetv2.InvertedResidual
 */
const ShuffleNetV2Residual = class InvertedResidual extends Module {
  branch1: Sequential;
  branch2: Sequential;
  stride: number;

  constructor(input: number, out: number, stride: number) {
    super();
    const half = Math.floor(out / 2);
    this.stride = stride;
    this.branch1 =
      stride > 1 ? new Sequential(...depthwise(input, stride), ...pointwise(input, half)) : new Sequential();
    this.branch2 = new Sequential(
      ...pointwise(stride > 1 ? input : half, half),
      ...depthwise(half, stride),
      ...pointwise(half, half),
    );
  }

  forward(x: Value): Value {
    if (this.stride > 1) return channelShuffle(cat([this.branch1.call(x), this.branch2.call(x)]), 2);
    const [passing, filtered] = chunk(x, 2, 1) as [Value, Value];
    return channelShuffle(cat([passing, this.branch2.call(filtered)]), 2);
  }
};

/** Stages of shuffled residuals. @see torchvision.models.ShuffleNetV2 */
export class ShuffleNetV2 extends Module {
  conv1: Sequential;
  maxpool: MaxPool2d;
  stage2: Sequential;
  stage3: Sequential;
  stage4: Sequential;
  conv5: Sequential;
  fc: Linear;

  /**
   * @param repeats the blocks of each stage
   * @param channels those of the first convolution, of each stage, and of the last convolution
   * @throws {@link ValueError} where these aren't three and five whole numbers, in torchvision's words
   */
  constructor(repeats: readonly number[], channels: readonly number[], options: ShuffleNetV2Options = {}) {
    super();
    const { numClasses } = withDefaults('ShuffleNetV2', options, { numClasses: 1000 });
    whole('ShuffleNetV2: numClasses', numClasses);
    for (const [name, list, length] of [['repeats', repeats, 3] as const, ['out_channels', channels, 5] as const]) {
      if (Array.isArray(list) && list.length === length && list.every((one) => Number.isInteger(one) && one > 0))
        continue;
      throw new ValueError(`expected stages_${name} as list of ${length} positive ints, got ${describe(list)}`);
    }
    const [first, second, third, fourth, last] = channels as [number, number, number, number, number];
    const stage = (input: number, out: number, count: number) =>
      new Sequential(
        ...Array.from({ length: count }, (_, i) =>
          i === 0 ? new ShuffleNetV2Residual(input, out, 2) : new ShuffleNetV2Residual(out, out, 1),
        ),
      );
    this.conv1 = new Sequential(
      new Conv2d(3, first, 3, { stride: 2, padding: 1, bias: false }),
      new BatchNorm2d(first),
      new ReLU({ inplace: true }),
    );
    this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
    this.stage2 = stage(first, second, repeats[0]!);
    this.stage3 = stage(second, third, repeats[1]!);
    this.stage4 = stage(third, fourth, repeats[2]!);
    this.conv5 = new Sequential(...pointwise(fourth, last));
    this.fc = new Linear(last, numClasses);
  }

  forward(x: Value): Value {
    const y = this.stage2.call(this.maxpool.call(this.conv1.call(x)));
    return this.fc.call(mean(this.conv5.call(this.stage4.call(this.stage3.call(y))), [2, 3]));
  }
}

/** ShuffleNet v2 with half of the channels. */
export function shufflenet_v2_x0_5(options: ShuffleNetV2Options = {}): ShuffleNetV2 {
  return new ShuffleNetV2([4, 8, 4], [24, 48, 96, 192, 1024], options);
}

/** ShuffleNet v2. */
export function shufflenet_v2_x1_0(options: ShuffleNetV2Options = {}): ShuffleNetV2 {
  return new ShuffleNetV2([4, 8, 4], [24, 116, 232, 464, 1024], options);
}

/** ShuffleNet v2 with one and a half times the channels. */
export function shufflenet_v2_x1_5(options: ShuffleNetV2Options = {}): ShuffleNetV2 {
  return new ShuffleNetV2([4, 8, 4], [24, 176, 352, 704, 1024], options);
}

/** ShuffleNet v2 with twice the channels. */
export function shufflenet_v2_x2_0(options: ShuffleNetV2Options = {}): ShuffleNetV2 {
  return new ShuffleNetV2([4, 8, 4], [24, 244, 488, 976, 2048], options);
}
