/** GoogLeNet (Inception v1). @see torchvision.models.googlenet; arXiv:1409.4842 */

import type { Value } from '../graph/graph.ts';
import { Sequential } from '../nn/container.ts';
import { Dropout } from '../nn/dropout.ts';
import { adaptiveAvgPool2d, cat, flatten, relu } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { BasicConv2d, transformInput } from './basic-conv2d.ts';
import { TrainingHead, WithAux } from './with-aux.ts';

/** Options of {@link googlenet}, with torchvision's defaults for a model without weights. */
export interface GoogLeNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** Whether the state has the auxiliary heads, which have no part in inference; true unless given. */
  readonly auxLogits?: boolean;
  /**
   * False unless given. True for torchvision's weights, which expect mean and deviation 0.5: an input with ImageNet's
   * is then brought to these first.
   */
  readonly transformInput?: boolean;
  /** 0.2 unless given; it has no part in inference. */
  readonly dropout?: number;
  /** The auxiliary heads'; 0.7 unless given. It has no part in inference. */
  readonly dropoutAux?: number;
}

/** The channels of an Inception's convolutions. */
type Widths = readonly [
  channels: number,
  ch1x1: number,
  ch3x3red: number,
  ch3x3: number,
  ch5x5red: number,
  ch5x5: number,
  poolProj: number,
];

/** Four branches side by side. @see torchvision.models.googlenet.Inception */
export class Inception extends Module {
  branch1: BasicConv2d;
  branch2: Sequential;
  branch3: Sequential;
  branch4: Sequential;

  constructor([channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, poolProj]: Widths) {
    super();
    // 3×3 in the third branch as well: torchvision's weights have it, against the paper's 5×5.
    const narrowed = (red: number, out: number) =>
      new Sequential(new BasicConv2d(channels, red, 1), new BasicConv2d(red, out, 3, { padding: 1 }));
    this.branch1 = new BasicConv2d(channels, ch1x1, 1);
    this.branch2 = narrowed(ch3x3red, ch3x3);
    this.branch3 = narrowed(ch5x5red, ch5x5);
    this.branch4 = new Sequential(
      new MaxPool2d(3, { stride: 1, padding: 1, ceilMode: true }),
      new BasicConv2d(channels, poolProj, 1),
    );
  }

  forward(x: Value): Value {
    return cat([this.branch1, this.branch2, this.branch3, this.branch4].map((branch) => branch.call(x)));
  }
}

/** @see torchvision.models.googlenet.InceptionAux */
const GoogLeNetAux = class InceptionAux extends TrainingHead {
  conv: BasicConv2d;
  fc1: Linear;
  fc2: Linear;
  dropout: Dropout;

  constructor(channels: number, numClasses: number, dropout: number) {
    super();
    this.conv = new BasicConv2d(channels, 128, 1);
    this.fc1 = new Linear(2048, 1024);
    this.fc2 = new Linear(1024, numClasses);
    this.dropout = new Dropout(dropout);
  }

  forward(x: Value): Value {
    const y = flatten(this.conv.call(adaptiveAvgPool2d(x, [4, 4])));
    return this.fc2.call(this.dropout.call(relu(this.fc1.call(y))));
  }
};

/** Nine Inceptions. Its result is the logits alone, as torchvision's in eval mode. @see torchvision.models.GoogLeNet */
export class GoogLeNet extends WithAux {
  transformInput: boolean;
  readonly #transform = transformInput();
  conv1: BasicConv2d;
  maxpool1: MaxPool2d;
  conv2: BasicConv2d;
  conv3: BasicConv2d;
  maxpool2: MaxPool2d;
  inception3a: Inception;
  inception3b: Inception;
  maxpool3: MaxPool2d;
  inception4a: Inception;
  inception4b: Inception;
  inception4c: Inception;
  inception4d: Inception;
  inception4e: Inception;
  maxpool4: MaxPool2d;
  inception5a: Inception;
  inception5b: Inception;
  aux1: Module | null;
  aux2: Module | null;
  avgpool: AdaptiveAvgPool2d;
  dropout: Dropout;
  fc: Linear;

  protected override auxiliary(): readonly [head: string, option: string] {
    return ['aux1', 'auxLogits'];
  }

  constructor(options: GoogLeNetOptions = {}) {
    super();
    const defaults = { numClasses: 1000, auxLogits: true, transformInput: false, dropout: 0.2, dropoutAux: 0.7 };
    const resolved = withDefaults('GoogLeNet', options, defaults);
    const { numClasses, auxLogits, dropout, dropoutAux } = resolved;
    whole('GoogLeNet: numClasses', numClasses);
    flag('GoogLeNet: auxLogits', auxLogits);
    const pool = (kernelSize: number) => new MaxPool2d(kernelSize, { stride: 2, ceilMode: true });
    this.transformInput = flag('GoogLeNet: transformInput', resolved.transformInput);
    this.conv1 = new BasicConv2d(3, 64, 7, { stride: 2, padding: 3 });
    this.maxpool1 = pool(3);
    this.conv2 = new BasicConv2d(64, 64, 1);
    this.conv3 = new BasicConv2d(64, 192, 3, { padding: 1 });
    this.maxpool2 = pool(3);
    this.inception3a = new Inception([192, 64, 96, 128, 16, 32, 32]);
    this.inception3b = new Inception([256, 128, 128, 192, 32, 96, 64]);
    this.maxpool3 = pool(3);
    this.inception4a = new Inception([480, 192, 96, 208, 16, 48, 64]);
    this.inception4b = new Inception([512, 160, 112, 224, 24, 64, 64]);
    this.inception4c = new Inception([512, 128, 128, 256, 24, 64, 64]);
    this.inception4d = new Inception([512, 112, 144, 288, 32, 64, 64]);
    this.inception4e = new Inception([528, 256, 160, 320, 32, 128, 128]);
    this.maxpool4 = pool(2);
    this.inception5a = new Inception([832, 256, 160, 320, 32, 128, 128]);
    this.inception5b = new Inception([832, 384, 192, 384, 48, 128, 128]);
    this.aux1 = auxLogits ? new GoogLeNetAux(512, numClasses, dropoutAux) : null;
    this.aux2 = auxLogits ? new GoogLeNetAux(528, numClasses, dropoutAux) : null;
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.dropout = new Dropout(dropout);
    this.fc = new Linear(1024, numClasses);
  }

  forward(x: Value): Value {
    let y = this.transformInput ? this.#transform.record(x) : x;
    y = this.conv3.call(this.conv2.call(this.maxpool1.call(this.conv1.call(y))));
    y = this.inception3b.call(this.inception3a.call(this.maxpool2.call(y)));
    y = this.inception4c.call(this.inception4b.call(this.inception4a.call(this.maxpool3.call(y))));
    y = this.maxpool4.call(this.inception4e.call(this.inception4d.call(y)));
    y = this.avgpool.call(this.inception5b.call(this.inception5a.call(y)));
    return this.fc.call(this.dropout.call(flatten(y)));
  }
}

/** GoogLeNet. */
export function googlenet(options: GoogLeNetOptions = {}): GoogLeNet {
  return new GoogLeNet(options);
}
