/** Inception v3. @see torchvision.models.inception; arXiv:1512.00567 */

import type { Value } from '../graph/graph.ts';
import { Dropout } from '../nn/dropout.ts';
import { adaptiveAvgPool2d, avgPool2d, cat, flatten, maxPool2d } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { BasicConv2d, transformInput } from './basic-conv2d.ts';
import { TrainingHead, WithAux } from './with-aux.ts';

/** Options of {@link inception_v3}, with torchvision's defaults for a model without weights. */
export interface Inception3Options {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** Whether the state has the auxiliary head, which has no part in inference; true unless given. */
  readonly auxLogits?: boolean;
  /**
   * False unless given. True for torchvision's weights, which expect mean and deviation 0.5: an input with ImageNet's
   * is then brought to these first.
   */
  readonly transformInput?: boolean;
  /** 0.5 unless given; it has no part in inference. */
  readonly dropout?: number;
}

/** The value after one convolution after the other. */
const through = (x: Value, ...convs: readonly BasicConv2d[]) => convs.reduce((y, conv) => conv.call(y), x);

const mean3x3 = (x: Value) => avgPool2d(x, 3, { stride: 1, padding: 1 });
const halved = (x: Value) => maxPool2d(x, 3, { stride: 2 });

const wide = (from: number, to: number) => new BasicConv2d(from, to, [1, 7], { padding: [0, 3] });
const tall = (from: number, to: number) => new BasicConv2d(from, to, [7, 1], { padding: [3, 0] });

/** Convolutions of 1×1, 5×5 and twice 3×3 side by side. @see torchvision.models.inception.InceptionA */
export class InceptionA extends Module {
  branch1x1: BasicConv2d;
  branch5x5_1: BasicConv2d;
  branch5x5_2: BasicConv2d;
  branch3x3dbl_1: BasicConv2d;
  branch3x3dbl_2: BasicConv2d;
  branch3x3dbl_3: BasicConv2d;
  branch_pool: BasicConv2d;

  constructor(inChannels: number, poolFeatures: number) {
    super();
    this.branch1x1 = new BasicConv2d(inChannels, 64, 1);
    this.branch5x5_1 = new BasicConv2d(inChannels, 48, 1);
    this.branch5x5_2 = new BasicConv2d(48, 64, 5, { padding: 2 });
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 64, 1);
    this.branch3x3dbl_2 = new BasicConv2d(64, 96, 3, { padding: 1 });
    this.branch3x3dbl_3 = new BasicConv2d(96, 96, 3, { padding: 1 });
    this.branch_pool = new BasicConv2d(inChannels, poolFeatures, 1);
  }

  forward(x: Value): Value {
    return cat([
      this.branch1x1.call(x),
      through(x, this.branch5x5_1, this.branch5x5_2),
      through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
      this.branch_pool.call(mean3x3(x)),
    ]);
  }
}

/** Halves the size. @see torchvision.models.inception.InceptionB */
export class InceptionB extends Module {
  branch3x3: BasicConv2d;
  branch3x3dbl_1: BasicConv2d;
  branch3x3dbl_2: BasicConv2d;
  branch3x3dbl_3: BasicConv2d;

  constructor(inChannels: number) {
    super();
    this.branch3x3 = new BasicConv2d(inChannels, 384, 3, { stride: 2 });
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 64, 1);
    this.branch3x3dbl_2 = new BasicConv2d(64, 96, 3, { padding: 1 });
    this.branch3x3dbl_3 = new BasicConv2d(96, 96, 3, { stride: 2 });
  }

  forward(x: Value): Value {
    return cat([
      this.branch3x3.call(x),
      through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
      halved(x),
    ]);
  }
}

/** Convolutions of 7×7, each as one of 1×7 and one of 7×1. @see torchvision.models.inception.InceptionC */
export class InceptionC extends Module {
  branch1x1: BasicConv2d;
  branch7x7_1: BasicConv2d;
  branch7x7_2: BasicConv2d;
  branch7x7_3: BasicConv2d;
  branch7x7dbl_1: BasicConv2d;
  branch7x7dbl_2: BasicConv2d;
  branch7x7dbl_3: BasicConv2d;
  branch7x7dbl_4: BasicConv2d;
  branch7x7dbl_5: BasicConv2d;
  branch_pool: BasicConv2d;

