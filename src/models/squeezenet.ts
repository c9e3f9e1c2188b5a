/** SqueezeNet. @see torchvision.models.squeezenet; arXiv:1602.07360 */

import { cut, describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { cat, flatten } from '../nn/functional.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { whole, withDefaults } from '../options.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface SqueezeNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** 0.5 unless given; it has no part in inference. */
  readonly dropout?: number;
}

/** A 1×1 squeeze, then 1×1 and 3×3 side by side. @see torchvision.models.squeezenet.Fire */
export class Fire extends Module {
  squeeze: Conv2d;
  squeeze_activation: ReLU;
  expand1x1: Conv2d;
  expand1x1_activation: ReLU;
  expand3x3: Conv2d;
  expand3x3_activation: ReLU;

  constructor(inplanes: number, squeeze: number, expand1x1: number, expand3x3: number) {
    super();
    this.squeeze = new Conv2d(inplanes, squeeze, 1);
    this.squeeze_activation = new ReLU({ inplace: true });
    this.expand1x1 = new Conv2d(squeeze, expand1x1, 1);
    this.expand1x1_activation = new ReLU({ inplace: true });
    this.expand3x3 = new Conv2d(squeeze, expand3x3, 3, { padding: 1 });
    this.expand3x3_activation = new ReLU({ inplace: true });
  }

  forward(x: Value): Value {
    const y = this.squeeze_activation.call(this.squeeze.call(x));
    return cat([
      this.expand1x1_activation.call(this.expand1x1.call(y)),
      this.expand3x3_activation.call(this.expand3x3.call(y)),
    ]);
  }
}

const pool = () => new MaxPool2d(3, { stride: 2, ceilMode: true });

const FEATURES: Readonly<Record<string, () => AnyModule[]>> = {
  '1_0': () => [
    new Conv2d(3, 96, 7, { stride: 2 }),
    new ReLU({ inplace: true }),
    pool(),
    new Fire(96, 16, 64, 64),
    new Fire(128, 16, 64, 64),
    new Fire(128, 32, 128, 128),
    pool(),
    new Fire(256, 32, 128, 128),
    new Fire(256, 48, 192, 192),
    new Fire(384, 48, 192, 192),
    new Fire(384, 64, 256, 256),
    pool(),
    new Fire(512, 64, 256, 256),
  ],
  '1_1': () => [
    new Conv2d(3, 64, 3, { stride: 2 }),
    new ReLU({ inplace: true }),
    pool(),
    new Fire(64, 16, 64, 64),
    new Fire(128, 16, 64, 64),
    pool(),
    new Fire(128, 32, 128, 128),
    new Fire(256, 32, 128, 128),
    pool(),
    new Fire(256, 48, 192, 192),
    new Fire(384, 48, 192, 192),
    new Fire(384, 64, 256, 256),
    new Fire(512, 64, 256, 256),
  ],
};

/** Fire modules and a convolutional classifier. @see torchvision.models.SqueezeNet */
export class SqueezeNet extends Module {
  features: Sequential;
  classifier: Sequential;

  /** @throws {@link ValueError} where the version is neither '1_0' nor '1_1' */
  constructor(version = '1_0', options: SqueezeNetOptions = {}) {
    super();
    const { numClasses, dropout } = withDefaults('SqueezeNet', options, { numClasses: 1000, dropout: 0.5 });
    whole('SqueezeNet: numClasses', numClasses);
    const features = typeof version === 'string' && Object.hasOwn(FEATURES, version) ? FEATURES[version] : undefined;
    if (!features)
      throw new ValueError(
        `Unsupported SqueezeNet version ${typeof version === 'string' ? cut(version) : describe(version)}: ` +
          '1_0 or 1_1 expected',
      );
    this.features = new Sequential(...features());
    this.classifier = new Sequential(
      new Dropout(dropout),
      new Conv2d(512, numClasses, 1),
      new ReLU({ inplace: true }),
      new AdaptiveAvgPool2d([1, 1]),
    );
  }

  forward(x: Value): Value {
    return flatten(this.classifier.call(this.features.call(x)));
  }
}

/** SqueezeNet 1.0. */
export function squeezenet1_0(options: SqueezeNetOptions = {}): SqueezeNet {
  return new SqueezeNet('1_0', options);
}

/** SqueezeNet 1.1: 2.4 times less computation. */
export function squeezenet1_1(options: SqueezeNetOptions = {}): SqueezeNet {
  return new SqueezeNet('1_1', options);
}
