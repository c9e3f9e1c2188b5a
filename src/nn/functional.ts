/** Functional forms, for a module's `forward`. They take and return values. @see torch.nn.functional */

import { describe, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
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
import { interpolate as interpolateOp } from '../ops/interpolate.ts';
import { maxPool2d as maxPool2dOp } from '../ops/max-pool2d.ts';
import { mul as mulOp } from '../ops/mul.ts';
import { prelu as preluOp } from '../ops/prelu.ts';
import type { Pair } from '../ops/rules/window.ts';
import { Parameter } from '../tensor/parameter.ts';
import {
  type AvgPool2dOptions,
  type InterpolateOptions,
  type MaxPool2dOptions,
  type OutputSize,
  resolveAdaptiveAvgPool2d,
  resolveAvgPool2d,
  resolveInterpolate,
  resolveMaxPool2d,
} from './resolve.ts';

export type { AvgPool2dOptions, InterpolateOptions, MaxPool2dOptions, OutputSize } from './resolve.ts';
export * from './tensor-functions.ts';

/** max(0, x). */
export function relu(x: Value): Value {
  return record(clamp, [x], { min: 0, max: Infinity }, 'relu');
}

/** min(max(0, x), 6). */
export function relu6(x: Value): Value {
  return record(clamp, [x], { min: 0, max: 6 }, 'relu6');
}

/** x·relu6(x + 3) / 6. */
export function hardswish(x: Value): Value {
  return record(hardswishOp, [x], null);
}

/** relu6(x + 3) / 6. */
export function hardsigmoid(x: Value): Value {
  return record(hardsigmoidOp, [x], null);
}

/** 1 / (1 + e⁻ˣ), within 4 ulp. */
export function sigmoid(x: Value): Value {
  return record(sigmoidOp, [x], null);
}

/** x / (1 + e⁻ˣ), within 4 ulp. */
export function silu(x: Value): Value {
  return record(siluOp, [x], null);
}

/**
 * x, and x·weight where x is negative.
 *
 * @param weight one slope, or one for each channel
 * @throws {@link ShapeError} for another number of slopes
 */
export function prelu(x: Value, weight: Parameter): Value {
  if (!(weight instanceof Parameter)) {
    throw new ValueError(`prelu: expected weight as a Parameter, got ${describe(weight)}`);
  }
  return record(preluOp, [x], { weight });
}

/** a·b; both of one shape, or `b` of `[N, C, 1, 1]`. */
export function mul(a: Value, b: Value): Value {
  return record(mulOp, [a, b], null);
}

/** a + b; both of one shape. */
export function add(a: Value, b: Value): Value {
  return record(addOp, [a, b], null);
}

/** The largest value of each window; padding counts as −∞. */
export function maxPool2d(x: Value, kernelSize: number | Pair, options: MaxPool2dOptions = {}): Value {
  return record(maxPool2dOp, [x], resolveMaxPool2d('max_pool2d', kernelSize, options).attrs);
}

/** The mean of each window. */
export function avgPool2d(x: Value, kernelSize: number | Pair, options: AvgPool2dOptions = {}): Value {
  return record(avgPool2dOp, [x], resolveAvgPool2d('avg_pool2d', kernelSize, options).attrs);
}

/** Means of windows that cover the image, `outputSize` of them; null keeps an axis. */
export function adaptiveAvgPool2d(x: Value, outputSize: OutputSize): Value {
  return record(adaptiveAvgPool2dOp, [x], resolveAdaptiveAvgPool2d('adaptive_avg_pool2d', outputSize));
}

/**
 * The image in another size. Without `alignCorners` pixels are areas (half-pixel centres).
 *
 * @throws {@link ValueError} where not exactly one of size and scaleFactor is given, or the mode is unknown
 */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  return record(interpolateOp, [x], resolveInterpolate('interpolate', options).attrs);
}