  constructor(inChannels: number, channels7x7: number) {
    super();
    this.branch1x1 = new BasicConv2d(inChannels, 192, 1);
    this.branch7x7_1 = new BasicConv2d(inChannels, channels7x7, 1);
    this.branch7x7_2 = wide(channels7x7, channels7x7);
    this.branch7x7_3 = tall(channels7x7, 192);
    this.branch7x7dbl_1 = new BasicConv2d(inChannels, channels7x7, 1);
    this.branch7x7dbl_2 = tall(channels7x7, channels7x7);
    this.branch7x7dbl_3 = wide(channels7x7, channels7x7);
    this.branch7x7dbl_4 = tall(channels7x7, channels7x7);
    this.branch7x7dbl_5 = wide(channels7x7, 192);
    this.branch_pool = new BasicConv2d(inChannels, 192, 1);
  }

  forward(x: Value): Value {
    const { branch7x7dbl_1, branch7x7dbl_2, branch7x7dbl_3, branch7x7dbl_4, branch7x7dbl_5 } = this;
    return cat([
      this.branch1x1.call(x),
      through(x, this.branch7x7_1, this.branch7x7_2, this.branch7x7_3),
      through(x, branch7x7dbl_1, branch7x7dbl_2, branch7x7dbl_3, branch7x7dbl_4, branch7x7dbl_5),
      this.branch_pool.call(mean3x3(x)),
    ]);
  }
}

/** Halves the size. @see torchvision.models.inception.InceptionD */
export class InceptionD extends Module {
  branch3x3_1: BasicConv2d;
  branch3x3_2: BasicConv2d;
  branch7x7x3_1: BasicConv2d;
  branch7x7x3_2: BasicConv2d;
  branch7x7x3_3: BasicConv2d;
  branch7x7x3_4: BasicConv2d;

  constructor(inChannels: number) {
    super();
    this.branch3x3_1 = new BasicConv2d(inChannels, 192, 1);
    this.branch3x3_2 = new BasicConv2d(192, 320, 3, { stride: 2 });
    this.branch7x7x3_1 = new BasicConv2d(inChannels, 192, 1);
    this.branch7x7x3_2 = wide(192, 192);
    this.branch7x7x3_3 = tall(192, 192);
    this.branch7x7x3_4 = new BasicConv2d(192, 192, 3, { stride: 2 });
  }

  forward(x: Value): Value {
    return cat([
      through(x, this.branch3x3_1, this.branch3x3_2),
      through(x, this.branch7x7x3_1, this.branch7x7x3_2, this.branch7x7x3_3, this.branch7x7x3_4),
      halved(x),
    ]);
  }
}

/** Convolutions of 3×3, each as one of 1×3 and one of 3×1 side by side. @see torchvision.models.inception.InceptionE */
export class InceptionE extends Module {
  branch1x1: BasicConv2d;
  branch3x3_1: BasicConv2d;
  branch3x3_2a: BasicConv2d;
  branch3x3_2b: BasicConv2d;
  branch3x3dbl_1: BasicConv2d;
  branch3x3dbl_2: BasicConv2d;
  branch3x3dbl_3a: BasicConv2d;
  branch3x3dbl_3b: BasicConv2d;
  branch_pool: BasicConv2d;

  constructor(inChannels: number) {
    super();
    this.branch1x1 = new BasicConv2d(inChannels, 320, 1);
    this.branch3x3_1 = new BasicConv2d(inChannels, 384, 1);
    this.branch3x3_2a = new BasicConv2d(384, 384, [1, 3], { padding: [0, 1] });
    this.branch3x3_2b = new BasicConv2d(384, 384, [3, 1], { padding: [1, 0] });
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 448, 1);
    this.branch3x3dbl_2 = new BasicConv2d(448, 384, 3, { padding: 1 });
    this.branch3x3dbl_3a = new BasicConv2d(384, 384, [1, 3], { padding: [0, 1] });
    this.branch3x3dbl_3b = new BasicConv2d(384, 384, [3, 1], { padding: [1, 0] });
    this.branch_pool = new BasicConv2d(inChannels, 192, 1);
  }

  forward(x: Value): Value {
    const single = this.branch1x1.call(x);
    const narrow = this.branch3x3_1.call(x);
    const pair = cat([this.branch3x3_2a.call(narrow), this.branch3x3_2b.call(narrow)]);
    const twice = through(x, this.branch3x3dbl_1, this.branch3x3dbl_2);
    const twicePair = cat([this.branch3x3dbl_3a.call(twice), this.branch3x3dbl_3b.call(twice)]);
    return cat([single, pair, twicePair, this.branch_pool.call(mean3x3(x))]);
  }
}

