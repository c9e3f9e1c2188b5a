/** Feature pyramids on a backbone's features. @see torchvision.ops.feature_pyramid_network; arXiv:1612.03144 */

import { byNearness, describe, KeyError, listed, ValueError } from '../errors.ts';
import { type FeatureName, IntermediateLayerGetter, type ReturnLayers } from '../features/intermediate-layer-getter.ts';
import type { Value } from '../graph/graph.ts';
import { ModuleList } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { maxPool2d, relu } from '../nn/functional.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import type { Materialized } from '../nn/output.ts';
import { interpolate } from '../nn/resize.ts';
import { add } from '../nn/same-shape.ts';
import { whole, withDefaults } from '../options.ts';
import { Tensor } from '../tensor/tensor.ts';
import { Conv2dNormActivation, type NormLayer } from './blocks.ts';

/** What an {@link ExtraFPNBlock} returns: feature maps from the largest to the smallest, and their names. */
export type NamedMaps = readonly [results: readonly Value[], names: readonly FeatureName[]];

/**
 * The base class of what adds feature maps to a pyramid's: its `forward` gets the pyramid's maps, the backbone's, and
 * their names, and returns more maps and names.
 *
 * @see torchvision.ops.feature_pyramid_network.ExtraFPNBlock
 */
export abstract class ExtraFPNBlock extends Module<NamedMaps> {
  abstract override forward(results: readonly Value[], x: readonly Value[], names: readonly FeatureName[]): NamedMaps;

  /** As all modules of torchvision.ops. */
  override isLeaf(): boolean {
    return true;
  }
}

/** Adds `pool`, every other pixel of the smallest map. @see torchvision.ops.feature_pyramid_network.LastLevelMaxPool */
export class LastLevelMaxPool extends ExtraFPNBlock {
  forward(results: readonly Value[], _x: readonly Value[], names: readonly FeatureName[]): NamedMaps {
    return [
      [...results, maxPool2d(results.at(-1)!, 1, { stride: 2 })],
      [...names, 'pool'],
    ];
  }
}

/**
 * Adds `p6` and `p7`, by convolutions of stride 2. `p6` is made of the backbone's last map where that has another
 * number of channels than the pyramid's, and else of the pyramid's.
 *
 * @see torchvision.ops.feature_pyramid_network.LastLevelP6P7
 */
export class LastLevelP6P7 extends ExtraFPNBlock {
  p6: Conv2d;
  p7: Conv2d;
  useP5: boolean;

  /** @param inChannels of the map that `p6` is made of */
  constructor(inChannels: number, outChannels: number) {
    super();
    this.p6 = new Conv2d(inChannels, outChannels, 3, { stride: 2, padding: 1 });
    this.p7 = new Conv2d(outChannels, outChannels, 3, { stride: 2, padding: 1 });
    this.useP5 = inChannels === outChannels;
  }

  forward(results: readonly Value[], x: readonly Value[], names: readonly FeatureName[]): NamedMaps {
    const p6 = this.p6.call((this.useP5 ? results : x).at(-1)!);
    return [
      [...results, p6, this.p7.call(relu(p6))],
      [...names, 'p6', 'p7'],
    ];
  }
}

/** Options of {@link FeaturePyramidNetwork} and {@link BackboneWithFPN}. */
export interface FPNOptions {
  /** What adds smaller maps. */
  readonly extraBlocks?: ExtraFPNBlock | null;
  /** Convolutions have a norm in the place of a bias where it is given. */
  readonly normLayer?: NormLayer | null;
}

const FPN_DEFAULTS = { extraBlocks: null, normLayer: null };

/**
 * Maps of equally many channels, each of its own feature and of all smaller ones: a smaller map is enlarged to the
 * nearest pixels and added to the larger one.
 *
 * @see torchvision.ops.FeaturePyramidNetwork
 */
export class FeaturePyramidNetwork extends Module<Map<FeatureName, Value>> {
  inner_blocks: ModuleList;
  layer_blocks: ModuleList;
  extra_blocks: ExtraFPNBlock | null;

  /**
   * @param inChannelsList the channels of each feature, from the largest feature to the smallest
   * @throws {@link ValueError} for no channels, or extra blocks of another class, in torchvision's words
   */
  constructor(inChannelsList: readonly number[], outChannels: number, options: FPNOptions = {}) {
    super();
    const { extraBlocks, normLayer } = withDefaults('FeaturePyramidNetwork', options, FPN_DEFAULTS);
    if (!Array.isArray(inChannelsList) || inChannelsList.length === 0) {
      const got = describe(inChannelsList);
      throw new ValueError(`FeaturePyramidNetwork: expected inChannelsList as an array of numbers, got ${got}`);
    }
    if (inChannelsList.includes(0)) {
      const got = describe(inChannelsList);
      throw new ValueError(
        `in_channels=0 is currently not supported; FeaturePyramidNetwork: got inChannelsList ${got}`,
      );
    }
    for (const channels of inChannelsList) whole('FeaturePyramidNetwork: inChannelsList', channels);
    const shared = { normLayer, activationLayer: null };
    const inner = inChannelsList.map(
      (channels) => new Conv2dNormActivation(channels, outChannels, { ...shared, kernelSize: 1 }),
    );
    this.inner_blocks = new ModuleList(inner);
    this.layer_blocks = new ModuleList(inner.map(() => new Conv2dNormActivation(outChannels, outChannels, shared)));
    if (extraBlocks !== null && !(extraBlocks instanceof ExtraFPNBlock)) {
      throw new ValueError(`extra_blocks should be of type ExtraFPNBlock not ${describe(extraBlocks)}`);
    }
    this.extra_blocks = extraBlocks;
  }

