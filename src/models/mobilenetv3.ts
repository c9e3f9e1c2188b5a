/** MobileNet v3. @see torchvision.models.mobilenetv3; arXiv:1905.02244 */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { Hardsigmoid, Hardswish, ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Dropout } from '../nn/dropout.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { add } from '../nn/same-shape.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Conv2dNormActivation, checkedNorm, makeDivisible, type NormLayer, SqueezeExcitation } from './blocks.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface MobileNetV3Options {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** Scales the channels of all layers; 1 unless given. */
  readonly widthMult?: number;
  /** True for half of the channels in the last stage. */
  readonly reducedTail?: boolean;
  /** True for dilation instead of stride in the last stage, for segmentation. */
  readonly dilated?: boolean;
  /** BatchNorm2d with eps 1e-3 unless given. */
  readonly normLayer?: NormLayer;
  readonly dropout?: number;
}

/** A line of the paper's tables. */
type Row = readonly [
  input: number,
  kernel: number,
  expanded: number,
  out: number,
  useSe: boolean,
  activation: 'RE' | 'HS',
  stride: number,
  dilation: number,
];

const ACTIVATIONS = { RE: () => new ReLU({ inplace: true }), HS: () => new Hardswish({ inplace: true }) } as const;

/**
 * Widens, filters depthwise, excites, narrows. torchvision has an InvertedResidual in each family: the exported one is
 * MobileNet v2's, and a bundle can't have two of a name. @see torchvision.models.mobilenetv3.InvertedResidual
 */
const MobileNetV3Residual = class InvertedResidual extends Module {
  useResConnect: boolean;
  block: Sequential;
  outChannels: number;
  /** Whether it halves the size, or would without dilation. */
  isStrided: boolean;

  /** @throws {@link ValueError} where the stride is neither 1 nor 2 */
  constructor([input, kernelSize, expanded, out, useSe, activation, stride, dilation]: Row, normLayer: NormLayer) {
    super();
    if (stride !== 1 && stride !== 2) {
      throw new ValueError(`illegal stride value; MobileNetV3: expected 1 or 2 in a row, got ${describe(stride)}`);
    }
    const shared = { normLayer, activationLayer: ACTIVATIONS[activation] };
    const filter = { kernelSize, stride: dilation > 1 ? 1 : stride, dilation, groups: expanded };
    const squeezed = makeDivisible(Math.floor(expanded / 4), 8);
    this.block = new Sequential(
      ...(expanded === input ? [] : [new Conv2dNormActivation(input, expanded, { ...shared, kernelSize: 1 })]),
      new Conv2dNormActivation(expanded, expanded, { ...shared, ...filter }),
      ...(useSe ? [new SqueezeExcitation(expanded, squeezed, undefined, () => new Hardsigmoid())] : []),
      new Conv2dNormActivation(expanded, out, { kernelSize: 1, normLayer, activationLayer: null }),
    );
    this.useResConnect = stride === 1 && input === out;
    this.outChannels = out;
    this.isStrided = stride > 1;
  }

  forward(x: Value): Value {
    return this.useResConnect ? add(this.block.call(x), x) : this.block.call(x);
  }
};

function resolved(options: MobileNetV3Options) {
  const given = withDefaults('MobileNetV3', options, {
    numClasses: 1000,
    widthMult: 1,
    reducedTail: false,
    dilated: false,
    normLayer: (channels: number) => new BatchNorm2d(channels, { eps: 1e-3, momentum: 0.01 }),
    dropout: 0.2,
  });
  whole('MobileNetV3: numClasses', given.numClasses);
  finite('MobileNetV3: widthMult', given.widthMult, 0);
  flag('MobileNetV3: reducedTail', given.reducedTail);
  flag('MobileNetV3: dilated', given.dilated);
  return { ...given, normLayer: checkedNorm('MobileNetV3', given.normLayer) };
}

