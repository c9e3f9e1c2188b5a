/** Pooling layers of `[N, C, L]`. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import {
  type AvgPool1dOptions,
  adaptiveAvgPool1d,
  adaptiveMaxPool1d,
  avgPool1d,
  type LPPool1dOptions,
  lpPool1d,
  type MaxPool1dOptions,
  maxPool1d,
} from './functional.ts';
import { Layer } from './layer.ts';
import { bool, single } from './repr.ts';

/** @throws {@link ValueError} where padding isn't a whole number of at most half of the kernel's size */
function checkPadding(layer: string, padding: number, kernelSize: number): void {
  if (whole(`${layer}: padding`, padding, 0) <= kernelSize / 2) return;
  throw new ValueError(
    `${layer}: expected padding of at most half of the kernel's size ${kernelSize}, got ${describe(padding)}`,
  );
}

/** The largest value of each window. @see torch.nn.MaxPool1d */
export class MaxPool1d extends Layer {
  kernelSize: number;
  stride: number;
  padding: number;
  dilation: number;
  ceilMode: boolean;

  constructor(kernelSize: number, options: MaxPool1dOptions = {}) {
    super();
    const defaults = { stride: kernelSize, padding: 0, dilation: 1, ceilMode: false };
    const { stride, padding, dilation, ceilMode } = withDefaults('MaxPool1d', options, defaults);
    this.kernelSize = whole('MaxPool1d: kernelSize', kernelSize);
    this.stride = whole('MaxPool1d: stride', stride);
    checkPadding('MaxPool1d', padding, kernelSize);
    this.padding = padding;
    this.dilation = whole('MaxPool1d: dilation', dilation);
    this.ceilMode = flag('MaxPool1d: ceilMode', ceilMode);
  }

  forward(x: Value): Value {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return maxPool1d(x, kernelSize, { stride, padding, dilation, ceilMode });
  }

  protected override extraRepr(): string {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    const sizes = `kernel_size=${kernelSize}, stride=${stride}, padding=${padding}`;
    return `${sizes}, dilation=${dilation}, ceil_mode=${bool(ceilMode)}`;
  }
}

/** The mean of each window. @see torch.nn.AvgPool1d */
export class AvgPool1d extends Layer {
  kernelSize: number;
  stride: number;
  padding: number;
  ceilMode: boolean;
  countIncludePad: boolean;

  constructor(kernelSize: number, options: AvgPool1dOptions = {}) {
    super();
    const defaults = { stride: kernelSize, padding: 0, ceilMode: false, countIncludePad: true };
    const { stride, padding, ceilMode, countIncludePad } = withDefaults('AvgPool1d', options, defaults);
    this.kernelSize = whole('AvgPool1d: kernelSize', kernelSize);
    this.stride = whole('AvgPool1d: stride', stride);
    checkPadding('AvgPool1d', padding, kernelSize);
    this.padding = padding;
    this.ceilMode = flag('AvgPool1d: ceilMode', ceilMode);
    this.countIncludePad = flag('AvgPool1d: countIncludePad', countIncludePad);
  }

  forward(x: Value): Value {
    const { kernelSize, stride, padding, ceilMode, countIncludePad } = this;
    return avgPool1d(x, kernelSize, { stride, padding, ceilMode, countIncludePad });
  }

  protected override extraRepr(): string {
    const { kernelSize, stride, padding } = this;
    return `kernel_size=${single(kernelSize)}, stride=${single(stride)}, padding=${single(padding)}`;
  }
}

/** Means over windows that cover the row. @see torch.nn.AdaptiveAvgPool1d */
export class AdaptiveAvgPool1d extends Layer {
  outputSize: number;

  constructor(outputSize: number) {
    super();
    this.outputSize = whole('AdaptiveAvgPool1d: outputSize', outputSize);
  }

  forward(x: Value): Value {
    return adaptiveAvgPool1d(x, this.outputSize);
  }

  protected override extraRepr(): string {
    return `output_size=${this.outputSize}`;
  }
}

/** The largest values of windows that cover the row. @see torch.nn.AdaptiveMaxPool1d */
export class AdaptiveMaxPool1d extends Layer {
  outputSize: number;

  constructor(outputSize: number) {
    super();
    this.outputSize = whole('AdaptiveMaxPool1d: outputSize', outputSize);
  }

  forward(x: Value): Value {
    return adaptiveMaxPool1d(x, this.outputSize);
  }

  protected override extraRepr(): string {
    return `output_size=${this.outputSize}`;
  }
}

/** (Σ xᵖ)^(1/p) of each window, with p = `normType`. @see torch.nn.LPPool1d */
export class LPPool1d extends Layer {
  normType: number;
  kernelSize: number;
  stride: number | null;
  ceilMode: boolean;

  constructor(normType: number, kernelSize: number, options: LPPool1dOptions = {}) {
    super();
    const { stride, ceilMode } = withDefaults('LPPool1d', options, { stride: null, ceilMode: false });
    if (finite('LPPool1d: normType', normType) === 0) {
      throw new ValueError(`LPPool1d: expected normType other than 0, got ${normType}`);
    }
    this.normType = normType;
    this.kernelSize = whole('LPPool1d: kernelSize', kernelSize);
    this.stride = stride === null ? null : whole('LPPool1d: stride', stride);
    this.ceilMode = flag('LPPool1d: ceilMode', ceilMode);
  }

  forward(x: Value): Value {
    const { normType, kernelSize, stride, ceilMode } = this;
    return lpPool1d(x, normType, kernelSize, { stride: stride ?? kernelSize, ceilMode });
  }

  protected override extraRepr(): string {
    const { normType, kernelSize, stride, ceilMode } = this;
    return `norm_type=${normType}, kernel_size=${kernelSize}, stride=${stride ?? 'None'}, ceil_mode=${bool(ceilMode)}`;
  }
}
