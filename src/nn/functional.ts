/** Functional forms, for a module's `forward`. They take and return values. @see torch.nn.functional */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import {
  clamp as clampOp,
  gelu as geluOp,
  hardsigmoid as hardsigmoidOp,
  hardswish as hardswishOp,
  sigmoid as sigmoidOp,
  silu as siluOp,
} from '../ops/activation.ts';
import { adaptiveAvgPool2d as adaptiveAvgPool2dOp } from '../ops/adaptive-avg-pool2d.ts';
import { avgPool2d as avgPool2dOp } from '../ops/avg-pool2d.ts';
import {
  celu as celuOp,
  elu as eluOp,
  geluTanh,
  leakyRelu as leakyReluOp,
  mish as mishOp,
  selu as seluOp,
  softplus as softplusOp,
  tanh as tanhOp,
} from '../ops/elementwise.ts';
import { groupNorm as groupNormOp } from '../ops/group-norm.ts';
import { interpolate as interpolateOp } from '../ops/interpolate.ts';
import { layerNorm as layerNormOp } from '../ops/layer-norm.ts';
import { localResponseNorm as localResponseNormOp } from '../ops/local-response-norm.ts';
import { maxPool2d as maxPool2dOp } from '../ops/max-pool2d.ts';
import { prelu as preluOp } from '../ops/prelu.ts';
import { resample as resampleOp } from '../ops/resample.ts';
import { reshape as reshapeOp } from '../ops/reshape.ts';
import { resizedShape } from '../ops/rules/resize.ts';
import type { Pair } from '../ops/rules/window.ts';
import { logSoftmax as logSoftmaxOp, softmax as softmaxOp } from '../ops/softmax.ts';
import { finite, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel, type Shape, sameShape } from '../tensor/shape.ts';
import { asValue } from './arithmetic.ts';
import {
  type AvgPool2dOptions,
  INTERPOLATE_MODES,
  type InterpolateOptions,
  type MaxPool2dOptions,
  type OutputSize,
  resolveAdaptivePool2d,
  resolveAvgPool2d,
  resolveInterpolate,
  resolveMaxPool2d,
} from './resolve.ts';
import { shapeOf, toDim } from './value-shape.ts';

export { add, div, matmul, mul, type Operand, sub } from './arithmetic.ts';
export * from './convolution.ts';
export * from './norm-forms.ts';
export * from './padding.ts';
export * from './pooling-forms.ts';
export type {
  AvgPool2dOptions,
  ConvPadding,
  InterpolateMode,
  InterpolateOptions,
  LPPool2dOptions,
  MaxPool2dOptions,
  OutputSize,
} from './resolve.ts';
export * from './tensor-functions.ts';

/** max(0, x). */
export function relu(x: Value): Value {
  return record(clampOp, [x], { min: 0, max: Infinity }, 'relu');
}

