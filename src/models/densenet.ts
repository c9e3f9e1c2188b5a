/** DenseNet. @see torchvision.models.densenet; arXiv:1608.06993 */

import type { StageHints } from '../features/stages.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { ModuleDict, Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { adaptiveAvgPool2d, cat, flatten, relu } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { AvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface DenseNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** How many times the growth a layer's 1×1 convolution has in channels; 4 unless given. */
  readonly bnSize?: number;
  /** 0 unless given; it has no part in inference. */
  readonly dropRate?: number;
  /** False unless given; it has no part in inference. */
  readonly memoryEfficient?: boolean;
}

/** What the builders' names decide. */
interface Config {
  /** The channels that a layer adds. */
  readonly growthRate: number;
  /** The layers of each block. */
  readonly blockConfig: readonly number[];
  /** The channels of the first convolution. */
  readonly numInitFeatures: number;
}

/** What a layer adds to the features before it. @see torchvision.models.densenet._DenseLayer */
class _DenseLayer extends Module {
  norm1: BatchNorm2d;
  relu1: ReLU;
  conv1: Conv2d;
  norm2: BatchNorm2d;
  relu2: ReLU;
  conv2: Conv2d;

  constructor(channels: number, growthRate: number, bnSize: number) {
    super();
    this.norm1 = new BatchNorm2d(channels);
    this.relu1 = new ReLU({ inplace: true });
    this.conv1 = new Conv2d(channels, bnSize * growthRate, 1, { bias: false });
    this.norm2 = new BatchNorm2d(bnSize * growthRate);
    this.relu2 = new ReLU({ inplace: true });
    this.conv2 = new Conv2d(bnSize * growthRate, growthRate, 3, { padding: 1, bias: false });
  }

  /** torchvision's files are older than its keys: they have `norm.1.weight` for `norm1.weight`. */
  protected override olderKeys(): Iterable<readonly [key: string, older: string]> {
    return [...this.stateShapes().keys()].map((key) => [key, key.replace(/^(norm|conv)/, '$1.')]);
  }

  forward(features: readonly Value[]): Value {
    const narrowed = this.conv1.call(this.relu1.call(this.norm1.call(cat(features))));
    return this.conv2.call(this.relu2.call(this.norm2.call(narrowed)));
  }
}

/** Layers that each get what all before them gave. @see torchvision.models.densenet._DenseBlock */
class _DenseBlock extends ModuleDict<Value> {
  constructor(count: number, channels: number, bnSize: number, growthRate: number) {
    const layerOf = (i: number) => new _DenseLayer(channels + i * growthRate, growthRate, bnSize);
    super(Array.from({ length: count }, (_, i) => [`denselayer${i + 1}`, layerOf(i)] as const));
  }

  protected override get version(): number {
    return 2;
  }

  override forward(x: Value): Value {
    const features = [x];
    for (const layer of this.values()) features.push(layer!.call([...features]));
    return cat(features);
  }
}

/** Halves the channels and the size. @see torchvision.models.densenet._Transition */
class _Transition extends Sequential {
  constructor(channels: number, out: number) {
    super([
      ['norm', new BatchNorm2d(channels)],
      ['relu', new ReLU({ inplace: true })],
      ['conv', new Conv2d(channels, out, 1, { bias: false })],
      ['pool', new AvgPool2d(2, { stride: 2 })],
    ]);
  }
}

/** Blocks whose layers see all features before them. @see torchvision.models.DenseNet */
export class DenseNet extends Module {
  features: Sequential;
  classifier: Linear;

  constructor({ growthRate, blockConfig, numInitFeatures }: Config, options: DenseNetOptions = {}) {
    super();
    const defaults = { numClasses: 1000, bnSize: 4, dropRate: 0, memoryEfficient: false };
    const { numClasses, bnSize, dropRate, memoryEfficient } = withDefaults('DenseNet', options, defaults);
    whole('DenseNet: numClasses', numClasses);
    whole('DenseNet: bnSize', bnSize);
    finite('DenseNet: dropRate', dropRate, 0);
    flag('DenseNet: memoryEfficient', memoryEfficient);
    const features: [string, AnyModule][] = [
      ['conv0', new Conv2d(3, numInitFeatures, 7, { stride: 2, padding: 3, bias: false })],
      ['norm0', new BatchNorm2d(numInitFeatures)],
      ['relu0', new ReLU({ inplace: true })],
      ['pool0', new MaxPool2d(3, { stride: 2, padding: 1 })],
    ];
    let channels = numInitFeatures;
    for (const [i, count] of blockConfig.entries()) {
      features.push([`denseblock${i + 1}`, new _DenseBlock(count, channels, bnSize, growthRate)]);
      channels += count * growthRate;
      if (i === blockConfig.length - 1) break;
      const half = Math.floor(channels / 2);
      features.push([`transition${i + 1}`, new _Transition(channels, half)]);
      channels = half;
    }
    features.push(['norm5', new BatchNorm2d(channels)]);
    this.features = new Sequential(features);
    this.classifier = new Linear(channels, numClasses);
  }

  /** @internal */
  get stageHints(): StageHints {
    return { lastNode: 'relu' };
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(adaptiveAvgPool2d(relu(this.features.call(x)), [1, 1])));
  }
}

/** DenseNet-121. */
export function densenet121(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet({ growthRate: 32, numInitFeatures: 64, blockConfig: [6, 12, 24, 16] }, options);
}

/** DenseNet-161. */
export function densenet161(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet({ growthRate: 48, numInitFeatures: 96, blockConfig: [6, 12, 36, 24] }, options);
}

/** DenseNet-169. */
export function densenet169(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet({ growthRate: 32, numInitFeatures: 64, blockConfig: [6, 12, 32, 32] }, options);
}

/** DenseNet-201. */
export function densenet201(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet({ growthRate: 32, numInitFeatures: 64, blockConfig: [6, 12, 48, 32] }, options);
}
