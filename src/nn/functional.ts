/** Functional forms, for a module's `forward`. They take and return values. @see torch.nn.functional */

import { describe, ValueError } from '../errors.ts';
import { apply, type Value } from '../graph/graph.ts';
import {
  clamp,
  hardsigmoid as hardsigmoidOp,
  hardswish as hardswishOp,
  sigmoid as sigmoidOp,
  silu as siluOp,
} from '../ops/activation.ts';
import { adaptiveAvgPool2d as adaptiveAvgPool2dOp } from '../ops/adaptive-avg-pool2d.ts';
import { add as addOp } from '../ops/add.ts';
import { avgPool2d as avgPool2dOp } from '../ops/avg-pool2d.ts';
import { cat as catOp } from '../ops/cat.ts';
import { flatten as flattenOp } from '../ops/flatten.ts';
import { interpolate as interpolateOp } from '../ops/interpolate.ts';
import { maxPool2d as maxPool2dOp } from '../ops/max-pool2d.ts';
import { mul as mulOp } from '../ops/mul.ts';
import { type Pair, type Sides, toPair, toSides } from '../ops/window.ts';
import { flag, whole, withDefaults } from '../options.ts';

/** max(0, x). */
export function relu(x: Value): Value {
  return apply(clamp, [x], { min: 0, max: Infinity }, 'relu');
}

/** min(max(0, x), 6). */
export function relu6(x: Value): Value {
  return apply(clamp, [x], { min: 0, max: 6 }, 'relu6');
}

/** x·relu6(x + 3) / 6. */
export function hardswish(x: Value): Value {
  return apply(hardswishOp, [x], null);
}

/** relu6(x + 3) / 6. */
export function hardsigmoid(x: Value): Value {
  return apply(hardsigmoidOp, [x], null);
}

/** 1 / (1 + e⁻ˣ), within 4 ulp. */
export function sigmoid(x: Value): Value {
  return apply(sigmoidOp, [x], null);
}

/** x / (1 + e⁻ˣ), within 4 ulp. */
export function silu(x: Value): Value {
  return apply(siluOp, [x], null);
}

/** a·b; both of one shape, or `b` of `[N, C, 1, 1]`. */
export function mul(a: Value, b: Value): Value {
  return apply(mulOp, [a, b], null);
}

/** a + b; both of one shape. */
export function add(a: Value, b: Value): Value {
  return apply(addOp, [a, b], null);
}

/** Tensors side by side in their channels. @throws {@link ValueError} for another axis than 1, or no tensor */
export function cat(tensors: readonly Value[], dim = 1): Value {
  if (!Array.isArray(tensors)) throw new ValueError(`cat: expected an array of values, got ${describe(tensors)}`);
  if (dim !== 1 || tensors.length === 0) {
    throw new ValueError(`cat: expected at least one tensor and dim 1, got ${tensors.length} and dim ${describe(dim)}`);
  }
  return apply(catOp, tensors, null);
}

/** `[N, C·H·W]` of `[N, C, H, W]`. @throws {@link ValueError} for another first axis than 1 */
export function flatten(x: Value, startDim = 1): Value {
  if (startDim !== 1) throw new ValueError(`flatten: expected startDim 1, got ${describe(startDim)}`);
  return apply(flattenOp, [x], null);
}

/** Options of {@link maxPool2d}; stride is the kernel's size unless given. */
export interface MaxPool2dOptions {
  readonly stride?: number | Pair;
  readonly padding?: number | Pair | Sides;
  readonly dilation?: number | Pair;
  readonly ceilMode?: boolean;
}

/** The largest value of each window; padding counts as −∞. */
export function maxPool2d(x: Value, kernelSize: number | Pair, options: MaxPool2dOptions = {}): Value {
  const defaults = { stride: kernelSize, padding: 0, dilation: 1, ceilMode: false };
  return apply(
    maxPool2dOp,
    [x],
    maxPool2dAttrs('max_pool2d', kernelSize, withDefaults('max_pool2d', options, defaults)),
  );
}

/** @internal The checked attributes of a max pooling. */
export function maxPool2dAttrs(name: string, kernelSize: number | Pair, options: Required<MaxPool2dOptions>) {
  const { stride, padding, dilation, ceilMode } = options;
  return windowAttrs(name, { kernelSize, stride, padding, dilation, ceilMode });
}

/** Options of {@link avgPool2d}; stride is the kernel's size unless given. */
export interface AvgPool2dOptions {
  readonly stride?: number | Pair;
  readonly padding?: number | Pair | Sides;
  readonly ceilMode?: boolean;
  /** True unless given: padding is averaged too. */
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
}

/** The mean of each window. */
export function avgPool2d(x: Value, kernelSize: number | Pair, options: AvgPool2dOptions = {}): Value {
  const defaults = { stride: kernelSize, padding: 0, ceilMode: false, countIncludePad: true, divisorOverride: null };
  return apply(
    avgPool2dOp,
    [x],
    avgPool2dAttrs('avg_pool2d', kernelSize, withDefaults('avg_pool2d', options, defaults)),
  );
}

