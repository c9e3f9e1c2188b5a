/** Convolution layers. */

import { ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { conv2d } from '../ops/conv2d/conv2d.ts';
import { type Pair, toPair, type Window } from '../ops/rules/window.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { Layer } from './layer.ts';
import { tuple } from './repr.ts';
import { type ConvPadding, resolvePadding } from './resolve.ts';

/** Options of {@link Conv2d}, with PyTorch's defaults. */
export interface Conv2dOptions {
  readonly stride?: number | Pair;
  readonly padding?: ConvPadding;
  readonly dilation?: number | Pair;
  readonly groups?: number;
  readonly bias?: boolean;
}

/** What a convolution's attributes say of its window, as they are now. */
export function windowOf(conv: Conv2d): Pick<Window, 'stride' | 'padding' | 'dilation'> {
  const stride = toPair('Conv2d: stride', conv.stride, 1);
  const dilation = toPair('Conv2d: dilation', conv.dilation, 1);
  const padding = resolvePadding('Conv2d: padding', conv.padding, conv.weight.shape.slice(2), stride, dilation);
  return { stride, padding, dilation };
}

/** A 2-D convolution with zeros as padding. Attributes may be set at any time: the next call computes with them. */
export interface Conv2d extends Layer {
  /** `[outChannels, inChannels / groups, height, width]` */
  weight: Parameter;
  bias: Parameter | null;
  inChannels: number;
  outChannels: number;
  kernelSize: Pair;
  stride: Pair;
  padding: ConvPadding;
  dilation: Pair;
  groups: number;
  forward(x: Value): Value;
}

/**
 * 2-D convolution with zeros as padding, which models are made of, so that who ships one doesn't ship other padding. An
 * expression, since a bundler renames one of two declarations with a name, and modules are printed by their classes'.
 */
export const Conv2d: new (
  inChannels: number,
  outChannels: number,
  kernelSize: number | Pair,
  options?: Conv2dOptions,
) => Conv2d = class Conv2d extends Layer {
  weight: Parameter;
  bias: Parameter | null;
  inChannels: number;
  outChannels: number;
  kernelSize: Pair;
  stride: Pair;
  padding: ConvPadding;
  dilation: Pair;
  groups: number;

  /** @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some */
  constructor(inChannels: number, outChannels: number, kernelSize: number | Pair, options: Conv2dOptions = {}) {
    super();
    const defaults = { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true };
    const { stride, padding, dilation, groups, bias } = withDefaults('Conv2d', options, defaults);
    for (const [name, value] of Object.entries({ inChannels, outChannels, groups })) whole(`Conv2d: ${name}`, value);
    flag('Conv2d: bias', bias);
    for (const [side, channels] of Object.entries({ in: inChannels, out: outChannels })) {
      if (channels % groups === 0) continue;
      throw new ValueError(
        `${side}_channels must be divisible by groups; Conv2d: got ${side}Channels ${channels}, groups ${groups}`,
      );
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.groups = groups;
    this.kernelSize = toPair('Conv2d: kernelSize', kernelSize, 1);
    this.stride = toPair('Conv2d: stride', stride, 1);
    this.dilation = toPair('Conv2d: dilation', dilation, 1);
    this.padding = typeof padding === 'number' ? toPair('Conv2d: padding', padding, 0) : padding;
    this.weight = new Parameter([outChannels, inChannels / groups, ...this.kernelSize]);
    this.bias = bias ? new Parameter([outChannels]) : null;
    windowOf(this);
  }

  forward(x: Value): Value {
    const { weight, bias } = this;
    return record(conv2d, [x], { weight, bias, ...windowOf(this), groups: whole('Conv2d: groups', this.groups) });
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, padding, groups, bias } = this;
    const {
      stride,
      dilation,
      padding: { top, left, bottom, right },
    } = windowOf(this);
    const parts = [inChannels, outChannels, `kernel_size=${tuple(kernelSize)}`, `stride=${tuple(stride)}`];
    if (typeof padding === 'string') parts.push(`padding=${padding}`);
    else if (top !== bottom || left !== right) parts.push(`padding=${tuple([top, left, bottom, right])}`);
    else if (top || left) parts.push(`padding=${tuple([top, left])}`);
    if (dilation.some((d) => d !== 1)) parts.push(`dilation=${tuple(dilation)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!bias) parts.push('bias=False');
    return parts.join(', ');
  }
};
