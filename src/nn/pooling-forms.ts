/** Functional forms of pooling beside those of images that most networks have: maxima to a size, powers, 1-D pools. */

import { record, type Value } from '../graph/graph.ts';
import { adaptiveAvgPool2d } from '../ops/adaptive-avg-pool2d.ts';
import { adaptiveMaxPool2d as adaptiveMaxPool2dOp } from '../ops/adaptive-max-pool2d.ts';
import { avgPool2d } from '../ops/avg-pool2d.ts';
import { lpPool2d as lpPool2dOp } from '../ops/lp-pool2d.ts';
import { maxPool2d } from '../ops/max-pool2d.ts';
import type { Pair } from '../ops/rules/window.ts';
import { whole, withDefaults } from '../options.ts';
import { besideRow, inWidth, onOneRow } from './one-row.ts';
import {
  type LPPool2dOptions,
  type OutputSize,
  resolveAdaptivePool2d,
  resolveAvgPool2d,
  resolveLPPool2d,
  resolveMaxPool2d,
} from './resolve.ts';
import { shapeOf } from './value-shape.ts';

/** The largest values of windows that cover the image, `outputSize` of them; null keeps an axis. */
export function adaptiveMaxPool2d(x: Value, outputSize: OutputSize): Value {
  const name = 'adaptive_max_pool2d';
  const attrs = resolveAdaptivePool2d(name, outputSize);
  shapeOf(name, x);
  return record(adaptiveMaxPool2dOp, [x], attrs, name);
}

/** (Σ xᵖ)^(1/p) of each window, with p = `normType`. */
export function lpPool2d(x: Value, normType: number, kernelSize: number | Pair, options: LPPool2dOptions = {}): Value {
  return record(lpPool2dOp, [x], resolveLPPool2d('lp_pool2d', normType, kernelSize, options).attrs);
}

/** Options of 1-D max pooling; stride is the kernel's size unless given. */
export interface MaxPool1dOptions {
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly ceilMode?: boolean;
}

/** The largest value of each window of `[N, C, L]`; padding counts as −∞. */
export function maxPool1d(x: Value, kernelSize: number, options: MaxPool1dOptions = {}): Value {
  const name = 'max_pool1d';
  const defaults = { stride: kernelSize, padding: 0, dilation: 1, ceilMode: false };
  const { stride, padding, dilation, ceilMode } = withDefaults(name, options, defaults);
  const { attrs } = resolveMaxPool2d(name, inWidth(`${name}: kernelSize`, kernelSize), {
    stride: inWidth(`${name}: stride`, stride),
    padding: besideRow(`${name}: padding`, padding),
    dilation: inWidth(`${name}: dilation`, dilation),
    ceilMode,
  });
  return onOneRow(name, x, (row) => record(maxPool2d, [row], attrs, null));
}

/** Options of 1-D average pooling; stride is the kernel's size unless given. */
export interface AvgPool1dOptions {
  readonly stride?: number;
  readonly padding?: number;
  readonly ceilMode?: boolean;
  /** True unless given: padding is averaged too. */
  readonly countIncludePad?: boolean;
}

/** The mean of each window of `[N, C, L]`. */
export function avgPool1d(x: Value, kernelSize: number, options: AvgPool1dOptions = {}): Value {
  const name = 'avg_pool1d';
  const defaults = { stride: kernelSize, padding: 0, ceilMode: false, countIncludePad: true };
  const { stride, padding, ceilMode, countIncludePad } = withDefaults(name, options, defaults);
  const { attrs } = resolveAvgPool2d(name, inWidth(`${name}: kernelSize`, kernelSize), {
    stride: inWidth(`${name}: stride`, stride),
    padding: besideRow(`${name}: padding`, padding),
    ceilMode,
    countIncludePad,
  });
  return onOneRow(name, x, (row) => record(avgPool2d, [row], attrs, null));
}

/** Means of windows that cover `[N, C, L]`, `outputSize` of them. */
export function adaptiveAvgPool1d(x: Value, outputSize: number): Value {
  const size = whole('adaptive_avg_pool1d: outputSize', outputSize);
  return onOneRow('adaptive_avg_pool1d', x, (row) => record(adaptiveAvgPool2d, [row], { outputSize: [1, size] }, null));
}

/** The largest values of windows that cover `[N, C, L]`, `outputSize` of them. */
export function adaptiveMaxPool1d(x: Value, outputSize: number): Value {
  const size = whole('adaptive_max_pool1d: outputSize', outputSize);
  return onOneRow('adaptive_max_pool1d', x, (row) =>
    record(adaptiveMaxPool2dOp, [row], { outputSize: [1, size] }, null),
  );
}

/** Options of 1-D power-average pooling; stride is the kernel's size unless given. */
export interface LPPool1dOptions {
  readonly stride?: number;
  readonly ceilMode?: boolean;
}

/** (Σ xᵖ)^(1/p) of each window of `[N, C, L]`, with p = `normType`. */
export function lpPool1d(x: Value, normType: number, kernelSize: number, options: LPPool1dOptions = {}): Value {
  const name = 'lp_pool1d';
  const { stride, ceilMode } = withDefaults(name, options, { stride: kernelSize, ceilMode: false });
  const { attrs } = resolveLPPool2d(name, normType, inWidth(`${name}: kernelSize`, kernelSize), {
    stride: inWidth(`${name}: stride`, stride),
    ceilMode,
  });
  return onOneRow(name, x, (row) => record(lpPool2dOp, [row], attrs, null));
}
