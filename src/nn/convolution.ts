/** Convolutions and linear maps by weights that are handed over, and transposed convolutions. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { convTranspose2d as convTranspose2dOp } from '../ops/conv-transpose2d.ts';
import { conv2d as conv2dOp } from '../ops/conv2d/conv2d.ts';
import { linear as linearOp } from '../ops/linear.ts';
import { type Pair, toPair } from '../ops/rules/window.ts';
import { whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape } from '../tensor/shape.ts';
import { inWidth, onOneRow } from './one-row.ts';
import { type ConvPadding, resolvePadding } from './resolve.ts';

/**
 * What a weight and a bias have to be.
 *
 * @param rank how many axes the weight has
 * @param channelsOf the output channels of a weight's shape
 * @throws {@link ValueError} where one isn't a Parameter, {@link ShapeError} where shapes don't fit
 */
function checkWeights(
  name: string,
  weight: unknown,
  bias: unknown,
  rank: number,
  channelsOf: (weight: readonly number[]) => number,
): void {
  if (!(weight instanceof Parameter) || (bias !== null && !(bias instanceof Parameter))) {
    const [what, got] = weight instanceof Parameter ? ['bias', bias] : ['weight', weight];
    throw new ValueError(`${name}: expected ${what} as a Parameter, got ${describe(got)}`);
  }
  if (weight.shape.length !== rank || weight.numel() === 0) {
    throw new ShapeError(`${name}: expected a weight of ${rank} axes, got ${formatShape(weight.shape)}`);
  }
  const channels = channelsOf(weight.shape);
  if (bias && (bias.shape.length !== 1 || bias.numel() !== channels)) {
    throw new ShapeError(`${name}: expected a bias of shape [${channels}], got ${formatShape(bias.shape)}`);
  }
}

/** Options of {@link conv2d}, with PyTorch's defaults. */
export interface Conv2dParameters {
  /** One number for each output channel; none unless given. */
  readonly bias?: Parameter | null;
  readonly stride?: number | Pair;
  readonly padding?: ConvPadding;
  readonly dilation?: number | Pair;
  readonly groups?: number;
}

/** @throws {@link ShapeError} where groups don't divide the channels, {@link ValueError} where they are no number */
function checkGroups(name: string, groups: number, channels: number, what: string): void {
  if (channels % whole(`${name}: groups`, groups) === 0) return;
  throw new ShapeError(`${name}: expected groups that divide ${channels} ${what} channels, got ${groups} groups`);
}

/**
 * The convolution of `[N, C, H, W]` by a weight.
 *
 * @param weight `[out, in / groups, height, width]`
 * @throws {@link ShapeError} where shapes don't fit
 */
export function conv2d(x: Value, weight: Parameter, options: Conv2dParameters = {}): Value {
  const defaults = { bias: null, stride: 1, padding: 0, dilation: 1, groups: 1 };
  const { bias, padding, groups, ...given } = withDefaults('conv2d', options, defaults);
  checkWeights('conv2d', weight, bias, 4, ([out]) => out!);
  checkGroups('conv2d', groups, weight.shape[0]!, 'output');
  const stride = toPair('conv2d: stride', given.stride, 1);
  const dilation = toPair('conv2d: dilation', given.dilation, 1);
  const sides = resolvePadding('conv2d: padding', padding, weight.shape.slice(2), stride, dilation);
  return record(conv2dOp, [x], { weight, bias, stride, padding: sides, dilation, groups });
}

/** Options of {@link conv1d}, with PyTorch's defaults. */
export interface Conv1dParameters {
  /** One number for each output channel; none unless given. */
  readonly bias?: Parameter | null;
  readonly stride?: number;
  /** Zeros on each side, or 'same' / 'valid'. */
  readonly padding?: number | 'same' | 'valid';
  readonly dilation?: number;
  readonly groups?: number;
}

/**
 * The convolution of `[N, C, L]` by a weight.
 *
 * @param weight `[out, in / groups, length]`
 * @throws {@link ShapeError} where shapes don't fit
 */
