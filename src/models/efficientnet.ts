/** EfficientNet and EfficientNetV2. @see torchvision.models.efficientnet; arXiv:1905.11946, arXiv:2104.00298 */

import type { StageHints } from '../features/stages.ts';
import type { Value } from '../graph/graph.ts';
import { SiLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Dropout } from '../nn/dropout.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { add } from '../nn/same-shape.ts';
import { finite, whole, withDefaults } from '../options.ts';
import {
  Conv2dNormActivation,
  checkedNorm,
  makeDivisible,
  type NormLayer,
  SqueezeExcitation,
  StochasticDepth,
} from './blocks.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface EfficientNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** The last block's, 0.2 unless given; it has no part in inference. */
  readonly stochasticDepthProb?: number;
  /** BatchNorm2d unless given, with the eps that the builder's weights were trained with. */
  readonly normLayer?: NormLayer;
}

/** A stage: its blocks' expansion, kernel, stride of the first, channels, number, and whether they are fused. */
type Stage = readonly [
  expandRatio: number,
  kernel: number,
  stride: number,
  input: number,
  out: number,
  layers: number,
  isFused?: boolean,
];

/** What a builder's name decides. */
interface Config {
  readonly stages: readonly Stage[];
  readonly dropout: number;
  readonly lastChannel: number;
  readonly normLayer: NormLayer;
}

const silu = () => new SiLU({ inplace: true });

/** What both kinds of block share: a shortcut where shapes allow it. */
abstract class Block extends Module {
  useResConnect: boolean;
  block: Sequential;
  stochastic_depth: StochasticDepth;
  outChannels: number;

  constructor([, , stride, input, out]: Stage, layers: readonly AnyModule[], dropped: number) {
    super();
    this.useResConnect = stride === 1 && input === out;
    this.block = new Sequential(...layers);
    this.stochastic_depth = new StochasticDepth(dropped, 'row');
    this.outChannels = out;
  }

  forward(x: Value): Value {
    const y = this.block.call(x);
    return this.useResConnect ? add(this.stochastic_depth.call(y), x) : y;
  }
}

/** Widens, filters depthwise, excites, narrows. @see torchvision.models.efficientnet.MBConv */
class MBConv extends Block {
  constructor(stage: Stage, dropped: number, normLayer: NormLayer) {
    const [expandRatio, kernelSize, stride, input, out] = stage;
    const expanded = makeDivisible(input * expandRatio, 8);
    const shared = { normLayer, activationLayer: silu };
    const layers = [
      new Conv2dNormActivation(expanded, expanded, { ...shared, kernelSize, stride, groups: expanded }),
      new SqueezeExcitation(expanded, Math.max(1, Math.floor(input / 4)), silu),
      new Conv2dNormActivation(expanded, out, { kernelSize: 1, normLayer, activationLayer: null }),
    ];
    if (expanded !== input) layers.unshift(new Conv2dNormActivation(input, expanded, { ...shared, kernelSize: 1 }));
    super(stage, layers, dropped);
  }
}

/** Widens and filters in one convolution, and narrows. @see torchvision.models.efficientnet.FusedMBConv */
class FusedMBConv extends Block {
  constructor(stage: Stage, dropped: number, normLayer: NormLayer) {
    const [expandRatio, kernelSize, stride, input, out] = stage;
    const expanded = makeDivisible(input * expandRatio, 8);
    const filter = { normLayer, activationLayer: silu, kernelSize, stride };
    const layers =
      expanded === input
        ? [new Conv2dNormActivation(input, out, filter)]
        : [
            new Conv2dNormActivation(input, expanded, filter),
            new Conv2dNormActivation(expanded, out, { kernelSize: 1, normLayer, activationLayer: null }),
          ];
    super(stage, layers, dropped);
  }
}

/** Stages of inverted residuals with squeeze-and-excitation. @see torchvision.models.EfficientNet */
export class EfficientNet extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  constructor(config: Config, options: EfficientNetOptions = {}) {
    super();
    const { stages, dropout, lastChannel } = config;
    const defaults = { numClasses: 1000, stochasticDepthProb: 0.2, normLayer: config.normLayer };
    const { numClasses, stochasticDepthProb, ...given } = withDefaults('EfficientNet', options, defaults);
    whole('EfficientNet: numClasses', numClasses);
    finite('EfficientNet: stochasticDepthProb', stochasticDepthProb, 0);
    const normLayer = checkedNorm('EfficientNet', given.normLayer);
    const shared = { normLayer, activationLayer: silu };
    const total = stages.reduce((sum, [, , , , , layers]) => sum + layers, 0);
    const features: AnyModule[] = [new Conv2dNormActivation(3, stages[0]![3], { ...shared, stride: 2 })];
    let blocks = 0;
    for (const [expandRatio, kernel, stride, input, out, layers, isFused] of stages) {
      const stage: AnyModule[] = [];
      for (let i = 0; i < layers; i++) {
        const row: Stage = [expandRatio, kernel, i === 0 ? stride : 1, i === 0 ? input : out, out, 1];
        const dropped = (stochasticDepthProb * blocks++) / total;
        stage.push(isFused ? new FusedMBConv(row, dropped, normLayer) : new MBConv(row, dropped, normLayer));
      }
      features.push(new Sequential(...stage));
    }
    features.push(new Conv2dNormActivation(stages.at(-1)![4], lastChannel, { ...shared, kernelSize: 1 }));
    this.features = new Sequential(...features);
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.classifier = new Sequential(new Dropout(dropout, { inplace: true }), new Linear(lastChannel, numClasses));
  }

  /** @internal */
  get stageHints(): StageHints {
    return { headLayers: 1 };
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(this.avgpool.call(this.features.call(x))));
  }
}

