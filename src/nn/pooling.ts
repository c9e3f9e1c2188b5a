/** Pooling layers. */

import { ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Pair } from '../ops/window.ts';
import { withDefaults } from '../options.ts';
import { type AvgPool2dOptions, adaptiveAvgPool2d, avgPool2d, type MaxPool2dOptions, maxPool2d } from './functional.ts';
import { Module } from './module.ts';
import { bool, scalarOrTuple, tuple } from './repr.ts';

const given = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'top' in value
    ? tuple(Object.values(value as Record<string, number>))
    : scalarOrTuple(value as number | Pair);

/** The largest value of each window. @see torch.nn.MaxPool2d */
export class MaxPool2d extends Module {
  readonly kernelSize: number | Pair;
  readonly options: Required<MaxPool2dOptions>;

  constructor(kernelSize: number | Pair, options: MaxPool2dOptions = {}) {
    super();
    const defaults = { stride: kernelSize, padding: 0, dilation: 1, ceilMode: false };
    this.kernelSize = kernelSize;
    this.options = withDefaults('MaxPool2d', options, defaults);
  }

  forward(x: Value): Value {
    return maxPool2d(x, this.kernelSize, this.options);
  }

  protected override extraRepr(): string {
    const { stride, padding, dilation, ceilMode } = this.options;
    return `kernel_size=${given(this.kernelSize)}, stride=${given(stride)}, padding=${given(padding)}, dilation=${given(dilation)}, ceil_mode=${bool(ceilMode)}`;
  }
}

/** The mean of each window. @see torch.nn.AvgPool2d */
export class AvgPool2d extends Module {
  readonly kernelSize: number | Pair;
  readonly options: Required<AvgPool2dOptions>;

  constructor(kernelSize: number | Pair, options: AvgPool2dOptions = {}) {
    super();
    const defaults = { stride: kernelSize, padding: 0, ceilMode: false, countIncludePad: true, divisorOverride: null };
    this.kernelSize = kernelSize;
    this.options = withDefaults('AvgPool2d', options, defaults);
  }

  forward(x: Value): Value {
    return avgPool2d(x, this.kernelSize, this.options);
  }

  protected override extraRepr(): string {
    const { stride, padding } = this.options;
    return `kernel_size=${given(this.kernelSize)}, stride=${given(stride)}, padding=${given(padding)}`;
  }
}

/** Means over windows that cover the image. @see torch.nn.AdaptiveAvgPool2d */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: number | readonly [number | null, number | null];

  constructor(outputSize: number | readonly [number | null, number | null]) {
    super();
    const sizes = typeof outputSize === 'number' ? [outputSize] : outputSize;
    if (!sizes.every((size) => size === null || (Number.isSafeInteger(size) && size > 0))) {
      throw new ValueError(`AdaptiveAvgPool2d: expected sizes >= 1 or null, got ${sizes.join(', ')}`);
    }
    this.outputSize = outputSize;
  }

  forward(x: Value): Value {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  protected override extraRepr(): string {
    return `output_size=${typeof this.outputSize === 'number' ? this.outputSize : tuple(this.outputSize)}`;
  }
}
