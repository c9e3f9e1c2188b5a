/** Lite R-ASPP. @see torchvision.models.segmentation.lraspp; arXiv:1905.02244 */

import { UnsupportedError } from '../errors.ts';
import { type FeatureName, IntermediateLayerGetter } from '../features/intermediate-layer-getter.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU, Sigmoid } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { interpolate } from '../nn/resize.ts';
import { add, mul } from '../nn/same-shape.ts';
import { whole, withDefaults } from '../options.ts';
import { dilatedMobileNetV3, featureOf, type SegmentationOptions } from './segmentation.ts';

/** Options of {@link lraspp_mobilenet_v3_large}, with torchvision's defaults. */
export type LRASPPOptions = Omit<SegmentationOptions, 'auxLoss'> & {
  /** False: there is no auxiliary head. */
  readonly auxLoss?: false;
};

/** The classes of fine features, and of coarse ones that their mean weighs. */
export class LRASPPHead extends Module {
  cbr: Sequential;
  scale: Sequential;
  low_classifier: Conv2d;
  high_classifier: Conv2d;

  constructor(lowChannels: number, highChannels: number, numClasses: number, interChannels: number) {
    super();
    this.cbr = new Sequential(
      new Conv2d(highChannels, interChannels, 1, { bias: false }),
      new BatchNorm2d(interChannels),
      new ReLU({ inplace: true }),
    );
    this.scale = new Sequential(
      new AdaptiveAvgPool2d(1),
      new Conv2d(highChannels, interChannels, 1, { bias: false }),
      new Sigmoid(),
    );
    this.low_classifier = new Conv2d(lowChannels, numClasses, 1);
    this.high_classifier = new Conv2d(interChannels, numClasses, 1);
  }

  /** @throws {@link KeyError} where the features `low` or `high` aren't there */
  forward(features: ReadonlyMap<FeatureName, Value>): Value {
    const low = featureOf('LRASPP', features, 'low');
    const high = featureOf('LRASPP', features, 'high');
    const weighed = mul(this.cbr.call(high), this.scale.call(high));
    const size = [low.shape[2]!, low.shape[3]!] as const;
    const spread = interpolate(weighed, { size, mode: 'bilinear', alignCorners: false });
    return add(this.low_classifier.call(low), this.high_classifier.call(spread));
  }
}

/** Logits in the input's size: `out`. @see torchvision.models.segmentation.LRASPP */
export class LRASPP extends Module<Map<string, Value>> {
  backbone: Module<Map<FeatureName, Value>>;
  classifier: LRASPPHead;

  /**
   * @param backbone returns the features `low` and `high`
   * @param channels theirs
   * @param interChannels the head's; torchvision's are 128
   */
  constructor(
    backbone: Module<Map<FeatureName, Value>>,
    channels: { readonly low: number; readonly high: number },
    numClasses: number,
    interChannels = 128,
  ) {
    super();
    this.backbone = backbone;
    this.classifier = new LRASPPHead(channels.low, channels.high, numClasses, interChannels);
  }

  forward(x: Value): Map<string, Value> {
    const size = [x.shape[2]!, x.shape[3]!] as const;
    const logits = this.classifier.call(this.backbone.call(x)) as Value;
    return new Map([['out', interpolate(logits, { size, mode: 'bilinear', alignCorners: false })]]);
  }
}

/**
 * Lite R-ASPP on a dilated MobileNet v3 large.
 *
 * @throws {@link UnsupportedError} where an auxiliary head is asked for, in torchvision's words
 */
export function lraspp_mobilenet_v3_large(options: LRASPPOptions = {}): LRASPP {
  const name = 'lraspp_mobilenet_v3_large';
  const defaults = { numClasses: 21, auxLoss: false, normLayer: undefined };
  const { numClasses, auxLoss, normLayer } = withDefaults(name, options, defaults);
  if (auxLoss) throw new UnsupportedError('This model does not use auxiliary loss');
  whole(`${name}: numClasses`, numClasses);
  const { model, out, aux } = dilatedMobileNetV3(normLayer === undefined ? {} : { normLayer });
  const backbone = new IntermediateLayerGetter(
    model,
    new Map([
      [aux[0], 'low'],
      [out[0], 'high'],
    ]),
    { onWarning: null },
  );
  return new LRASPP(backbone, { low: aux[1], high: out[1] }, numClasses);
}
