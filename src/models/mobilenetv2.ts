/** MobileNet v2. @see torchvision.models.mobilenetv2; arXiv:1801.04381 */

import { describe, ValueError } from '../errors.ts';
import type { StageHints } from '../features/stages.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU6 } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { adaptiveAvgPool2d, flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { add } from '../nn/same-shape.ts';
import { finite, whole, withDefaults } from '../options.ts';
import { Conv2dNormActivation, checkedNorm, makeDivisible, type NormLayer } from './blocks.ts';

/** One stage: expansion, channels, repeats, stride of the first. */
export type InvertedResidualSetting = readonly [t: number, c: number, n: number, s: number];

/** Options of {@link mobilenet_v2}, with torchvision's defaults. */
export interface MobileNetV2Options {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** Scales the channels of all layers; 1 unless given. */
  readonly widthMult?: number;
  readonly invertedResidualSetting?: readonly InvertedResidualSetting[];
  /** Channels are rounded to its multiples; 8 unless given. */
  readonly roundNearest?: number;
  /** BatchNorm2d unless given. */
  readonly normLayer?: NormLayer;
  readonly dropout?: number;
}

const relu6 = () => new ReLU6({ inplace: true });

/**
 * Widens, filters depthwise, narrows; with a shortcut where shapes allow it. @see
 * torchvision.models.mobilenetv2.InvertedResidual
 */
export class InvertedResidual extends Module {
  conv: Sequential;
  useResConnect: boolean;
  outChannels: number;
  /** Whether it halves the size. */
  isStrided: boolean;

  /** @throws {@link ValueError} where the stride is neither 1 nor 2 */
  constructor(inp: number, oup: number, stride: number, expandRatio: number, normLayer: NormLayer) {
    super();
    if (stride !== 1 && stride !== 2) throw new ValueError(`stride should be 1 or 2 instead of ${describe(stride)}`);
    const hidden = Math.round(inp * expandRatio);
    const shared = { normLayer, activationLayer: relu6 };
    this.conv = new Sequential(
      ...(expandRatio === 1 ? [] : [new Conv2dNormActivation(inp, hidden, { ...shared, kernelSize: 1 })]),
      new Conv2dNormActivation(hidden, hidden, { ...shared, stride, groups: hidden }),
      new Conv2d(hidden, oup, 1, { bias: false }),
      normLayer(oup),
    );
    this.useResConnect = stride === 1 && inp === oup;
    this.outChannels = oup;
    this.isStrided = stride > 1;
  }

  forward(x: Value): Value {
    return this.useResConnect ? add(x, this.conv.call(x)) : this.conv.call(x);
  }
}

const SETTING: readonly InvertedResidualSetting[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** Inverted residuals and a linear classifier. @see torchvision.models.MobileNetV2 */
export class MobileNetV2 extends Module {
  features: Sequential;
  classifier: Sequential;

  /** @throws {@link ValueError} where a setting isn't of four numbers */
  constructor(options: MobileNetV2Options = {}) {
    super();
    const resolved = withDefaults('MobileNetV2', options, {
      numClasses: 1000,
      widthMult: 1,
      invertedResidualSetting: SETTING,
      roundNearest: 8,
      normLayer: (channels: number) => new BatchNorm2d(channels),
      dropout: 0.2,
    });
    const { numClasses, widthMult, invertedResidualSetting, roundNearest, normLayer, dropout } = resolved;
    const rows: unknown = invertedResidualSetting;
    if (
      !Array.isArray(rows) ||
      rows.length === 0 ||
      ![...rows].every((row) => Array.isArray(row) && row.length === 4)
    ) {
      throw new ValueError(`inverted_residual_setting should be non-empty or a 4-element list, got ${describe(rows)}`);
    }
    for (const [t, c, n, s] of invertedResidualSetting) {
      finite('MobileNetV2: expansion in invertedResidualSetting', t, 0);
      for (const one of [c, n, s]) whole('MobileNetV2: channels, repeats and stride in invertedResidualSetting', one);
    }
    whole('MobileNetV2: numClasses', numClasses);
    whole('MobileNetV2: roundNearest', roundNearest);
    finite('MobileNetV2: widthMult', widthMult, 0);
    const norm = checkedNorm('MobileNetV2', normLayer);
    let channels = makeDivisible(32 * widthMult, roundNearest);
    const last = makeDivisible(1280 * Math.max(1, widthMult), roundNearest);
    const shared = { normLayer: norm, activationLayer: relu6 };
    const features: AnyModule[] = [new Conv2dNormActivation(3, channels, { ...shared, stride: 2 })];
    for (const [t, c, n, s] of invertedResidualSetting) {
      const out = makeDivisible(c * widthMult, roundNearest);
      for (let i = 0; i < n; i++) {
        features.push(new InvertedResidual(channels, out, i === 0 ? s : 1, t, norm));
        channels = out;
      }
    }
    features.push(new Conv2dNormActivation(channels, last, { ...shared, kernelSize: 1 }));
    this.features = new Sequential(...features);
    this.classifier = new Sequential(new Dropout(dropout), new Linear(last, numClasses));
  }

  /** @internal */
  get stageHints(): StageHints {
    return { headLayers: 1 };
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(adaptiveAvgPool2d(this.features.call(x), 1)));
  }
}

/** MobileNet v2. */
export function mobilenet_v2(options: MobileNetV2Options = {}): MobileNetV2 {
  return new MobileNetV2(options);
}
