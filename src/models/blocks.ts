/** Blocks that several families share. @see torchvision.ops.misc */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU, Sigmoid } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Layer } from '../nn/layer.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { float } from '../nn/repr.ts';
import { mul } from '../nn/same-shape.ts';
import { callable, whole, withDefaults } from '../options.ts';

/** Makes the norm of a layer: `(channels) => new FrozenBatchNorm2d(channels)`. */
export type NormLayer = (channels: number) => Module;

/**
 * What makes norms, checked. @throws {@link ValueError} where it isn't a function, or returns something else than a
 * module
 */
export function checkedNorm(name: string, normLayer: NormLayer): NormLayer {
  callable(`${name}: normLayer`, normLayer);
  return (channels) => {
    const norm: unknown = normLayer(channels);
    if (norm instanceof Module) return norm;
    throw new ValueError(
      `${name}: normLayer: expected a function that returns a Module, got ${describe(norm)} from it`,
    );
  };
}

/** Makes an activation. */
export type ActivationLayer = () => Module;

/** Options of {@link Conv2dNormActivation}. */
export interface Conv2dNormActivationOptions {
  readonly kernelSize?: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly dilation?: number;
  /** On all sides; what keeps the size at stride 1 unless given. */
  readonly padding?: number | null;
  /** True unless there is a norm. */
  readonly bias?: boolean | null;
  /** Null for none; BatchNorm2d unless given. */
  readonly normLayer?: NormLayer | null;
  /** Null for none; ReLU unless given. */
  readonly activationLayer?: ActivationLayer | null;
}

/**
 * A convolution that keeps the size at stride 1, its norm, and its activation. @see
 * torchvision.ops.Conv2dNormActivation
 */
export class Conv2dNormActivation extends Sequential {
  /** The last item's channels. */
  outChannels: number;

  constructor(inChannels: number, outChannels: number, options: Conv2dNormActivationOptions = {}) {
    const resolved = withDefaults('Conv2dNormActivation', options, {
      kernelSize: 3,
      stride: 1,
      groups: 1,
      dilation: 1,
      padding: null,
      bias: null,
      normLayer: (channels: number) => new BatchNorm2d(channels),
      activationLayer: () => new ReLU({ inplace: true }),
    });
    const { kernelSize, stride, groups, dilation, normLayer, activationLayer } = resolved;
    const bias = resolved.bias ?? normLayer === null;
    whole('Conv2dNormActivation: kernelSize', kernelSize);
    whole('Conv2dNormActivation: dilation', dilation);
    const norm = normLayer && checkedNorm('Conv2dNormActivation', normLayer)(outChannels);
    if (activationLayer !== null) callable('Conv2dNormActivation: activationLayer', activationLayer);
    const padding = resolved.padding ?? Math.floor((kernelSize - 1) / 2) * dilation;
    const conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, dilation, groups, bias });
    super(conv, ...(norm ? [norm] : []), ...(activationLayer ? [activationLayer()] : []));
    this.outChannels = outChannels;
  }

  /** As all modules of torchvision.ops. */
  override isLeaf(): boolean {
    return true;
  }
}

/**
 * Multiplies each channel by a number between 0 and 1 that all channels' means decide. @see
 * torchvision.ops.SqueezeExcitation
 */
export class SqueezeExcitation extends Layer {
  avgpool: AdaptiveAvgPool2d;
  fc1: Conv2d;
  fc2: Conv2d;
  activation: Module;
  scale_activation: Module;

  constructor(
    inputChannels: number,
    squeezeChannels: number,
    activation: ActivationLayer = () => new ReLU(),
    scaleActivation: ActivationLayer = () => new Sigmoid(),
  ) {
    super();
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.fc1 = new Conv2d(inputChannels, squeezeChannels, 1);
    this.fc2 = new Conv2d(squeezeChannels, inputChannels, 1);
    this.activation = activation();
    this.scale_activation = scaleActivation();
  }

  forward(x: Value): Value {
    const squeezed = this.activation.call(this.fc1.call(this.avgpool.call(x)));
    return mul(x, this.scale_activation.call(this.fc2.call(squeezed)));
  }
}

/** Returns what it gets, as torchvision's does in eval mode. @see torchvision.ops.StochasticDepth */
export class StochasticDepth extends Layer {
  p: number;
  mode: 'batch' | 'row';

  /** @throws {@link ValueError} where `p` isn't a probability or the mode isn't known, in torchvision's words */
  constructor(p: number, mode: 'batch' | 'row') {
    super();
    if (typeof p !== 'number' || !(p >= 0 && p <= 1)) {
      throw new ValueError(`drop probability has to be between 0 and 1, but got ${describe(p)}`);
    }
    if (mode !== 'batch' && mode !== 'row') {
      throw new ValueError(`mode has to be either 'batch' or 'row', but got ${describe(mode)}`);
    }
    this.p = p;
    this.mode = mode;
  }

  forward(x: Value): Value {
    return x;
  }

  protected override extraRepr(): string {
    return `p=${float(this.p)}, mode=${this.mode}`;
  }
}

/**
 * The multiple of `divisor` nearest to `v`, but not less than nine tenths of it. @see
 * torchvision.models._utils._make_divisible
 */
export function makeDivisible(v: number, divisor: number, minValue = divisor): number {
  const rounded = Math.max(minValue, Math.floor((v + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * v ? rounded + divisor : rounded;
}
