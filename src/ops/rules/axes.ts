/**
 * Which axis of a value is innermost in memory. Kernels know pixels of channels and nothing else. So a value of any
 * rank is images of pixels of channels for them: one axis has the channels, the axes before it are the images, and the
 * axes after it the pixels.
 *
 *     [N, C, H, W], axis 1   N images of H·W pixels of C channels
 *     [N, H, W, C], axis 3   N·H·W images of one pixel of C channels: the very same bytes
 */

import { numel, type Shape } from '../../tensor/shape.ts';

/** A shape, and the axis whose elements lie side by side. */
export interface Laid {
  readonly shape: Shape;
  /** −1 for a scalar's shape, which has no axis. */
  readonly axis: number;
}

/** The axis of a value that nothing asks for another: PyTorch's channels, or the only axis there is. */
export function usualAxis(shape: Shape): number {
  return Math.min(1, shape.length - 1);
}

/** The shape as kernels see it, `[images, channels, …]`: of images with more pixels than one it has four axes. */
export function storedShape({ shape, axis }: Laid): Shape {
  if (axis === 1 && (shape.length === 4 || shape.length === 2)) return shape;
  const [images, channels, pixels] = folded({ shape, axis });
  return pixels === 1 ? [images, channels] : [images, channels, pixels, 1];
}

/** Images, channels and pixels of a value. */
export function folded({ shape, axis }: Laid): readonly [images: number, channels: number, pixels: number] {
  return [numel(shape.slice(0, Math.max(axis, 0))), shape[axis] ?? 1, numel(shape.slice(axis + 1))];
}

/** How an output lies that may be its input, seen otherwise. */
export interface View {
  /** The output's axis. */
  readonly axis: number;
  /** The input's channel that is the output's first; null where the output is computed. */
  readonly channel: number | null;
}
