/** Convolution layers with all of PyTorch's kinds of padding. */

import { cut, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { PadAttrs } from '../ops/pad.ts';
import type { Pair } from '../ops/rules/window.ts';
import { withDefaults } from '../options.ts';
import { windowOf, Conv2d as ZeroPaddedConv2d, type Conv2dOptions as ZeroPaddedConv2dOptions } from './conv.ts';
import { conv2d, pad } from './functional.ts';

/** What padding shows: zeros, x mirrored, its edge, or x again. */
export type PaddingMode = 'zeros' | Exclude<PadAttrs['mode'], 'constant'>;

const PADDING_MODES: readonly PaddingMode[] = ['circular', 'reflect', 'replicate', 'zeros'];

/** The mode. @throws {@link ValueError} where it is none, in PyTorch's words */
export function checkedMode(mode: PaddingMode): PaddingMode {
  if (PADDING_MODES.includes(mode)) return mode;
  throw new ValueError(
    `padding_mode must be one of {'${PADDING_MODES.join("', '")}'}, but got padding_mode='${cut(String(mode))}'`,
  );
}

/** Options of {@link Conv2d}, with PyTorch's defaults. */
export interface Conv2dOptions extends ZeroPaddedConv2dOptions {
  readonly paddingMode?: PaddingMode;
}

/** 2-D convolution. Attributes may be set at any time: the next call computes with them. @see torch.nn.Conv2d */
export interface Conv2d extends ZeroPaddedConv2d {
  /** Models' own convolutions, which have zeros, haven't this attribute. */
  paddingMode: PaddingMode;
}

/**
 * 2-D convolution. Models' own are instances, too.
 *
 * @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some
 */
export const Conv2d: new (
  inChannels: number,
  outChannels: number,
  kernelSize: number | Pair,
  options?: Conv2dOptions,
) => Conv2d = class Conv2d extends ZeroPaddedConv2d {
  paddingMode: PaddingMode;

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a class that is derived from this one inherits the method.
    return this === Conv2d ? value instanceof ZeroPaddedConv2d : super[Symbol.hasInstance](value);
  }

  constructor(inChannels: number, outChannels: number, kernelSize: number | Pair, options: Conv2dOptions = {}) {
    const { paddingMode, ...others } = withDefaults('Conv2d', options, {
      stride: 1,
      padding: 0,
      dilation: 1,
      groups: 1,
      bias: true,
      paddingMode: 'zeros' as const,
    });
    super(inChannels, outChannels, kernelSize, others);
    this.paddingMode = checkedMode(paddingMode);
  }

  override forward(x: Value): Value {
    const mode = checkedMode(this.paddingMode);
    if (mode === 'zeros') return super.forward(x);
    const { weight, bias, stride, dilation, groups } = this;
    const { left, right, top, bottom } = windowOf(this).padding;
    return conv2d(pad(x, [left, right, top, bottom], { mode }), weight, { bias, stride, dilation, groups });
  }

  protected override extraRepr(): string {
    const { paddingMode } = this;
    return super.extraRepr() + (paddingMode === 'zeros' ? '' : `, padding_mode=${paddingMode}`);
  }
};
