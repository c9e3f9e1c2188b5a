/**
 * What the segmentation models share: a backbone with features `out` and `aux`, heads, upsampling to the input's size.
 */

import { KeyError, listed } from '../errors.ts';
import { type FeatureName, IntermediateLayerGetter } from '../features/intermediate-layer-getter.ts';
import type { Value } from '../graph/graph.ts';
import type { AnyModule, Module } from '../nn/module.ts';
import { interpolate } from '../nn/resize.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { checkedNorm, type NormLayer } from './blocks.ts';
import { mobilenet_v3_large } from './mobilenetv3.ts';
import type { ResNet, ResNetOptions } from './resnet.ts';
import { WithAux } from './with-aux.ts';

/** Options of the segmentation builders, with torchvision's defaults. */
export interface SegmentationOptions {
  /** 21 unless given: the classes of Pascal VOC. */
  readonly numClasses?: number;
  /** True for the auxiliary head on layer3 and the result `aux`; false unless given. */
  readonly auxLoss?: boolean;
  /** For the backbone's norms, e.g. FrozenBatchNorm2d. */
  readonly normLayer?: NormLayer;
}

/** A backbone's feature. @throws {@link KeyError} where it lacks it */
export function featureOf(model: string, features: ReadonlyMap<FeatureName, Value>, name: string): Value {
  const feature = features.get(name);
  if (feature) return feature;
  const names = features.size > 0 ? listed(features.keys()) : 'nothing';
  throw new KeyError(`${model}: expected the backbone to return "${name}", got ${names}`);
}

/**
 * Logits in the input's size: `out`, and `aux` where there is an auxiliary head, in eval mode too.
 *
 * @see torchvision.models.segmentation._utils._SimpleSegmentationModel
 */
export class SimpleSegmentationModel extends WithAux<Map<string, Value>> {
  backbone: Module<Map<FeatureName, Value>>;
  classifier: Module;
  aux_classifier: Module | null;

  constructor(backbone: Module<Map<FeatureName, Value>>, classifier: Module, auxClassifier: Module | null = null) {
    super();
    this.backbone = backbone;
    this.classifier = classifier;
    this.aux_classifier = auxClassifier;
  }

  protected override auxiliary(): readonly [head: string, option: string] {
    return ['aux_classifier', 'auxLoss'];
  }

  /** @throws {@link KeyError} where the backbone lacks a feature */
  forward(x: Value): Map<string, Value> {
    const size = [x.shape[2]!, x.shape[3]!] as const;
    const features = this.backbone.call(x);
    const head = (name: string, classifier: Module): Value => {
      const feature = featureOf(this.constructor.name, features, name);
      return interpolate(classifier.call(feature), { size, mode: 'bilinear', alignCorners: false });
    };
    const result = new Map([['out', head('out', this.classifier)]]);
    if (this.aux_classifier) result.set('aux', head('aux', this.aux_classifier));
    return result;
  }
}

/** A backbone, and the layers that give the features `out` and `aux`, with their channels. */
interface Backbone {
  readonly model: AnyModule;
  readonly out: readonly [layer: string, channels: number];
  readonly aux: readonly [layer: string, channels: number];
}

/** Makes a backbone, with norms of its own unless others are given. */
export type BackboneBuilder = (options: { readonly normLayer?: NormLayer }) => Backbone;

/** A dilated ResNet of bottlenecks. */
export function dilatedResnet(build: (options: ResNetOptions) => ResNet): BackboneBuilder {
  return (options) => ({
    model: build({ ...options, replaceStrideWithDilation: [false, true, true] }),
    out: ['layer4', 2048],
    aux: ['layer3', 1024],
  });
}

/** A dilated MobileNet v3 large; `aux` is of an eighth of the input's size, and `out` of a sixteenth. */
export function dilatedMobileNetV3(options: { readonly normLayer?: NormLayer }): Backbone {
  return { model: mobilenet_v3_large({ ...options, dilated: true }).features, out: ['16', 960], aux: ['4', 40] };
}

/** A head on so many channels that tells so many classes apart. */
type HeadClass = new (channels: number, numClasses: number) => Module;

/**
 * A segmentation model of a builder's options.
 *
 * @param builder its name, for messages
 * @param parts the model's class, and its heads'
 * @throws {@link ValueError} where an option isn't known or has a wrong type
 */
export function segmentationModel<M>(
  builder: string,
  options: SegmentationOptions,
  backboneOf: BackboneBuilder,
  parts: {
    readonly model: new (backbone: IntermediateLayerGetter, classifier: Module, aux: Module | null) => M;
    readonly head: HeadClass;
    readonly auxHead: HeadClass;
  },
): M {
  const defaults = { numClasses: 21, auxLoss: false, normLayer: undefined };
  const { numClasses, auxLoss, normLayer } = withDefaults(builder, options, defaults);
  whole(`${builder}: numClasses`, numClasses);
  flag(`${builder}: auxLoss`, auxLoss);
  const { model, out, aux } = backboneOf(normLayer === undefined ? {} : { normLayer: checkedNorm(builder, normLayer) });
  const layers = new Map([[out[0], 'out']]);
  if (auxLoss) layers.set(aux[0], 'aux');
  return new parts.model(
    // Backbones run their layers in a row.
    new IntermediateLayerGetter(model, layers, { onWarning: null }),
    new parts.head(out[1], numClasses),
    auxLoss ? new parts.auxHead(aux[1], numClasses) : null,
  );
}