/** @internal The checked attributes of an average pooling. */
export function avgPool2dAttrs(name: string, kernelSize: number | Pair, options: Required<AvgPool2dOptions>) {
  const { stride, padding, ceilMode, countIncludePad, divisorOverride } = options;
  if (divisorOverride !== null && (!Number.isSafeInteger(divisorOverride) || divisorOverride === 0)) {
    throw new ValueError(
      `${name}: expected divisorOverride to be a whole number other than 0, got ${describe(divisorOverride)}`,
    );
  }
  return {
    ...windowAttrs(name, { kernelSize, stride, padding, dilation: 1, ceilMode }),
    countIncludePad: flag(`${name}: countIncludePad`, countIncludePad),
    divisorOverride,
  };
}

/** A pooling's window, checked; as in PyTorch, a window always holds a pixel of the image. */
function windowAttrs(
  name: string,
  given: {
    readonly kernelSize: number | Pair;
    readonly stride: number | Pair;
    readonly padding: number | Pair | Sides;
    readonly dilation: number | Pair;
    readonly ceilMode: boolean;
  },
) {
  const kernelSize = toPair(`${name}: kernelSize`, given.kernelSize, 1);
  const stride = toPair(`${name}: stride`, given.stride, 1);
  const padding = toSides(`${name}: padding`, given.padding);
  const dilation = toPair(`${name}: dilation`, given.dilation, 1);
  const ceilMode = flag(`${name}: ceilMode`, given.ceilMode);
  const { top, left, bottom, right } = padding;
  if (Math.max(top, bottom) > kernelSize[0] / 2 || Math.max(left, right) > kernelSize[1] / 2) {
    throw new ValueError(
      `${name}: expected padding of at most half of the kernel's size ${kernelSize.join('x')}, ` +
        `got top ${top}, left ${left}, bottom ${bottom}, right ${right}`,
    );
  }
  return { kernelSize, stride, padding, dilation, ceilMode };
}

/** Means of windows that cover the image, `outputSize` of them; null keeps an axis. */
export function adaptiveAvgPool2d(x: Value, outputSize: number | readonly [number | null, number | null]): Value {
  return apply(adaptiveAvgPool2dOp, [x], adaptiveAvgPool2dAttrs('adaptive_avg_pool2d', outputSize));
}

/** @internal The checked attributes of an adaptive pooling. */
export function adaptiveAvgPool2dAttrs(name: string, outputSize: number | readonly [number | null, number | null]) {
  const sizes: unknown = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize;
  if (!Array.isArray(sizes) || sizes.length !== 2) {
    throw new ValueError(
      `${name}: expected outputSize as a number, or a pair of numbers or null, got ${describe(outputSize)}`,
    );
  }
  for (const size of sizes) if (size !== null) whole(`${name}: outputSize`, size);
  return { outputSize: sizes as unknown as readonly [number | null, number | null] };
}

/** Options of {@link interpolate}: size or scaleFactor. */
export interface InterpolateOptions {
  readonly size?: number | Pair | undefined;
  readonly scaleFactor?: number | readonly [number, number] | undefined;
  readonly mode?: 'nearest' | 'bilinear' | undefined;
  readonly alignCorners?: boolean | undefined;
}

/**
 * The image in another size. Without `alignCorners` pixels are areas (half-pixel centres).
 *
 * @throws {@link ValueError} where not exactly one of size and scaleFactor is given, or the mode is unknown
 */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  withDefaults('interpolate', options, { size: null, scaleFactor: null, mode: null, alignCorners: null });
  return apply(interpolateOp, [x], interpolateAttrs('interpolate', options));
}

/** @internal The checked attributes of a resizing. Options that it doesn't know are the layer's business. */
export function interpolateAttrs(
  name: string,
  { size, scaleFactor, mode = 'nearest', alignCorners }: InterpolateOptions,
) {
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ValueError(
      `${name}: expected either size or scaleFactor, got ${size === undefined ? 'neither' : 'both'}`,
    );
  }
  if (mode !== 'nearest' && mode !== 'bilinear') {
    throw new ValueError(`${name}: expected mode "nearest" or "bilinear", got ${describe(mode)}`);
  }
  if (mode === 'nearest' && alignCorners !== undefined) {
    throw new ValueError(`${name}: expected alignCorners with mode "bilinear" only, got mode "nearest"`);
  }
  return {
    mode,
    alignCorners: alignCorners === undefined ? false : flag(`${name}: alignCorners`, alignCorners),
    size: size === undefined ? null : toPair(`${name}: size`, size, 1),
    scaleFactor: scaleFactor === undefined ? null : toFactors(name, scaleFactor),
  };
}

/** The factors of both axes. @throws {@link ValueError} where they aren't finite numbers > 0 */
function toFactors(name: string, given: number | Pair): Pair {
  const factors: unknown = typeof given === 'number' ? [given, given] : given;
  const isPair = Array.isArray(factors) && factors.length === 2;
  if (!isPair || ![...factors].every((factor) => Number.isFinite(factor) && factor > 0)) {
    throw new ValueError(
      `${name}: expected scaleFactor as a finite number > 0 or a pair of them, got ${describe(given)}`,
    );
  }
  return factors as unknown as Pair;
}
