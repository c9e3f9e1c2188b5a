/**
 * What the segmentation models share: a backbone with features `out` and `aux`, heads, upsampling to the input's size.
 */

import { KeyError, listed } from '../errors.ts';
import { type FeatureName, IntermediateLayerGetter } from '../features/intermediate-layer-getter.ts';
import type { Value } from '../graph/graph.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { interpolate } from '../nn/functional.ts';
import { Module } from '../nn/module.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { checkedNorm } from './blocks.ts';
import { type ResNet, type ResNetOptions, resnet50, resnet101 } from './resnet.ts';

/** Options of the segmentation builders, with torchvision's defaults. */
export interface SegmentationOptions {
  /** 21 unless given: the classes of Pascal VOC. */
  readonly numClasses?: number;
  /** True for the auxiliary head on layer3 and the result `aux`; false unless given. */
  readonly auxLoss?: boolean;
  /** For the backbone's norms, e.g. FrozenBatchNorm2d. */
  readonly normLayer?: ResNetOptions['normLayer'];
}

/**
 * Logits in the input's size: `out`, and `aux` where there is an auxiliary head, in eval mode too.
 *
 * @see torchvision.models.segmentation._utils._SimpleSegmentationModel
 */
export class SimpleSegmentationModel extends Module<Map<string, Value>> {
  backbone: Module<Map<FeatureName, Value>>;
  classifier: Module;
  aux_classifier: Module | null;

  constructor(backbone: Module<Map<FeatureName, Value>>, classifier: Module, auxClassifier: Module | null = null) {
    super();
    this.backbone = backbone;
    this.classifier = classifier;
    this.aux_classifier = auxClassifier;
  }

  /** @throws {@link KeyError} where the backbone lacks a feature */
  forward(x: Value): Map<string, Value> {
    const size = [x.shape[2]!, x.shape[3]!] as const;
    const features = this.backbone.call(x);
    const head = (name: string, classifier: Module): Value => {
      const feature = features.get(name);
      if (!feature) {
        const names = features.size > 0 ? listed(features.keys()) : 'nothing';
        throw new KeyError(`${this.constructor.name}: expected the backbone to return "${name}", got ${names}`);
      }
      return interpolate(classifier.call(feature), { size, mode: 'bilinear', alignCorners: false });
    };
    const result = new Map([['out', head('out', this.classifier)]]);
    if (this.aux_classifier) result.set('aux', head('aux', this.aux_classifier));
    return result;
  }
}

/** A segmentation builder's options with their defaults. @throws {@link ValueError} where one isn't known */
export function segmentationOptions(builder: string, options: SegmentationOptions) {
  const given = withDefaults(builder, options, {
    numClasses: 21,
    auxLoss: false,
    normLayer: (channels: number) => new BatchNorm2d(channels),
  });
  whole(`${builder}: numClasses`, given.numClasses);
  flag(`${builder}: auxLoss`, given.auxLoss);
  return { ...given, normLayer: checkedNorm(builder, given.normLayer) };
}

const RESNETS: Readonly<Record<'resnet50' | 'resnet101', (options: ResNetOptions) => ResNet>> = { resnet50, resnet101 };

/** A dilated ResNet that returns layer4 as `out`, and layer3 as `aux` where asked. */
export function segmentationBackbone(
  name: 'resnet50' | 'resnet101',
  options: SegmentationOptions,
): IntermediateLayerGetter {
  const { auxLoss, normLayer } = segmentationOptions('segmentationBackbone', options);
  const backbone = RESNETS[name]({ replaceStrideWithDilation: [false, true, true], normLayer });
  return new IntermediateLayerGetter(backbone, auxLoss ? { layer4: 'out', layer3: 'aux' } : { layer4: 'out' });
}
