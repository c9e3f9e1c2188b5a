/** Convolution layers. */

import { ValueError } from '../errors.ts';
import { apply, type Value } from '../graph/graph.ts';
import { conv2d } from '../ops/conv2d/conv2d.ts';
import { type Pair, type Sides, toPair, toSides } from '../ops/window.ts';
import { withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { Module } from './module.ts';
import { tuple } from './repr.ts';

/** Options of {@link Conv2d}, with PyTorch's defaults. */
export interface Conv2dOptions {
  readonly stride?: number | Pair;
  /** Zeros around the image: a number, `[height, width]`, each side for itself, or 'same' / 'valid'. */
  readonly padding?: number | Pair | Sides | 'same' | 'valid';
  readonly dilation?: number | Pair;
  readonly groups?: number;
  readonly bias?: boolean;
}

/** 2-D convolution. @see torch.nn.Conv2d */
export class Conv2d extends Module {
  /** `[outChannels, inChannels / groups, height, width]` */
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly dilation: Pair;
  readonly groups: number;
  readonly #paddingRepr: string;

  /** @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some */
  constructor(inChannels: number, outChannels: number, kernelSize: number | Pair, options: Conv2dOptions = {}) {
    super();
    const defaults = { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true };
    const { stride, padding, dilation, groups, bias } = withDefaults('Conv2d', options, defaults);
    for (const [name, value] of Object.entries({ inChannels, outChannels, groups })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new ValueError(`Conv2d: expected ${name} to be a whole number >= 1, got ${value}`);
      }
    }
    if (inChannels % groups !== 0) throw new ValueError('in_channels must be divisible by groups');
    if (outChannels % groups !== 0) throw new ValueError('out_channels must be divisible by groups');
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.groups = groups;
    this.kernelSize = toPair('Conv2d: kernelSize', kernelSize, 1);
    this.stride = toPair('Conv2d: stride', stride, 1);
    this.dilation = toPair('Conv2d: dilation', dilation, 1);
    this.padding = this.#sides(padding);
    this.#paddingRepr = typeof padding === 'string' ? padding : '';
    this.weight = new Parameter([outChannels, inChannels / groups, ...this.kernelSize]);
    this.bias = bias ? new Parameter([outChannels]) : null;
  }

  #sides(padding: NonNullable<Conv2dOptions['padding']>): Sides {
    if (padding === 'valid') return { top: 0, left: 0, bottom: 0, right: 0 };
    if (padding !== 'same') {
      if (typeof padding === 'string') {
        throw new ValueError(`Invalid padding string '${padding}', should be one of valid, same`);
      }
      return toSides('Conv2d: padding', padding);
    }
    if (this.stride.some((stride) => stride !== 1)) {
      throw new ValueError("padding='same' is not supported for strided convolutions");
    }
    const [height, width] = this.kernelSize.map((kernel, i) => this.dilation[i]! * (kernel - 1)) as [number, number];
    const [top, left] = [Math.floor(height / 2), Math.floor(width / 2)];
    return { top, left, bottom: height - top, right: width - left };
  }

  forward(x: Value): Value {
    const { weight, bias, stride, padding, dilation, groups } = this;
    return apply(conv2d, [x], { weight, bias, stride, padding, dilation, groups });
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias } = this;
    const { top, left, bottom, right } = padding;
    const parts = [inChannels, outChannels, `kernel_size=${tuple(kernelSize)}`, `stride=${tuple(stride)}`];
    if (this.#paddingRepr) parts.push(`padding=${this.#paddingRepr}`);
    else if (top !== bottom || left !== right) parts.push(`padding=${tuple([top, left, bottom, right])}`);
    else if (top || left) parts.push(`padding=${tuple([top, left])}`);
    if (dilation.some((d) => d !== 1)) parts.push(`dilation=${tuple(dilation)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!bias) parts.push('bias=False');
    return parts.join(', ');
  }
}