export function conv1d(x: Value, weight: Parameter, options: Conv1dParameters = {}): Value {
  const defaults = { bias: null, stride: 1, padding: 0, dilation: 1, groups: 1 };
  const { bias, padding, groups, ...given } = withDefaults('conv1d', options, defaults);
  checkWeights('conv1d', weight, bias, 3, ([out]) => out!);
  checkGroups('conv1d', groups, weight.shape[0]!, 'output');
  const stride = inWidth('conv1d: stride', given.stride);
  const dilation = inWidth('conv1d: dilation', given.dilation);
  const both: ConvPadding = typeof padding === 'string' ? padding : [0, whole('conv1d: padding', padding, 0)];
  const sides = resolvePadding('conv1d: padding', both, [1, weight.shape[2]!], stride, dilation);
  const attrs = { weight, bias, stride, padding: sides, dilation, groups };
  return onOneRow('conv1d', x, (row) => record(conv2dOp, [row], attrs, null));
}

/** Options of {@link convTranspose2d}, with PyTorch's defaults. */
export interface ConvTranspose2dParameters {
  /** One number for each output channel; none unless given. */
  readonly bias?: Parameter | null;
  readonly stride?: number | Pair;
  /** Pixels that are cut off on each side. */
  readonly padding?: number | Pair;
  /** Pixels that are added below and to the right: less than the stride or the dilation. */
  readonly outputPadding?: number | Pair;
  readonly groups?: number;
  readonly dilation?: number | Pair;
}

/**
 * A transposed convolution: each pixel of x adds the weight, times its channels, to the output.
 *
 * @param weight `[in, out / groups, height, width]`
 * @throws {@link ShapeError} where shapes don't fit, or the output would have no pixels
 */
export function convTranspose2d(x: Value, weight: Parameter, options: ConvTranspose2dParameters = {}): Value {
  const name = 'conv_transpose2d';
  const defaults = { bias: null, stride: 1, padding: 0, outputPadding: 0, groups: 1, dilation: 1 };
  const { bias, stride, padding, outputPadding, groups, dilation } = withDefaults(name, options, defaults);
  whole(`${name}: groups`, groups);
  checkWeights(name, weight, bias, 4, ([, outGroup]) => outGroup! * groups);
  checkGroups(name, groups, weight.shape[0]!, 'input');
  return record(convTranspose2dOp, [x], {
    weight,
    bias,
    stride: toPair(`${name}: stride`, stride, 1),
    padding: toPair(`${name}: padding`, padding, 0),
    outputPadding: toPair(`${name}: outputPadding`, outputPadding, 0),
    dilation: toPair(`${name}: dilation`, dilation, 1),
    groups,
  });
}

/** Options of {@link convTranspose1d}, with PyTorch's defaults. */
export interface ConvTranspose1dParameters {
  /** One number for each output channel; none unless given. */
  readonly bias?: Parameter | null;
  readonly stride?: number;
  /** Elements that are cut off on each side. */
  readonly padding?: number;
  /** Elements that are added at the end: less than the stride or the dilation. */
  readonly outputPadding?: number;
  readonly groups?: number;
  readonly dilation?: number;
}

/**
 * {@link convTranspose2d} of `[N, C, L]`.
 *
 * @param weight `[in, out / groups, length]`
 * @throws {@link ShapeError} where shapes don't fit, or the output would have no elements
 */
export function convTranspose1d(x: Value, weight: Parameter, options: ConvTranspose1dParameters = {}): Value {
  const name = 'conv_transpose1d';
  const defaults = { bias: null, stride: 1, padding: 0, outputPadding: 0, groups: 1, dilation: 1 };
  const { bias, stride, padding, outputPadding, groups, dilation } = withDefaults(name, options, defaults);
  whole(`${name}: groups`, groups);
  checkWeights(name, weight, bias, 3, ([, outGroup]) => outGroup! * groups);
  checkGroups(name, groups, weight.shape[0]!, 'input');
  const attrs = {
    weight,
    bias,
    stride: inWidth(`${name}: stride`, stride),
    padding: [0, whole(`${name}: padding`, padding, 0)] as const,
    outputPadding: [0, whole(`${name}: outputPadding`, outputPadding, 0)] as const,
    dilation: inWidth(`${name}: dilation`, dilation),
    groups,
  };
  return onOneRow(name, x, (row) => record(convTranspose2dOp, [row], attrs, null));
}

/**
 * x·Wᵀ + b along the last axis.
 *
 * @param weight `[out, in]`
 * @throws {@link ShapeError} where shapes don't fit
 */
export function linear(x: Value, weight: Parameter, options: { readonly bias?: Parameter | null } = {}): Value {
  const { bias } = withDefaults('linear', options, { bias: null });
  checkWeights('linear', weight, bias, 2, ([out]) => out!);
  return record(linearOp, [x], { weight, bias });
}