/** Inverted residuals with squeeze-and-excitation and hardswish. @see torchvision.models.MobileNetV3 */
export class MobileNetV3 extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  /** @throws {@link ValueError} where there are no rows */
  constructor(rows: readonly Row[], lastChannel: number, options: MobileNetV3Options = {}) {
    super();
    if (rows.length === 0) throw new ValueError('The inverted_residual_setting should not be empty');
    const { numClasses, dropout, normLayer } = resolved(options);
    const shared = { normLayer, activationLayer: ACTIVATIONS.HS };
    const first = rows[0]![0];
    const last = rows.at(-1)![3];
    this.features = new Sequential(
      new Conv2dNormActivation(3, first, { ...shared, stride: 2 }),
      ...rows.map((row) => new MobileNetV3Residual(row, normLayer)),
      new Conv2dNormActivation(last, 6 * last, { ...shared, kernelSize: 1 }),
    );
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.classifier = new Sequential(
      new Linear(6 * last, lastChannel),
      new Hardswish({ inplace: true }),
      new Dropout(dropout, { inplace: true }),
      new Linear(lastChannel, numClasses),
    );
  }

  forward(x: Value): Value {
    return this.classifier.call(flatten(this.avgpool.call(this.features.call(x))));
  }
}

/** The rows scaled by the width, and the last channels. */
function configure(rows: readonly Row[], last: number, options: MobileNetV3Options) {
  const { widthMult, reducedTail } = resolved(options);
  const scaled = (channels: number) => makeDivisible(channels * widthMult, 8);
  return {
    rows: rows.map((row): Row => {
      const [input, kernel, expanded, out, ...rest] = row;
      return [scaled(input), kernel, scaled(expanded), scaled(out), ...rest];
    }),
    last: scaled(Math.floor(last / (reducedTail ? 2 : 1))),
  };
}

/** MobileNet v3 large. */
export function mobilenet_v3_large(options: MobileNetV3Options = {}): MobileNetV3 {
  const { reducedTail, dilated } = resolved(options);
  const [divider, dilation] = [reducedTail ? 2 : 1, dilated ? 2 : 1];
  const tail = 160 / divider;
  const { rows, last } = configure(
    [
      [16, 3, 16, 16, false, 'RE', 1, 1],
      [16, 3, 64, 24, false, 'RE', 2, 1],
      [24, 3, 72, 24, false, 'RE', 1, 1],
      [24, 5, 72, 40, true, 'RE', 2, 1],
      [40, 5, 120, 40, true, 'RE', 1, 1],
      [40, 5, 120, 40, true, 'RE', 1, 1],
      [40, 3, 240, 80, false, 'HS', 2, 1],
      [80, 3, 200, 80, false, 'HS', 1, 1],
      [80, 3, 184, 80, false, 'HS', 1, 1],
      [80, 3, 184, 80, false, 'HS', 1, 1],
      [80, 3, 480, 112, true, 'HS', 1, 1],
      [112, 3, 672, 112, true, 'HS', 1, 1],
      [112, 5, 672, tail, true, 'HS', 2, dilation],
      [tail, 5, 960 / divider, tail, true, 'HS', 1, dilation],
      [tail, 5, 960 / divider, tail, true, 'HS', 1, dilation],
    ],
    1280,
    options,
  );
  return new MobileNetV3(rows, last, options);
}

/** MobileNet v3 small. */
export function mobilenet_v3_small(options: MobileNetV3Options = {}): MobileNetV3 {
  const { reducedTail, dilated } = resolved(options);
  const [divider, dilation] = [reducedTail ? 2 : 1, dilated ? 2 : 1];
  const tail = 96 / divider;
  const { rows, last } = configure(
    [
      [16, 3, 16, 16, true, 'RE', 2, 1],
      [16, 3, 72, 24, false, 'RE', 2, 1],
      [24, 3, 88, 24, false, 'RE', 1, 1],
      [24, 5, 96, 40, true, 'HS', 2, 1],
      [40, 5, 240, 40, true, 'HS', 1, 1],
      [40, 5, 240, 40, true, 'HS', 1, 1],
      [40, 5, 120, 48, true, 'HS', 1, 1],
      [48, 5, 144, 48, true, 'HS', 1, 1],
      [48, 5, 288, tail, true, 'HS', 2, dilation],
      [tail, 5, 576 / divider, tail, true, 'HS', 1, dilation],
      [tail, 5, 576 / divider, tail, true, 'HS', 1, dilation],
    ],
    1024,
    options,
  );
  return new MobileNetV3(rows, last, options);
}
