/** Convolutions padded as TensorFlow pads them, for networks that were trained there. */

import { record, type Value } from '../graph/graph.ts';
import { Conv2d } from '../nn/conv.ts';
import type { AnyModule } from '../nn/module.ts';
import { conv2d } from '../ops/conv2d/conv2d.ts';
import { type Pair, toPair } from '../ops/rules/window.ts';

/**
 * A convolution that gives ⌈size / stride⌉ pixels: how many zeros that takes depends on the input's size, and where
 * they are odd in number, the far side has one more. @see timm.layers.Conv2dSame
 */
export class Conv2dSame extends Conv2d {
  override forward(x: Value): Value {
    const { weight, bias, groups } = this;
    const stride = toPair('Conv2dSame: stride', this.stride, 1);
    const dilation = toPair('Conv2dSame: dilation', this.dilation, 1);
    const zeros = [0, 1].map((axis) => {
      const size = x.shape[2 + axis]!;
      const extent = dilation[axis]! * (weight.shape[2 + axis]! - 1) + 1;
      return Math.max(0, (Math.ceil(size / stride[axis]!) - 1) * stride[axis]! + extent - size);
    }) as unknown as Pair;
    const [top, left] = zeros.map((count) => Math.floor(count / 2)) as unknown as Pair;
    const padding = { top, left, bottom: zeros[0] - top, right: zeros[1] - left };
    return record(conv2d, [x], { weight, bias, stride, padding, dilation, groups });
  }
}

/**
 * Replaces a model's convolutions with a stride by ones that are padded as in TensorFlow. At stride 1 the padding is
 * the same, whatever the input's size.
 */
export function padAsTensorflow(model: AnyModule): void {
  for (const [path, module] of model.namedModules()) {
    if (!(module instanceof Conv2d) || module.stride.every((stride) => stride === 1)) continue;
    const { inChannels, outChannels, kernelSize, stride, dilation, groups, bias } = module;
    const options = { stride, dilation, groups, bias: bias !== null };
    model.setSubmodule(path, new Conv2dSame(inChannels, outChannels, kernelSize, options));
  }
}
