/** ResNet and MobileNet as detectors' backbones. @see torchvision.models.detection.backbone_utils */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { FrozenBatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import type { AnyModule, Module } from '../nn/module.ts';
import { flag, withDefaults } from '../options.ts';
import { checkedNorm, type NormLayer } from './blocks.ts';
import { BackboneWithFPN, backboneOf, type ExtraFPNBlock } from './fpn.ts';
import { mobilenet_v2 } from './mobilenetv2.ts';
import { mobilenet_v3_large, mobilenet_v3_small } from './mobilenetv3.ts';
import {
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  resnext50_32x4d,
  resnext101_32x8d,
  resnext101_64x4d,
  wide_resnet50_2,
  wide_resnet101_2,
} from './resnet.ts';

/** Options of {@link resnetFpnBackbone}, with torchvision's defaults. */
export interface ResnetFpnBackboneOptions {
  /** torchvision's name, e.g. `'resnet50'`. */
  readonly backboneName: string;
  /** FrozenBatchNorm2d unless given. */
  readonly normLayer?: NormLayer;
  /** From 0 to 5, 3 unless given; it has no part in inference. */
  readonly trainableLayers?: number;
  /** Of 1 to 4 for layer1 to layer4, ascending; all unless given. */
  readonly returnedLayers?: readonly number[] | null;
  /** LastLevelMaxPool unless given, or null. */
  readonly extraBlocks?: ExtraFPNBlock | null;
}

/** The pyramids' channels. */
const CHANNELS = 256;

const frozen = (channels: number) => new FrozenBatchNorm2d(channels);

const isFrom = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const resnets = () => ({
  ...{ resnet18, resnet34, resnet50, resnet101, resnet152 },
  ...{ resnext50_32x4d, resnext101_32x8d, resnext101_64x4d, wide_resnet50_2, wide_resnet101_2 },
});

/**
 * A ResNet with a pyramid on its layers: maps `0`, `1`, … of 256 channels, and `pool`.
 *
 * @throws {@link KeyError} for another name; {@link ValueError} for layers that aren't there, in torchvision's words
 * @see torchvision.models.detection.backbone_utils.resnet_fpn_backbone
 */
export function resnetFpnBackbone(options: ResnetFpnBackboneOptions): BackboneWithFPN {
  const { backboneName, normLayer, trainableLayers, returnedLayers, extraBlocks } = withDefaults(
    'resnetFpnBackbone',
    options,
    { backboneName: '', normLayer: frozen, trainableLayers: 3, returnedLayers: null, extraBlocks: null },
  );
  const build = backboneOf('resnetFpnBackbone', resnets(), backboneName);
  const backbone = build({ normLayer: checkedNorm('resnetFpnBackbone', normLayer) });
  if (!isFrom(0, 5)(trainableLayers)) {
    throw new ValueError(`Trainable layers should be in the range [0,5], got ${describe(trainableLayers)}`);
  }
  const layers = returnedLayers ?? [1, 2, 3, 4];
  if (!Array.isArray(layers) || layers.length === 0 || !layers.every(isFrom(1, 4))) {
    throw new ValueError(`Each returned layer should be in the range [1,4]. Got ${describe(layers)}`);
  }
  const returnLayers = new Map(layers.map((layer: number, i) => [`layer${layer}`, String(i)]));
  const inChannels = layers.map((layer: number) => backbone.fc.inFeatures / 2 ** (4 - layer));
  return new BackboneWithFPN(backbone, returnLayers, inChannels, CHANNELS, { extraBlocks });
}

/** Options of {@link mobilenetBackbone}, with torchvision's defaults. */
export interface MobilenetBackboneOptions {
  /** `'mobilenet_v2'`, `'mobilenet_v3_large'` or `'mobilenet_v3_small'`. */
  readonly backboneName: string;
  /** True for a pyramid, false for the last map with 256 channels. */
  readonly fpn: boolean;
  /** FrozenBatchNorm2d unless given. */
  readonly normLayer?: NormLayer;
  /** From 0 to 6, 2 unless given; it has no part in inference. */
  readonly trainableLayers?: number;
  /** Of 0 to 5 for the layers of each size, ascending; the last two unless given. */
  readonly returnedLayers?: readonly number[] | null;
  /** LastLevelMaxPool unless given, or null. */
  readonly extraBlocks?: ExtraFPNBlock | null;
}

/** A map of 256 channels. */
export type MobilenetFeatures = Module<Value> & { readonly outChannels: number };

const mobilenets = () => ({ mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small });

/** What blocks of a MobileNet tell. */
type Block = AnyModule & { readonly outChannels: number; readonly isStrided?: boolean };

/** The first layer, those that halve the size, and the last one. */
export function stageIndices(features: Sequential): number[] {
  const strided = [...(features as Iterable<Block>)].flatMap(({ isStrided }, i) => (isStrided ? i : []));
  return [0, ...strided, features.length - 1];
}

/**
 * A MobileNet's layers with a pyramid on them: maps `0`, `1`, … of 256 channels, and `pool`. Without the pyramid, one
 * map of 256 channels.
 *
 * @throws {@link KeyError} for another name; {@link ValueError} for layers that aren't there, in torchvision's words
 * @see torchvision.models.detection.backbone_utils.mobilenet_backbone
 */
export function mobilenetBackbone(options: MobilenetBackboneOptions & { readonly fpn: true }): BackboneWithFPN;
/** As above, without a pyramid. */
export function mobilenetBackbone(options: MobilenetBackboneOptions & { readonly fpn: false }): MobilenetFeatures;
/** As above, where it is known at run time alone. */
export function mobilenetBackbone(options: MobilenetBackboneOptions): BackboneWithFPN | MobilenetFeatures;
/** The implementation. */
export function mobilenetBackbone(options: MobilenetBackboneOptions): BackboneWithFPN | MobilenetFeatures {
  const { backboneName, fpn, normLayer, trainableLayers, returnedLayers, extraBlocks } = withDefaults(
    'mobilenetBackbone',
    options,
    {
      ...{ backboneName: '', fpn: undefined, normLayer: frozen, trainableLayers: 2 },
      ...{ returnedLayers: null, extraBlocks: null },
    },
  );
  const build = backboneOf('mobilenetBackbone', mobilenets(), backboneName);
  flag('mobilenetBackbone: fpn', fpn);
  const { features } = build({ normLayer: checkedNorm('mobilenetBackbone', normLayer) });
  const stages = stageIndices(features);
  const count = stages.length;
  if (!isFrom(0, count)(trainableLayers)) {
    throw new ValueError(`Trainable layers should be in the range [0,${count}], got ${describe(trainableLayers)} `);
  }
  const channelsOf = (index: number) => (features.at(index) as Block).outChannels;
  if (!fpn) {
    const narrowed = new Sequential(features, new Conv2d(channelsOf(-1), CHANNELS, 1));
    return Object.assign(narrowed, { outChannels: CHANNELS });
  }
  const layers = returnedLayers ?? [count - 2, count - 1];
  if (!Array.isArray(layers) || layers.length === 0 || !layers.every(isFrom(0, count - 1))) {
    throw new ValueError(`Each returned layer should be in the range [0,${count - 1}], got ${describe(layers)} `);
  }
  const returnLayers = new Map(layers.map((layer: number, i) => [String(stages[layer]), String(i)]));
  const inChannels = layers.map((layer: number) => channelsOf(stages[layer]!));
  return new BackboneWithFPN(features, returnLayers, inChannels, CHANNELS, { extraBlocks });
}
