/** VGG, with and without batch norm. @see torchvision.models.vgg; arXiv:1409.1556 */

import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { whole, withDefaults } from '../options.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface VGGOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** 0.5 unless given; it has no part in inference. */
  readonly dropout?: number;
}

const relu = () => new ReLU({ inplace: true });

/** 3×3 convolutions, pooled after each stage, and three linear layers. @see torchvision.models.VGG */
export class VGG extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  /** @param features what ends in 512 channels */
  constructor(features: Sequential, options: VGGOptions = {}) {
    super();
    const { numClasses, dropout } = withDefaults('VGG', options, { numClasses: 1000, dropout: 0.5 });
    whole('VGG: numClasses', numClasses);
    this.features = features;
    this.avgpool = new AdaptiveAvgPool2d([7, 7]);
    this.classifier = new Sequential(
      new Linear(512 * 7 * 7, 4096),
      relu(),
      new Dropout(dropout),
      new Linear(4096, 4096),
      relu(),
      new Dropout(dropout),
      new Linear(4096, numClasses),
    );
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(this.avgpool.call(this.features.call(x))));
  }
}

/** A VGG whose five stages have so many convolutions. */
function vgg(repeats: readonly number[], hasNorm: boolean, options: VGGOptions): VGG {
  const layers: AnyModule[] = [];
  let channels = 3;
  for (const [stage, count] of repeats.entries()) {
    const out = Math.min(64 << stage, 512);
    for (let i = 0; i < count; i++) {
      layers.push(new Conv2d(channels, out, 3, { padding: 1 }));
      if (hasNorm) layers.push(new BatchNorm2d(out));
      layers.push(relu());
      channels = out;
    }
    layers.push(new MaxPool2d(2, { stride: 2 }));
  }
  return new VGG(new Sequential(...layers), options);
}

/** VGG-11. */
export function vgg11(options: VGGOptions = {}): VGG {
  return vgg([1, 1, 2, 2, 2], false, options);
}

/** VGG-11 with batch norm. */
export function vgg11_bn(options: VGGOptions = {}): VGG {
  return vgg([1, 1, 2, 2, 2], true, options);
}

/** VGG-13. */
export function vgg13(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 2, 2, 2], false, options);
}

/** VGG-13 with batch norm. */
export function vgg13_bn(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 2, 2, 2], true, options);
}

/** VGG-16. */
export function vgg16(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 3, 3, 3], false, options);
}

/** VGG-16 with batch norm. */
export function vgg16_bn(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 3, 3, 3], true, options);
}

/** VGG-19. */
export function vgg19(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 4, 4, 4], false, options);
}

/** VGG-19 with batch norm. */
export function vgg19_bn(options: VGGOptions = {}): VGG {
  return vgg([2, 2, 4, 4, 4], true, options);
}
