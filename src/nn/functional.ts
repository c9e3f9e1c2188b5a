/** Functional forms, for a module's `forward`. They take and return values. @see torch.nn.functional */

import { ValueError } from '../errors.ts';
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
import { withDefaults } from '../options.ts';

/** max(0, x). */
export function relu(x: Value): Value {
  return apply(clamp, [x], { min: 0, max: Infinity });
}

/** min(max(0, x), 6). */
export function relu6(x: Value): Value {
  return apply(clamp, [x], { min: 0, max: 6 });
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
  if (dim !== 1 || tensors.length === 0) {
    throw new ValueError(`cat: expected at least one tensor and dim 1, got ${tensors.length} and dim ${dim}`);
  }
  return apply(catOp, tensors, null);
}

/** `[N, C·H·W]` of `[N, C, H, W]`. @throws {@link ValueError} for another first axis than 1 */
export function flatten(x: Value, startDim = 1): Value {
  if (startDim !== 1) throw new ValueError(`flatten: expected startDim 1, got ${startDim}`);
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
  const { stride, padding, dilation, ceilMode } = withDefaults('max_pool2d', options, defaults);
  const window = {
    kernelSize: toPair('max_pool2d: kernelSize', kernelSize, 1),
    stride: toPair('max_pool2d: stride', stride, 1),
    padding: toSides('max_pool2d: padding', padding),
    dilation: toPair('max_pool2d: dilation', dilation, 1),
    ceilMode,
  };
  checkPoolPadding('max_pool2d', window);
  return apply(maxPool2dOp, [x], window);
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
  const { stride, padding, ...rest } = withDefaults('avg_pool2d', options, {
    stride: kernelSize,
    padding: 0,
    ceilMode: false,
    countIncludePad: true,
    divisorOverride: null,
  });
  if (rest.divisorOverride === 0) throw new ValueError('avg_pool2d: expected a divisorOverride other than 0, got 0');
  const window = {
    kernelSize: toPair('avg_pool2d: kernelSize', kernelSize, 1),
    stride: toPair('avg_pool2d: stride', stride, 1),
    padding: toSides('avg_pool2d: padding', padding),
    dilation: [1, 1] as const,
    ...rest,
  };
  checkPoolPadding('avg_pool2d', window);
  return apply(avgPool2dOp, [x], window);
}

/** PyTorch's rule: a window always holds a pixel of the image. */
function checkPoolPadding(
  name: string,
  { kernelSize, padding }: { readonly kernelSize: Pair; readonly padding: Sides },
) {
  const { top, left, bottom, right } = padding;
  if (Math.max(top, bottom) > kernelSize[0] / 2 || Math.max(left, right) > kernelSize[1] / 2) {
    throw new ValueError(
      `${name}: expected padding of at most half of the kernel's size ${kernelSize.join('x')}, ` +
        `got top ${top}, left ${left}, bottom ${bottom}, right ${right}`,
    );
  }
}

/** Means of windows that cover the image, `outputSize` of them; null keeps an axis. */
export function adaptiveAvgPool2d(x: Value, outputSize: number | readonly [number | null, number | null]): Value {
  const [height, width] = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize;
  toPair('adaptive_avg_pool2d: outputSize', [height ?? 1, width ?? 1], 1);
  return apply(adaptiveAvgPool2dOp, [x], { outputSize: [height, width] as const });
}

/** Options of {@link interpolate}: size or scaleFactor. */
export interface InterpolateOptions {
  readonly size?: number | Pair;
  readonly scaleFactor?: number | readonly [number, number];
  readonly mode?: 'nearest' | 'bilinear';
  readonly alignCorners?: boolean;
}

/**
 * The image in another size. Without `alignCorners` pixels are areas (half-pixel centres).
 *
 * @throws {@link ValueError} where not exactly one of size and scaleFactor is given, or the mode is unknown
 */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  const defaults = { size: undefined, scaleFactor: undefined, mode: 'nearest', alignCorners: false } as const;
  const { size, scaleFactor, mode, alignCorners } = withDefaults('interpolate', options, defaults);
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ValueError(
      `interpolate: expected either size or scaleFactor, got ${size === undefined ? 'neither' : 'both'}`,
    );
  }
  if (mode !== 'nearest' && mode !== 'bilinear') {
    throw new ValueError(`interpolate: expected mode "nearest" or "bilinear", got "${mode}"`);
  }
  if (mode === 'nearest' && options.alignCorners !== undefined) {
    throw new ValueError('interpolate: expected alignCorners with mode "bilinear" only, got mode "nearest"');
  }
  const factors = typeof scaleFactor === 'number' ? ([scaleFactor, scaleFactor] as const) : (scaleFactor ?? null);
  if (factors && !factors.every((factor) => Number.isFinite(factor) && factor > 0)) {
    throw new ValueError(`interpolate: expected scale factors > 0, got ${factors.join(', ')}`);
  }
  return apply(interpolateOp, [x], {
    mode,
    alignCorners,
    size: size === undefined ? null : toPair('interpolate: size', size, 1),
    scaleFactor: factors,
  });
}
