/** Functional forms, for a module's `forward`. They take and return values. @see torch.nn.functional */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import {
  clamp,
  gelu as geluOp,
  hardsigmoid as hardsigmoidOp,
  hardswish as hardswishOp,
  sigmoid as sigmoidOp,
  silu as siluOp,
} from '../ops/activation.ts';
import { adaptiveAvgPool2d as adaptiveAvgPool2dOp } from '../ops/adaptive-avg-pool2d.ts';
import { avgPool2d as avgPool2dOp } from '../ops/avg-pool2d.ts';
import { geluTanh } from '../ops/elementwise.ts';
import { interpolate as interpolateOp } from '../ops/interpolate.ts';
import { layerNorm as layerNormOp } from '../ops/layer-norm.ts';
import { maxPool2d as maxPool2dOp } from '../ops/max-pool2d.ts';
import { prelu as preluOp } from '../ops/prelu.ts';
import { reshape as reshapeOp } from '../ops/reshape.ts';
import type { Pair } from '../ops/rules/window.ts';
import { finite, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
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
import { shapeOf } from './value-shape.ts';

export { add, div, mul, type Operand, sub } from './arithmetic.ts';
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

/** Options of {@link gelu}. */
export interface GELUOptions {
  /** 'tanh' for the formula that approximates Φ. */
  readonly approximate?: 'none' | 'tanh';
}

/** x·Φ(x), of the normal distribution's Φ; within 5e-7·max(1, |x|). */
export function gelu(x: Value, options: GELUOptions = {}): Value {
  const { approximate } = withDefaults('gelu', options, { approximate: 'none' as const });
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw new ValueError(`approximate argument must be either none or tanh; gelu: got ${describe(approximate)}`);
  }
  return record(approximate === 'tanh' ? geluTanh : geluOp, [x], null);
}

/** Options of {@link layerNorm}. */
export interface LayerNormParameters {
  readonly weight?: Parameter | null;
  readonly bias?: Parameter | null;
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
}

/**
 * Values less their mean over the last axes, by their deviation there.
 *
 * @param normalizedShape the sizes of these axes
 */
export function layerNorm(x: Value, normalizedShape: Shape, options: LayerNormParameters = {}): Value {
  const { weight, bias, eps } = withDefaults('layer_norm', options, { weight: null, bias: null, eps: 1e-5 });
  const shape = shapeOf('layer_norm', x);
  for (const parameter of [weight, bias]) {
    if (parameter !== null && !(parameter instanceof Parameter && sameShape(parameter.shape, normalizedShape))) {
      throw new ValueError(
        `layer_norm: expected weight and bias as Parameters of shape ${describe(normalizedShape)}, ` +
          `got ${describe(parameter)}`,
      );
    }
  }
  const isArray = Array.isArray(normalizedShape) && normalizedShape.length > 0;
  if (!isArray || !sameShape(shape.slice(-normalizedShape.length), normalizedShape)) {
    throw new ShapeError(
      `layer_norm: expected x whose last axes are ${describe(normalizedShape)}, got ${formatShape(shape)}`,
    );
  }
  const size = numel(normalizedShape);
  const attrs = { size, weight, bias, eps: finite('layer_norm: eps', eps) };
  if (normalizedShape.length === 1) return record(layerNormOp, [x], attrs);
  const rows = record(reshapeOp, [x], { shape: [...shape.slice(0, -normalizedShape.length), size] }, null);
  return record(reshapeOp, [record(layerNormOp, [rows], attrs, null)], { shape }, 'layer_norm');
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