/** min(max(0, x), 6). */
export function relu6(x: Value): Value {
  return record(clampOp, [x], { min: 0, max: 6 }, 'relu6');
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

/** Options of {@link clamp}; a limit that isn't given is none. */
export interface ClampOptions {
  readonly min?: number | null;
  readonly max?: number | null;
}

/** min(max(x, min), max). @throws {@link ValueError} where neither limit is given */
export function clamp(x: Value, options: ClampOptions = {}): Value {
  const { min, max } = withDefaults('clamp', options, { min: null, max: null });
  if (min === null && max === null)
    throw new ValueError("torch.clamp: At least one of 'min' or 'max' must not be None");
  const limit = (name: string, given: number | null, none: number) =>
    given === null || given === none ? none : finite(`clamp: ${name}`, given);
  return record(clampOp, [x], { min: limit('min', min, -Infinity), max: limit('max', max, Infinity) });
}

/** min(max(x, minVal), maxVal). */
export function hardtanh(x: Value, minVal = -1, maxVal = 1): Value {
  const attrs = { min: finite('hardtanh: minVal', minVal), max: finite('hardtanh: maxVal', maxVal) };
  return record(clampOp, [x], attrs, 'hardtanh');
}

/** x, and negativeSlope·x where it is negative. */
export function leakyRelu(x: Value, negativeSlope = 0.01): Value {
  return record(leakyReluOp, [x], { alpha: finite('leaky_relu: negativeSlope', negativeSlope) });
}

/** x, and alpha·(eˣ − 1) where it is negative. */
export function elu(x: Value, alpha = 1): Value {
  return record(eluOp, [x], { alpha: finite('elu: alpha', alpha) });
}

/** max(0, x) + min(0, alpha·(e^(x / alpha) − 1)). */
export function celu(x: Value, alpha = 1): Value {
  if (finite('celu: alpha', alpha) === 0) throw new ValueError('ZeroDivisionError: alpha cannot be 0 for CELU');
  return record(celuOp, [x], { alpha });
}

/** ELU with the numbers that keep mean and deviation. */
export function selu(x: Value): Value {
  return record(seluOp, [x], null);
}

/** x·tanh(softplus(x)). */
export function mish(x: Value): Value {
  return record(mishOp, [x], null);
}

/** The hyperbolic tangent. */
export function tanh(x: Value): Value {
  return record(tanhOp, [x], null);
}

/** ln(1 + e^(beta·x)) / beta, and x where beta·x is above the threshold. */
export function softplus(x: Value, beta = 1, threshold = 20): Value {
  const attrs = { beta: finite('softplus: beta', beta), threshold: finite('softplus: threshold', threshold) };
  return record(softplusOp, [x], attrs);
}

/** e^x by its sum along an axis. */
export function softmax(x: Value, dim: number): Value {
  return record(softmaxOp, [x], { axis: toDim('softmax', dim, shapeOf('softmax', x).length) });
}

/** The logarithm of {@link softmax}. */
export function logSoftmax(x: Value, dim: number): Value {
  return record(logSoftmaxOp, [x], { axis: toDim('log_softmax', dim, shapeOf('log_softmax', x).length) });
}

/** Options of local response norm, with PyTorch's defaults. */
export interface LocalResponseNormOptions {
  readonly alpha?: number;
  readonly beta?: number;
  readonly k?: number;
}

/** x / (k + alpha·mean of squares)^beta over `size` neighbouring channels; beyond the first and last are zeros. */
export function localResponseNorm(x: Value, size: number, options: LocalResponseNormOptions = {}): Value {
  const defaults = { alpha: 1e-4, beta: 0.75, k: 1 };
  const { alpha, beta, k } = withDefaults('local_response_norm', options, defaults);
  return record(localResponseNormOp, [x], {
    size: whole('local_response_norm: size', size),
    alpha: finite('local_response_norm: alpha', alpha),
    beta: finite('local_response_norm: beta', beta),
    k: finite('local_response_norm: k', k),
  });
}

/** Values less the mean of their group of channels, by its deviation; weight and bias are of one number a channel. */
export function groupNorm(x: Value, numGroups: number, options: LayerNormParameters = {}): Value {
  const { weight, bias, eps } = withDefaults('group_norm', options, { weight: null, bias: null, eps: 1e-5 });
  const shape = shapeOf('group_norm', x);
  const groups = whole('group_norm: numGroups', numGroups);
  if (shape.length > 1 && numel(shape) / groups === 1) {
    throw new ShapeError(
      `Expected more than 1 value per channel when training, got input size ${formatShape(shape)}; group_norm`,
    );
  }
  const vectors = [weight, bias].filter((vector) => vector !== null).map((vector) => asValue('group_norm', vector, x));
  const attrs = { groups, eps: finite('group_norm: eps', eps), hasWeight: weight !== null };
  return record(groupNormOp, [x, ...vectors], attrs);
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
  return record(adaptiveAvgPool2dOp, [x], resolveAdaptivePool2d('adaptive_avg_pool2d', outputSize));
}

/**
 * The image in another size. Without `alignCorners` pixels are areas (half-pixel centres). Modes 'bicubic' and
 * 'nearest-exact' are computed in plain TypeScript.
 *
 * @throws {@link ValueError} where not exactly one of size and scaleFactor is given, or the mode is unknown
 */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  const { mode, ...attrs } = resolveInterpolate('interpolate', options, INTERPOLATE_MODES).attrs;
  if (mode === 'bicubic' || mode === 'nearest-exact') return record(resampleOp, [x], { ...attrs, mode });
  if (mode !== 'area') return record(interpolateOp, [x], { ...attrs, mode });
  const [, , ...outputSize] = resizedShape(shapeOf('interpolate', x), attrs);
  return record(adaptiveAvgPool2dOp, [x], { outputSize: outputSize as [number, number] }, 'interpolate');
}
