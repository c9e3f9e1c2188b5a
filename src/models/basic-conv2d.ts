/** What GoogLeNet and Inception v3 share: their convolution, and what brings an input to the scale of their weights. */

import type { Value } from '../graph/graph.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { ChannelAffine } from '../nn/channel-affine.ts';
import { Conv2d, type Conv2dOptions } from '../nn/conv.ts';
import { relu } from '../nn/functional.ts';
import { Module } from '../nn/module.ts';

/** A convolution, its norm, and ReLU. @see torchvision.models.inception.BasicConv2d */
export class BasicConv2d extends Module {
  conv: Conv2d;
  bn: BatchNorm2d;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    options: Conv2dOptions = {},
  ) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, kernelSize, { ...options, bias: false });
    this.bn = new BatchNorm2d(outChannels, { eps: 0.001 });
  }

  forward(x: Value): Value {
    return relu(this.bn.call(this.conv.call(x)));
  }
}

/** What brings an input with ImageNet's mean and deviation to 0.5 for both. */
export function transformInput(): ChannelAffine {
  return new ChannelAffine(
    [0.229, 0.224, 0.225].map((std) => std / 0.5),
    [0.485, 0.456, 0.406].map((mean) => (mean - 0.5) / 0.5),
  );
}
