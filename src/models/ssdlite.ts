/** SSDlite's features of a MobileNet v3. @see torchvision.models.detection.ssdlite; arXiv:1801.04381 */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU6 } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { ModuleList, Sequential } from '../nn/container.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Conv2dNormActivation, checkedNorm, type NormLayer } from './blocks.ts';
import { stageIndices } from './fpn-backbones.ts';
import { mobilenet_v3_large } from './mobilenetv3.ts';

/** Half of the channels, a smaller map by a depthwise convolution, and all channels. */
function extraBlock(from: number, to: number, normLayer: NormLayer): Sequential {
  const shared = { normLayer, activationLayer: () => new ReLU6({ inplace: true }) };
  const half = Math.floor(to / 2);
  return new Sequential(
    new Conv2dNormActivation(from, half, { ...shared, kernelSize: 1 }),
    new Conv2dNormActivation(half, half, { ...shared, stride: 2, groups: half }),
    new Conv2dNormActivation(half, to, { ...shared, kernelSize: 1 }),
  );
}

/** A block of a MobileNet v3. */
type Block = AnyModule & {
  readonly block?: Sequential;
  readonly useResConnect?: boolean;
  readonly outChannels: number;
};

/** Options of {@link SSDLiteFeatureExtractorMobileNet}. */
export interface SSDLiteFeatureOptions {
  /** Scales the channels of the extra maps; 1 unless given. */
  readonly widthMult?: number;
  /** The least channels of an extra map; 16 unless given. */
  readonly minDepth?: number;
}

/**
 * Six maps of a MobileNet v3's layers, `0` to `5`, from the largest to the smallest: the first is inside of a block,
 * after it has widened.
 *
 * @see torchvision.models.detection.ssdlite.SSDLiteFeatureExtractorMobileNet
 */
export class SSDLiteFeatureExtractorMobileNet extends Module<Map<string, Value>> {
  features: Sequential;
  extra: ModuleList;

  /**
   * @param backbone a MobileNet v3's `features`
   * @param c4Pos the index of the block that has the first map
   * @throws {@link ValueError} where that block has a shortcut, in torchvision's words, or there is no such block
   */
  constructor(backbone: Sequential, c4Pos: number, normLayer: NormLayer, options: SSDLiteFeatureOptions = {}) {
    super();
    const { widthMult, minDepth } = withDefaults(SSDLITE, options, { widthMult: 1, minDepth: 16 });
    finite(`${SSDLITE}: widthMult`, widthMult, 0);
    whole(`${SSDLITE}: minDepth`, minDepth);
    const norm = checkedNorm(SSDLITE, normLayer);
    const items = backbone instanceof Sequential ? [...(backbone as Iterable<Block>)] : [];
    const { block, useResConnect } = items[c4Pos] ?? {};
    if (useResConnect) throw new ValueError('backbone[c4_pos].use_res_connect should be False');
    if (!block) {
      const got = `${describe(backbone)} and ${describe(c4Pos)}`;
      throw new ValueError(`${SSDLITE}: expected a MobileNet v3's features and the index of a block, got ${got}`);
    }
    this.features = new Sequential(
      new Sequential(...items.slice(0, c4Pos), block.at(0)),
      new Sequential(block.slice(1), ...items.slice(c4Pos + 1)),
    );
    const depth = (channels: number) => Math.max(minDepth, Math.trunc(channels * widthMult));
    const depths = [items.at(-1)!.outChannels, depth(512), depth(256), depth(256), depth(128)];
    this.extra = new ModuleList(depths.slice(1).map((to, i) => extraBlock(depths[i]!, to, norm)));
  }

  forward(x: Value): Map<string, Value> {
    const maps: Value[] = [];
    for (const block of [...this.features, ...this.extra]) maps.push(block.call(maps.at(-1) ?? x));
    return new Map(maps.map((map, i) => [String(i), map]));
  }
}

const SSDLITE = 'SSDLiteFeatureExtractorMobileNet';

/** Options of {@link ssdlite320MobilenetV3LargeBackbone}. */
export interface SSDLite320BackboneOptions {
  /** BatchNorm2d with eps 1e-3 unless given. */
  readonly normLayer?: NormLayer;
  /** From 0 to 6, 6 unless given; it has no part in inference. */
  readonly trainableLayers?: number;
  /** True, unless given: half of the channels in the last stage, as torchvision's detector has them. */
  readonly reducedTail?: boolean;
}

/**
 * The backbone of torchvision's ssdlite320_mobilenet_v3_large: its keys are the detector's after `backbone.`.
 *
 * @throws {@link ValueError} where `trainableLayers` is out of range, in the words that torchvision means
 * @see torchvision.models.detection.ssdlite320_mobilenet_v3_large
 */
export function ssdlite320MobilenetV3LargeBackbone(
  options: SSDLite320BackboneOptions = {},
): SSDLiteFeatureExtractorMobileNet {
  const { normLayer, trainableLayers, reducedTail } = withDefaults('ssdlite320MobilenetV3LargeBackbone', options, {
    normLayer: (channels: number) => new BatchNorm2d(channels, { eps: 1e-3, momentum: 0.03 }),
    trainableLayers: 6,
    reducedTail: true,
  });
  flag('ssdlite320MobilenetV3LargeBackbone: reducedTail', reducedTail);
  const norm = checkedNorm('ssdlite320MobilenetV3LargeBackbone', normLayer);
  const { features } = mobilenet_v3_large({ normLayer: norm, reducedTail });
  const stages = stageIndices(features);
  if (!Number.isInteger(trainableLayers) || trainableLayers < 0 || trainableLayers > stages.length) {
    const got = describe(trainableLayers);
    throw new ValueError(`trainable_layers should be in the range [0, ${stages.length}], instead got ${got}`);
  }
  return new SSDLiteFeatureExtractorMobileNet(features, stages.at(-2)!, norm);
}
