/** Options of padding, pooling and resizing: defaults and checks, once for the layer and for the functional form. */

import { cut, describe, ValueError } from '../errors.ts';
import { NO_SIDES, type Pair, type Sides, toPair, toSides } from '../ops/rules/window.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';

/** Zeros around the image: a number, `[height, width]`, each side for itself, or 'same' / 'valid'. */
export type ConvPadding = number | Pair | Sides | 'same' | 'valid';

/**
 * The padding on each side: of 'same' what keeps the size, the odd pixel below and to the right.
 *
 * @param name what was given, for messages: `Conv2d: padding`
 * @throws {@link ValueError} where it isn't one, in PyTorch's words where it has some
 */
export function resolvePadding(
  name: string,
  padding: ConvPadding,
  kernel: readonly number[],
  stride: Pair,
  dilation: Pair,
): Sides {
  if (padding === 'valid') return NO_SIDES;
  if (typeof padding !== 'string') return toSides(name, padding);
  if (padding !== 'same') {
    throw new ValueError(`Invalid padding string '${cut(padding)}', should be one of valid, same`);
  }
  if (String(stride) !== '1,1') throw new ValueError("padding='same' is not supported for strided convolutions");
  const [height, width] = kernel.map((size, i) => dilation[i]! * (size - 1)) as [number, number];
  const [top, left] = [Math.floor(height / 2), Math.floor(width / 2)];
  return { top, left, bottom: height - top, right: width - left };
}

/** Options of max pooling; stride is the kernel's size unless given. */
export interface MaxPool2dOptions {
  readonly stride?: number | Pair;
  readonly padding?: number | Pair | Sides;
  readonly dilation?: number | Pair;
  readonly ceilMode?: boolean;
}

/**
 * A max pooling's options with their defaults, as a layer keeps and prints them, and the op's attributes.
 *
 * @param name what was called, for messages
 * @throws {@link ValueError} where one is out of range
 */
export function resolveMaxPool2d(name: string, kernelSize: number | Pair, options: MaxPool2dOptions) {
  const resolved = withDefaults(name, options, { stride: kernelSize, padding: 0, dilation: 1, ceilMode: false });
  return { options: resolved, attrs: windowAttrs(name, { kernelSize, ...resolved }) };
}

/** Options of average pooling; stride is the kernel's size unless given. */
export interface AvgPool2dOptions {
  readonly stride?: number | Pair;
  readonly padding?: number | Pair | Sides;
  readonly ceilMode?: boolean;
  /** True unless given: padding is averaged too. */
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
}

/** As {@link resolveMaxPool2d}, of an average pooling. */
export function resolveAvgPool2d(name: string, kernelSize: number | Pair, options: AvgPool2dOptions) {
  const defaults = { stride: kernelSize, padding: 0, ceilMode: false, countIncludePad: true, divisorOverride: null };
  const resolved = withDefaults(name, options, defaults);
  const { stride, padding, ceilMode, countIncludePad, divisorOverride } = resolved;
  if (divisorOverride !== null && (!Number.isSafeInteger(divisorOverride) || divisorOverride === 0)) {
    throw new ValueError(
      `${name}: expected divisorOverride to be a whole number other than 0, got ${describe(divisorOverride)}`,
    );
  }
  const attrs = {
    ...windowAttrs(name, { kernelSize, stride, padding, dilation: 1, ceilMode }),
    countIncludePad: flag(`${name}: countIncludePad`, countIncludePad),
    divisorOverride,
  };
  return { options: resolved, attrs };
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
        `got ${describe(given.padding)}`,
    );
  }
  return { kernelSize, stride, padding, dilation, ceilMode };
}

/** A number for both axes, or one for each; null keeps an axis as it is. */
export type OutputSize = number | readonly [number | null, number | null];

/**
 * An adaptive pooling's attributes, checked. It has no options. @throws {@link ValueError} where a size is out of range
 */
export function resolveAdaptivePool2d(name: string, outputSize: OutputSize) {
  const sizes: unknown = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize;
  if (!Array.isArray(sizes) || sizes.length !== 2) {
    throw new ValueError(
      `${name}: expected outputSize as a number, or a pair of numbers or null, got ${describe(outputSize)}`,
    );
  }
  for (const size of sizes) if (size !== null) whole(`${name}: outputSize`, size);
  return { outputSize: sizes as unknown as readonly [number | null, number | null] };
}

/** Options of power-average pooling; stride is the kernel's size unless given. */
export interface LPPool2dOptions {
  readonly stride?: number | Pair;
  readonly ceilMode?: boolean;
}

/** As {@link resolveMaxPool2d}, of a power-average pooling. */
export function resolveLPPool2d(name: string, normType: number, kernelSize: number | Pair, options: LPPool2dOptions) {
  const resolved = withDefaults(name, options, { stride: kernelSize, ceilMode: false });
  if (finite(`${name}: normType`, normType) === 0) {
    throw new ValueError(`${name}: expected normType other than 0, got ${normType}`);
  }
  const attrs = { ...windowAttrs(name, { kernelSize, padding: 0, dilation: 1, ...resolved }), normType };
  return { options: resolved, attrs };
}

/** All modes of {@link InterpolateMode}. */
export const INTERPOLATE_MODES = ['nearest', 'bilinear', 'bicubic', 'area', 'nearest-exact'] as const;

/** Options of resizing: size or scaleFactor. */
export interface InterpolateOptions {
  readonly size?: number | Pair | undefined;
  readonly scaleFactor?: number | readonly [number, number] | undefined;
  readonly mode?: InterpolateMode | undefined;
  /** Of modes 'bilinear' and 'bicubic'. */
  readonly alignCorners?: boolean | undefined;
}

/** What resizing does: PyTorch's modes for images. */
export type InterpolateMode = 'nearest' | 'bilinear' | 'bicubic' | 'area' | 'nearest-exact';

/**
 * As {@link resolveMaxPool2d}, of a resizing.
 *
 * @param modes those that are known, of which two take corners
 */
export function resolveInterpolate<Mode extends InterpolateMode>(
  name: string,
  options: InterpolateOptions,
  modes: readonly Mode[],
) {
  const defaults = { size: undefined, scaleFactor: undefined, mode: 'nearest', alignCorners: undefined } as const;
  const resolved = withDefaults(name, options, defaults);
  const { size, scaleFactor, mode, alignCorners } = resolved;
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ValueError(
      `${name}: expected either size or scaleFactor, got ${size === undefined ? 'neither' : 'both'}`,
    );
  }
  if (!modes.includes(mode as Mode)) {
    throw new ValueError(`${name}: expected mode ${modes.map(describe).join(' or ')}, got ${describe(mode)}`);
  }
  const cornered = modes.filter((one) => one.startsWith('bi'));
  if (alignCorners !== undefined && !cornered.includes(mode as Mode)) {
    const known = cornered.map(describe).join(' or ');
    throw new ValueError(`${name}: expected alignCorners with mode ${known} only, got mode ${describe(mode)}`);
  }
  const attrs = {
    mode: mode as Mode,
    alignCorners: alignCorners === undefined ? false : flag(`${name}: alignCorners`, alignCorners),
    size: size === undefined ? null : toPair(`${name}: size`, size, 1),
    scaleFactor: scaleFactor === undefined ? null : toFactors(name, scaleFactor),
  };
  return { options: resolved, attrs };
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
