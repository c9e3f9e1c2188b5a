/** Small networks, and caught errors. No tests in here. */

import type { Value } from '../../src/graph/graph.ts';
import { BasicBlock } from '../../src/models/resnet.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { flatten } from '../../src/nn/functional.ts';
import { Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../../src/nn/pooling.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { generatedTensor } from '../support/generator.ts';

/** Uniform values in [-1, 1) from a key. */
export function noise(key: string, shape: Shape): Tensor<Float32Array> {
  return generatedTensor(key, shape, 1);
}

function stage(from: number, to: number, stride: number): Sequential {
  const normLayer = (channels: number) => new BatchNorm2d(channels);
  const downsample = new Sequential(new Conv2d(from, to, 1, { stride, bias: false }), new BatchNorm2d(to));
  const shared = { groups: 1, baseWidth: 64, dilation: 1, normLayer };
  return new Sequential(
    new BasicBlock(from, to, { ...shared, stride, downsample }),
    new BasicBlock(to, to, { ...shared, stride: 1, downsample: null }),
  );
}

/** torchvision's ResNet-18 with the same children, and 8 to 32 channels. */
export class TinyResNet extends Module {
  readonly conv1 = new Conv2d(3, 8, 7, { stride: 2, padding: 3, bias: false });
  readonly bn1 = new BatchNorm2d(8);
  readonly relu = new ReLU({ inplace: true });
  readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly layer1 = stage(8, 8, 1);
  readonly layer2 = stage(8, 16, 2);
  readonly layer3 = stage(16, 24, 2);
  readonly layer4 = stage(24, 32, 2);
  readonly avgpool = new AdaptiveAvgPool2d([1, 1]);
  readonly fc = new Linear(32, 10);

  forward(x: Value): Value {
    let y = this.maxpool.call(this.relu.call(this.bn1.call(this.conv1.call(x))));
    for (const layer of [this.layer1, this.layer2, this.layer3, this.layer4]) y = layer.call(y);
    return this.fc.call(flatten(this.avgpool.call(y)));
  }
}

/** Runs a model's own forward and returns what each of its direct children gave. */
export class ChildrenOf extends Module<Map<string, Value>> {
  readonly model: Module<any>;

  constructor(model: Module<any>) {
    super();
    this.model = model;
  }

  forward(x: Value): Map<string, Value> {
    this.model.call(x);
    return new Map([...this.model.namedChildren()].map(([name, child]) => [name, x.graph.outputOf(child) as Value]));
  }
}

/** The smallest value of a tensor. */
export function smallest(x: Tensor | undefined): number {
  return (x!.data as Float32Array).reduce((a, b) => Math.min(a, b), Infinity);
}
