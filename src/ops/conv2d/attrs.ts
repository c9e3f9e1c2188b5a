/** A convolution's attributes, and what its algorithms read off them. */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Site } from '../lowering/algorithm.ts';
import type { Pair, Sides, Window } from '../rules/window.ts';

/** Attributes of {@link conv2d}. */
export interface Conv2dAttrs {
  /** `[out, in / groups, height, width]`, or `[out, in / groups, width]` of one row. */
  readonly weight: Parameter;
  /** `[out]` */
  readonly bias: Parameter | null;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly dilation: Pair;
  readonly groups: number;
}

/** One convolution with its shapes. */
export type Conv2dSite = Site<Conv2dAttrs>;

/** The sizes of a weight by their names. */
export function weightSizes({ weight }: Conv2dAttrs) {
  const [out, inGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  const [kernelWidth, kernelHeight = 1] = kernel.reverse() as [number, number?];
  return { out, inGroup, kernelHeight, kernelWidth, taps: kernelHeight * kernelWidth };
}

/** The window that slides over the image. */
export function windowOf(attrs: Conv2dAttrs): Window {
  const { kernelHeight, kernelWidth } = weightSizes(attrs);
  return { ...attrs, kernelSize: [kernelHeight, kernelWidth] };
}

/** True where each channel is filtered by itself. */
export function isDepthwise(attrs: Conv2dAttrs): boolean {
  const { out, inGroup } = weightSizes(attrs);
  return attrs.groups > 1 && inGroup === 1 && out === attrs.groups;
}

/** Input channels from which on a tap is a loop of its own: with fewer, such loops are too short. */
const TAP_CHANNELS = 8;

/** True where an image has so few channels that a loop reads a filter's row, and not a pixel. */
export function isStem(attrs: Conv2dAttrs): boolean {
  const { inGroup, kernelWidth } = weightSizes(attrs);
  return attrs.groups === 1 && inGroup < TAP_CHANNELS && kernelWidth > 1 && attrs.dilation[1] === 1;
}

/** The shape of an image with its padding. */
export function paddedShape(x: Shape, { top, left, bottom, right }: Sides): Shape {
  return [x[0]!, x[1]!, x[2]! + top + bottom, x[3]! + left + right];
}
