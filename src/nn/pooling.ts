/** Pooling layers. */

import type { Value } from '../graph/graph.ts';
import type { Pair, Sides } from '../ops/rules/window.ts';
import { adaptiveAvgPool2d, adaptiveMaxPool2d, avgPool2d, lpPool2d, maxPool2d } from './functional.ts';
import { Layer } from './layer.ts';
import { bool, scalarOrTuple, tuple } from './repr.ts';
import {
  type AvgPool2dOptions,
  type LPPool2dOptions,
  type MaxPool2dOptions,
  type OutputSize,
  resolveAdaptivePool2d,
  resolveAvgPool2d,
  resolveLPPool2d,
  resolveMaxPool2d,
} from './resolve.ts';

/** A size as PyTorch prints it: in the form in which it was given. */
const printed = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'top' in value
    ? tuple(Object.values(value as Record<string, number>))
    : scalarOrTuple(value as number | Pair);

/** The largest value of each window. @see torch.nn.MaxPool2d */
export class MaxPool2d extends Layer {
  kernelSize: number | Pair;
  stride: number | Pair;
  padding: number | Pair | Sides;
  dilation: number | Pair;
  ceilMode: boolean;

  constructor(kernelSize: number | Pair, options: MaxPool2dOptions = {}) {
    super();
    const { options: resolved } = resolveMaxPool2d('MaxPool2d', kernelSize, options);
    this.kernelSize = kernelSize;
    this.stride = resolved.stride;
    this.padding = resolved.padding;
    this.dilation = resolved.dilation;
    this.ceilMode = resolved.ceilMode;
  }

  forward(x: Value): Value {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return maxPool2d(x, kernelSize, { stride, padding, dilation, ceilMode });
  }

  protected override extraRepr(): string {
    const { stride, padding, dilation, ceilMode } = this;
    const sizes = `kernel_size=${printed(this.kernelSize)}, stride=${printed(stride)}, padding=${printed(padding)}`;
    return `${sizes}, dilation=${printed(dilation)}, ceil_mode=${bool(ceilMode)}`;
  }
}

/** The mean of each window. @see torch.nn.AvgPool2d */
export class AvgPool2d extends Layer {
  kernelSize: number | Pair;
  stride: number | Pair;
  padding: number | Pair | Sides;
  ceilMode: boolean;
  countIncludePad: boolean;
  divisorOverride: number | null;

  constructor(kernelSize: number | Pair, options: AvgPool2dOptions = {}) {
    super();
    const { options: resolved } = resolveAvgPool2d('AvgPool2d', kernelSize, options);
    this.kernelSize = kernelSize;
    this.stride = resolved.stride;
    this.padding = resolved.padding;
    this.ceilMode = resolved.ceilMode;
    this.countIncludePad = resolved.countIncludePad;
    this.divisorOverride = resolved.divisorOverride;
  }

  forward(x: Value): Value {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return avgPool2d(x, kernelSize, { stride, padding, ceilMode, countIncludePad, divisorOverride });
  }

  protected override extraRepr(): string {
    const { stride, padding } = this;
    return `kernel_size=${printed(this.kernelSize)}, stride=${printed(stride)}, padding=${printed(padding)}`;
  }
}

/** Means over windows that cover the image. @see torch.nn.AdaptiveAvgPool2d */
export class AdaptiveAvgPool2d extends Layer {
  outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    resolveAdaptivePool2d('AdaptiveAvgPool2d', outputSize);
    this.outputSize = outputSize;
  }

  forward(x: Value): Value {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  protected override extraRepr(): string {
    return `output_size=${typeof this.outputSize === 'number' ? this.outputSize : tuple(this.outputSize)}`;
  }
}

/** The largest values of windows that cover the image. @see torch.nn.AdaptiveMaxPool2d */
export class AdaptiveMaxPool2d extends Layer {
  outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    resolveAdaptivePool2d('AdaptiveMaxPool2d', outputSize);
    this.outputSize = outputSize;
  }

  forward(x: Value): Value {
    return adaptiveMaxPool2d(x, this.outputSize);
  }

  protected override extraRepr(): string {
    return `output_size=${typeof this.outputSize === 'number' ? this.outputSize : tuple(this.outputSize)}`;
  }
}

/** (Σ xᵖ)^(1/p) of each window, with p = `normType`. @see torch.nn.LPPool2d */
export class LPPool2d extends Layer {
  normType: number;
  kernelSize: number | Pair;
  stride: number | Pair | null;
  ceilMode: boolean;

  constructor(normType: number, kernelSize: number | Pair, options: LPPool2dOptions = {}) {
    super();
    const { options: resolved } = resolveLPPool2d('LPPool2d', normType, kernelSize, options);
    this.normType = normType;
    this.kernelSize = kernelSize;
    this.stride = options.stride === undefined ? null : resolved.stride;
    this.ceilMode = resolved.ceilMode;
  }

  forward(x: Value): Value {
    const { normType, kernelSize, stride, ceilMode } = this;
    return lpPool2d(x, normType, kernelSize, { stride: stride ?? kernelSize, ceilMode });
  }

  protected override extraRepr(): string {
    const { normType, kernelSize, stride, ceilMode } = this;
    const sizes = `kernel_size=${printed(kernelSize)}, stride=${stride === null ? 'None' : printed(stride)}`;
    return `norm_type=${normType}, ${sizes}, ceil_mode=${bool(ceilMode)}`;
  }
}