/** @see torchvision.models.inception.InceptionAux */
const Inception3Aux = class InceptionAux extends TrainingHead {
  conv0: BasicConv2d;
  conv1: BasicConv2d;
  fc: Linear;

  constructor(inChannels: number, numClasses: number) {
    super();
    this.conv0 = new BasicConv2d(inChannels, 128, 1);
    this.conv1 = new BasicConv2d(128, 768, 5);
    this.fc = new Linear(768, numClasses);
  }

  forward(x: Value): Value {
    const y = through(avgPool2d(x, 5, { stride: 3 }), this.conv0, this.conv1);
    return this.fc.call(flatten(adaptiveAvgPool2d(y, [1, 1])));
  }
};

/** Its result is the logits alone, as torchvision's in eval mode. @see torchvision.models.Inception3 */
export class Inception3 extends WithAux {
  transformInput: boolean;
  readonly #transform = transformInput();
  Conv2d_1a_3x3: BasicConv2d;
  Conv2d_2a_3x3: BasicConv2d;
  Conv2d_2b_3x3: BasicConv2d;
  maxpool1: MaxPool2d;
  Conv2d_3b_1x1: BasicConv2d;
  Conv2d_4a_3x3: BasicConv2d;
  maxpool2: MaxPool2d;
  Mixed_5b: InceptionA;
  Mixed_5c: InceptionA;
  Mixed_5d: InceptionA;
  Mixed_6a: InceptionB;
  Mixed_6b: InceptionC;
  Mixed_6c: InceptionC;
  Mixed_6d: InceptionC;
  Mixed_6e: InceptionC;
  AuxLogits: Module | null;
  Mixed_7a: InceptionD;
  Mixed_7b: InceptionE;
  Mixed_7c: InceptionE;
  avgpool: AdaptiveAvgPool2d;
  dropout: Dropout;
  fc: Linear;

  protected override auxiliary(): readonly [head: string, option: string] {
    return ['AuxLogits', 'auxLogits'];
  }

  constructor(options: Inception3Options = {}) {
    super();
    const defaults = { numClasses: 1000, auxLogits: true, transformInput: false, dropout: 0.5 };
    const resolved = withDefaults('Inception3', options, defaults);
    const { numClasses, auxLogits, dropout } = resolved;
    whole('Inception3: numClasses', numClasses);
    flag('Inception3: auxLogits', auxLogits);
    this.transformInput = flag('Inception3: transformInput', resolved.transformInput);
    this.Conv2d_1a_3x3 = new BasicConv2d(3, 32, 3, { stride: 2 });
    this.Conv2d_2a_3x3 = new BasicConv2d(32, 32, 3);
    this.Conv2d_2b_3x3 = new BasicConv2d(32, 64, 3, { padding: 1 });
    this.maxpool1 = new MaxPool2d(3, { stride: 2 });
    this.Conv2d_3b_1x1 = new BasicConv2d(64, 80, 1);
    this.Conv2d_4a_3x3 = new BasicConv2d(80, 192, 3);
    this.maxpool2 = new MaxPool2d(3, { stride: 2 });
    this.Mixed_5b = new InceptionA(192, 32);
    this.Mixed_5c = new InceptionA(256, 64);
    this.Mixed_5d = new InceptionA(288, 64);
    this.Mixed_6a = new InceptionB(288);
    this.Mixed_6b = new InceptionC(768, 128);
    this.Mixed_6c = new InceptionC(768, 160);
    this.Mixed_6d = new InceptionC(768, 160);
    this.Mixed_6e = new InceptionC(768, 192);
    this.AuxLogits = auxLogits ? new Inception3Aux(768, numClasses) : null;
    this.Mixed_7a = new InceptionD(768);
    this.Mixed_7b = new InceptionE(1280);
    this.Mixed_7c = new InceptionE(2048);
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.dropout = new Dropout(dropout);
    this.fc = new Linear(2048, numClasses);
  }

  forward(x: Value): Value {
    let y = this.transformInput ? this.#transform.record(x) : x;
    y = through(y, this.Conv2d_1a_3x3, this.Conv2d_2a_3x3, this.Conv2d_2b_3x3);
    y = this.maxpool2.call(through(this.maxpool1.call(y), this.Conv2d_3b_1x1, this.Conv2d_4a_3x3));
    y = this.Mixed_6a.call(this.Mixed_5d.call(this.Mixed_5c.call(this.Mixed_5b.call(y))));
    y = this.Mixed_6e.call(this.Mixed_6d.call(this.Mixed_6c.call(this.Mixed_6b.call(y))));
    y = this.Mixed_7c.call(this.Mixed_7b.call(this.Mixed_7a.call(y)));
    return this.fc.call(flatten(this.dropout.call(this.avgpool.call(y))));
  }
}

/** Inception v3, made for inputs of 299×299. */
export function inception_v3(options: Inception3Options = {}): Inception3 {
  return new Inception3(options);
}
