/** ConvNeXt. @see torchvision.models.convnext; arXiv:2201.03545 */

import type { Value } from '../graph/graph.ts';
import { GELU } from '../nn/activation.ts';
import { affine } from '../nn/channel-affine.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Flatten } from '../nn/flatten.ts';
import { permute } from '../nn/functional.ts';
import { Layer } from '../nn/layer.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { LayerNorm } from '../nn/normalization.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { add } from '../nn/same-shape.ts';
import { finite, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkShape } from '../tensor/shape.ts';
import { Conv2dNormActivation, checkedNorm, type NormLayer, StochasticDepth } from './blocks.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface ConvNeXtOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** The last block's; it has no part in inference. */
  readonly stochasticDepthProb?: number;
  /** What blocks begin with before training; 1e-6 unless given. */
  readonly layerScale?: number;
  /** LayerNorm2d with eps 1e-6 unless given: of the stem, the downsamplings and the head. */
  readonly normLayer?: NormLayer;
}

/** What a builder's name decides. */
interface Config {
  /** The first stage's channels; each stage has twice the one's before. */
  readonly width: number;
  /** The blocks of each stage. */
  readonly blocks: readonly number[];
  /** The last block's stochastic depth. */
  readonly dropped: number;
}

/** Layer norm over the channels of `[N, C, H, W]`. @see torchvision.models.convnext.LayerNorm2d */
export class LayerNorm2d extends LayerNorm {
  override forward(x: Value): Value {
    return permute(super.forward(permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]);
  }
}

/** The axes in another order. @see torchvision.ops.Permute */
export class Permute extends Layer {
  dims: readonly number[];

  constructor(dims: readonly number[]) {
    super();
    checkShape('Permute', dims);
    this.dims = [...dims];
  }

  forward(x: Value): Value {
    return permute(x, this.dims);
  }
}

/** Filters depthwise, widens and narrows each pixel, scales each channel. @see torchvision.models.convnext.CNBlock */
export class CNBlock extends Module {
  block: Sequential;
  layer_scale: Parameter;
  stochastic_depth: StochasticDepth;

  constructor(channels: number, layerScale: number, dropped: number) {
    super();
    this.block = new Sequential(
      new Conv2d(channels, channels, 7, { padding: 3, groups: channels }),
      new Permute([0, 2, 3, 1]),
      new LayerNorm(channels, { eps: 1e-6 }),
      new Linear(channels, 4 * channels),
      new GELU(),
      new Linear(4 * channels, channels),
      new Permute([0, 3, 1, 2]),
    );
    this.layer_scale = new Parameter([channels, 1, 1], { fill: layerScale });
    this.stochastic_depth = new StochasticDepth(dropped, 'row');
  }

  forward(x: Value): Value {
    const scaled = affine('mul', this.block.call(x), { weight: this.layer_scale, bias: null });
    return add(this.stochastic_depth.call(scaled), x);
  }
}

/** Four stages of blocks. @see torchvision.models.ConvNeXt */
export class ConvNeXt extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  constructor(config: Config, options: ConvNeXtOptions = {}) {
    super();
    const { numClasses, stochasticDepthProb, layerScale, ...given } = withDefaults('ConvNeXt', options, {
      numClasses: 1000,
      stochasticDepthProb: config.dropped,
      layerScale: 1e-6,
      normLayer: (channels: number) => new LayerNorm2d(channels, { eps: 1e-6 }),
    });
    whole('ConvNeXt: numClasses', numClasses);
    finite('ConvNeXt: stochasticDepthProb', stochasticDepthProb, 0);
    finite('ConvNeXt: layerScale', layerScale);
    const normLayer = checkedNorm('ConvNeXt', given.normLayer);
    const stages = config.blocks.map((count, i) => [config.width << i, count] as const);
    const stem = { kernelSize: 4, stride: 4, padding: 0, normLayer, activationLayer: null, bias: true };
    const features: AnyModule[] = [new Conv2dNormActivation(3, stages[0]![0], stem)];
    const last = stages.reduce((sum, [, blocks]) => sum + blocks, 0) - 1;
    let block = 0;
    for (const [i, [channels, blocks]] of stages.entries()) {
      const items = Array.from(
        { length: blocks },
        () => new CNBlock(channels, layerScale, (stochasticDepthProb * block++) / last),
      );
      features.push(new Sequential(...items));
      const next = stages[i + 1]?.[0];
      if (next) features.push(new Sequential(normLayer(channels), new Conv2d(channels, next, 2, { stride: 2 })));
    }
    const [channels] = stages.at(-1)!;
    this.features = new Sequential(...features);
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.classifier = new Sequential(normLayer(channels), new Flatten(1), new Linear(channels, numClasses));
  }

  forward(x: Value): Value {
    return this.classifier.call(this.avgpool.call(this.features.call(x)));
  }
}

/** ConvNeXt tiny. */
export function convnext_tiny(options: ConvNeXtOptions = {}): ConvNeXt {
  return new ConvNeXt({ width: 96, blocks: [3, 3, 9, 3], dropped: 0.1 }, options);
}

/** ConvNeXt small. */
export function convnext_small(options: ConvNeXtOptions = {}): ConvNeXt {
  return new ConvNeXt({ width: 96, blocks: [3, 3, 27, 3], dropped: 0.4 }, options);
}

/** ConvNeXt base. */
export function convnext_base(options: ConvNeXtOptions = {}): ConvNeXt {
  return new ConvNeXt({ width: 128, blocks: [3, 3, 27, 3], dropped: 0.5 }, options);
}

/** ConvNeXt large. */
export function convnext_large(options: ConvNeXtOptions = {}): ConvNeXt {
  return new ConvNeXt({ width: 192, blocks: [3, 3, 27, 3], dropped: 0.5 }, options);
}