/** EfficientNet-B0's stages, which the other ones scale. */
const B0: readonly Stage[] = [
  [1, 3, 1, 32, 16, 1],
  [6, 3, 2, 16, 24, 2],
  [6, 5, 2, 24, 40, 2],
  [6, 3, 2, 40, 80, 3],
  [6, 5, 1, 80, 112, 3],
  [6, 5, 2, 112, 192, 4],
  [6, 3, 1, 192, 320, 1],
];

const norm = (channels: number) => new BatchNorm2d(channels);

/** The norm of the networks that were trained in TensorFlow. */
const tensorflowNorm = (channels: number) => new BatchNorm2d(channels, { eps: 1e-3, momentum: 0.01 });

const v2Norm = (channels: number) => new BatchNorm2d(channels, { eps: 1e-3 });

/** B0's stages with so many times the channels and the blocks. */
function scaled(
  [width, depth]: readonly [number, number],
  dropout: number,
  normLayer: NormLayer,
  options: EfficientNetOptions,
): EfficientNet {
  const channels = (count: number) => makeDivisible(count * width, 8);
  const stages = B0.map(
    ([expandRatio, kernel, stride, input, out, layers]): Stage => [
      ...([expandRatio, kernel, stride] as const),
      channels(input),
      channels(out),
      Math.ceil(layers * depth),
    ],
  );
  return new EfficientNet({ stages, dropout, lastChannel: 4 * stages.at(-1)![4], normLayer }, options);
}

/** EfficientNet-B0. */
export function efficientnet_b0(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1, 1], 0.2, norm, options);
}

/** EfficientNet-B1, made for inputs of 240×240. */
export function efficientnet_b1(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1, 1.1], 0.2, norm, options);
}

/** EfficientNet-B2, made for inputs of 288×288. */
export function efficientnet_b2(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1.1, 1.2], 0.3, norm, options);
}

/** EfficientNet-B3, made for inputs of 300×300. */
export function efficientnet_b3(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1.2, 1.4], 0.3, norm, options);
}

/** EfficientNet-B4, made for inputs of 380×380. */
export function efficientnet_b4(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1.4, 1.8], 0.4, norm, options);
}

/** EfficientNet-B5, made for inputs of 456×456. */
export function efficientnet_b5(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1.6, 2.2], 0.4, tensorflowNorm, options);
}

/** EfficientNet-B6, made for inputs of 528×528. */
export function efficientnet_b6(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([1.8, 2.6], 0.5, tensorflowNorm, options);
}

/** EfficientNet-B7, made for inputs of 600×600. */
export function efficientnet_b7(options: EfficientNetOptions = {}): EfficientNet {
  return scaled([2, 3.1], 0.5, tensorflowNorm, options);
}

/** EfficientNetV2-S, made for inputs of 384×384. */
export function efficientnet_v2_s(options: EfficientNetOptions = {}): EfficientNet {
  const stages: readonly Stage[] = [
    [1, 3, 1, 24, 24, 2, true],
    [4, 3, 2, 24, 48, 4, true],
    [4, 3, 2, 48, 64, 4, true],
    [4, 3, 2, 64, 128, 6],
    [6, 3, 1, 128, 160, 9],
    [6, 3, 2, 160, 256, 15],
  ];
  return new EfficientNet({ stages, dropout: 0.2, lastChannel: 1280, normLayer: v2Norm }, options);
}

/** EfficientNetV2-M, made for inputs of 480×480. */
export function efficientnet_v2_m(options: EfficientNetOptions = {}): EfficientNet {
  const stages: readonly Stage[] = [
    [1, 3, 1, 24, 24, 3, true],
    [4, 3, 2, 24, 48, 5, true],
    [4, 3, 2, 48, 80, 5, true],
    [4, 3, 2, 80, 160, 7],
    [6, 3, 1, 160, 176, 14],
    [6, 3, 2, 176, 304, 18],
    [6, 3, 1, 304, 512, 5],
  ];
  return new EfficientNet({ stages, dropout: 0.3, lastChannel: 1280, normLayer: v2Norm }, options);
}

/** EfficientNetV2-L, made for inputs of 480×480. */
export function efficientnet_v2_l(options: EfficientNetOptions = {}): EfficientNet {
  const stages: readonly Stage[] = [
    [1, 3, 1, 32, 32, 4, true],
    [4, 3, 2, 32, 64, 7, true],
    [4, 3, 2, 64, 96, 7, true],
    [4, 3, 2, 96, 192, 10],
    [6, 3, 1, 192, 224, 19],
    [6, 3, 2, 224, 384, 25],
    [6, 3, 1, 384, 640, 7],
  ];
  return new EfficientNet({ stages, dropout: 0.4, lastChannel: 1280, normLayer: v2Norm }, options);
}
