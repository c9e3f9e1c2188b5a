/** SSD's features of a VGG. @see torchvision.models.detection.ssd; arXiv:1512.02325 */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { affine, normalizeChannels } from '../nn/channel-affine.ts';
import { ModuleList, Sequential } from '../nn/container.ts';
import { Conv2d, type Conv2dOptions } from '../nn/conv.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { MaxPool2d } from '../nn/pooling.ts';
import { flag, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { vgg16 } from './vgg.ts';

/** A convolution and a ReLU after it. */
const convolved = (from: number, to: number, kernelSize: number, options: Conv2dOptions = {}): AnyModule[] => [
  new Conv2d(from, to, kernelSize, options),
  new ReLU({ inplace: true }),
];

/** Half of the channels, and then a smaller map. */
const extraBlock = (from: number, to: number, kernelSize: number, options: Conv2dOptions = {}) =>
  new Sequential(...convolved(from, to / 2, 1), ...convolved(to / 2, to, kernelSize, options));

/**
 * Six maps of a VGG's layers, `0` to `5`, from the largest to the smallest; seven where `highres` is true, for SSD512.
 * The first is normalised and scaled.
 *
 * @see torchvision.models.detection.ssd.SSDFeatureExtractorVGG
 */
export class SSDFeatureExtractorVGG extends Module<Map<string, Value>> {
  scale_weight: Parameter;
  features: Sequential;
  extra: ModuleList;

  /**
   * @param backbone a VGG's `features`, whose third pooling is set to ceil mode, as torchvision's
   * @throws {@link ValueError} where it doesn't have five poolings
   */
  constructor(backbone: Sequential, highres: boolean) {
    super();
    flag('SSDFeatureExtractorVGG: highres', highres);
    const items = backbone instanceof Sequential ? [...backbone] : [];
    const pools = items.flatMap((item, i) => (item instanceof MaxPool2d ? i : []));
    if (pools.length !== 5) {
      const got = backbone instanceof Sequential ? pools.length : describe(backbone);
      throw new ValueError(`SSDFeatureExtractorVGG: expected a Sequential with 5 max poolings, got ${got}`);
    }
    (items[pools[2]!] as MaxPool2d).ceilMode = true;
    this.scale_weight = new Parameter([512], { fill: 20 });
    this.features = new Sequential(...items.slice(0, pools[3]));
    const fc = new Sequential(
      new MaxPool2d(3, { stride: 1, padding: 1 }),
      ...convolved(512, 1024, 3, { padding: 6, dilation: 6 }),
      ...convolved(1024, 1024, 1),
    );
    this.extra = new ModuleList([
      new Sequential(...items.slice(pools[3], -1), fc),
      extraBlock(1024, 512, 3, { padding: 1, stride: 2 }),
      extraBlock(512, 256, 3, { padding: 1, stride: 2 }),
      extraBlock(256, 256, 3),
      extraBlock(256, 256, 3),
      ...(highres ? [extraBlock(256, 256, 4)] : []),
    ]);
  }

  forward(x: Value): Map<string, Value> {
    let y: Value = this.features.call(x);
    const maps = [affine('mul', normalizeChannels(y), { weight: this.scale_weight, bias: null })];
    for (const block of this.extra) {
      y = block.call(y);
      maps.push(y);
    }
    return new Map(maps.map((map, i) => [String(i), map]));
  }
}

/** Options of {@link ssd300Vgg16Backbone}. */
export interface SSD300BackboneOptions {
  /** From 0 to 5, 5 unless given; it has no part in inference. */
  readonly trainableLayers?: number;
}

/**
 * The backbone of torchvision's ssd300_vgg16: its keys are the detector's after `backbone.`.
 *
 * @throws {@link ValueError} where `trainableLayers` is out of range, in torchvision's words
 * @see torchvision.models.detection.ssd300_vgg16
 */
export function ssd300Vgg16Backbone(options: SSD300BackboneOptions = {}): SSDFeatureExtractorVGG {
  const { trainableLayers } = withDefaults('ssd300Vgg16Backbone', options, { trainableLayers: 5 });
  if (!Number.isInteger(trainableLayers) || trainableLayers < 0 || trainableLayers > 5) {
    const got = describe(trainableLayers);
    throw new ValueError(`trainable_layers should be in the range [0, 5]. Instead got ${got}`);
  }
  return new SSDFeatureExtractorVGG(vgg16().features, false);
}
