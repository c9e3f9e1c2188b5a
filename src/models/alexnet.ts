/** AlexNet. @see torchvision.models.alexnet; arXiv:1404.5997 */

import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { whole, withDefaults } from '../options.ts';

/** Options of {@link alexnet}, with torchvision's defaults. */
export interface AlexNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** 0.5 unless given; it has no part in inference. */
  readonly dropout?: number;
}

const relu = () => new ReLU({ inplace: true });
const pool = () => new MaxPool2d(3, { stride: 2 });

/** Five convolutions and three linear layers. @see torchvision.models.AlexNet */
export class AlexNet extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  constructor(options: AlexNetOptions = {}) {
    super();
    const { numClasses, dropout } = withDefaults('AlexNet', options, { numClasses: 1000, dropout: 0.5 });
    whole('AlexNet: numClasses', numClasses);
    this.features = new Sequential(
      new Conv2d(3, 64, 11, { stride: 4, padding: 2 }),
      relu(),
      pool(),
      new Conv2d(64, 192, 5, { padding: 2 }),
      relu(),
      pool(),
      new Conv2d(192, 384, 3, { padding: 1 }),
      relu(),
      new Conv2d(384, 256, 3, { padding: 1 }),
      relu(),
      new Conv2d(256, 256, 3, { padding: 1 }),
      relu(),
      pool(),
    );
    this.avgpool = new AdaptiveAvgPool2d([6, 6]);
    this.classifier = new Sequential(
      new Dropout(dropout),
      new Linear(256 * 6 * 6, 4096),
      relu(),
      new Dropout(dropout),
      new Linear(4096, 4096),
      relu(),
      new Linear(4096, numClasses),
    );
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(this.avgpool.call(this.features.call(x))));
  }
}

/** AlexNet. */
export function alexnet(options: AlexNetOptions = {}): AlexNet {
  return new AlexNet(options);
}