  protected override get version(): number {
    return 2;
  }

  /** Before version 2 a block was a convolution by itself: `inner_blocks.0.weight` for `inner_blocks.0.0.weight`. */
  protected override olderKeys(): Iterable<readonly [key: string, older: string]> {
    return [...this.stateShapes().keys()].map((key) => [
      key,
      key.replace(/^((?:inner|layer)_blocks\.\d+)\.0(\.(?:weight|bias))$/, '$1$2'),
    ]);
  }

  /** As all modules of torchvision.ops. */
  override isLeaf(): boolean {
    return true;
  }

  /**
   * The pyramid's maps by name, from the largest to the smallest: computed of a Map of tensors, recorded of a Map of
   * values.
   */
  override call(features: ReadonlyMap<FeatureName, Tensor>): Materialized<Map<FeatureName, Value>>;
  override call(...inputs: Tensor[]): Materialized<Map<FeatureName, Value>>;
  override call(...inputs: any[]): Map<FeatureName, Value>;
  override call(...inputs: any[]): any {
    const [features] = inputs as [unknown];
    if (!(features instanceof Map) || ![...features.values()].every((x) => x instanceof Tensor)) {
      return super.call(...inputs);
    }
    const names = [...features.keys()];
    return this.execution().run([...features.values()], {
      name: JSON.stringify(names),
      record: (values) => super.call(new Map(names.map((name, i) => [name, values[i]!] as const))) as any,
    });
  }

  /** @throws {@link ValueError} for another number of features */
  forward(features: ReadonlyMap<FeatureName, Value>): Map<FeatureName, Value> {
    const count = this.inner_blocks.length;
    if (!(features instanceof Map) || features.size !== count) {
      const got = features instanceof Map ? listed(features.keys()) : describe(features);
      throw new ValueError(`FeaturePyramidNetwork: expected a Map of ${count} features, got ${got}`);
    }
    const x: Value[] = [...features.values()];
    let last: Value = this.inner_blocks.at(-1).call(x.at(-1));
    let results: readonly Value[] = [this.layer_blocks.at(-1).call(last)];
    for (let i = count - 2; i >= 0; i--) {
      const lateral: Value = this.inner_blocks.at(i).call(x[i]);
      const size = [lateral.shape[2]!, lateral.shape[3]!] as const;
      last = add(lateral, interpolate(last, { size, mode: 'nearest' }));
      results = [this.layer_blocks.at(i).call(last), ...results];
    }
    let names: readonly FeatureName[] = [...features.keys()];
    if (this.extra_blocks) [results, names] = this.extra_blocks.call(results, x, names);
    return new Map(names.map((name, i) => [name, results[i]!]));
  }
}

/**
 * A backbone's layers, and a pyramid on them. The backbone runs as an {@link IntermediateLayerGetter} runs it; all of
 * its weights can be loaded as they are.
 *
 * @see torchvision.models.detection.backbone_utils.BackboneWithFPN
 */
export class BackboneWithFPN extends Module<Map<FeatureName, Value>> {
  body: IntermediateLayerGetter;
  fpn: FeaturePyramidNetwork;
  outChannels: number;

  /**
   * @param returnLayers the backbone's layers, and the names of the pyramid's maps
   * @param inChannelsList the layers' channels, in the order in which they run
   * @param options the extra blocks are {@link LastLevelMaxPool} unless given, or null
   */
  constructor(
    backbone: AnyModule,
    returnLayers: ReturnLayers,
    inChannelsList: readonly number[],
    outChannels: number,
    options: FPNOptions = {},
  ) {
    super();
    const { extraBlocks, normLayer } = withDefaults('BackboneWithFPN', options, FPN_DEFAULTS);
    this.body = new IntermediateLayerGetter(backbone, returnLayers);
    this.fpn = new FeaturePyramidNetwork(inChannelsList, outChannels, {
      extraBlocks: extraBlocks ?? new LastLevelMaxPool(),
      normLayer,
    });
    this.outChannels = outChannels;
  }

  forward(x: Value): Map<FeatureName, Value> {
    return this.fpn.call(this.body.call(x));
  }
}

/**
 * The builder of that name. @throws {@link KeyError} where there is none
 *
 * @param caller what was called, for the message
 */
export function backboneOf<Builder>(caller: string, builders: Readonly<Record<string, Builder>>, name: string) {
  if (typeof name === 'string' && Object.hasOwn(builders, name)) return builders[name]!;
  const names = listed(byNearness([String(name)], Object.keys(builders)), 24);
  throw new KeyError(`${caller}: expected backboneName of ${names}, got ${describe(name)}`);
}
