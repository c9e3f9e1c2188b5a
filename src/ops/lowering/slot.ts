/** Slots: where a value lies in WASM memory. */

import type { Shape } from '../../tensor/shape.ts';
import { LANES } from '../../wasm/kernels.gen.ts';

/** Where a value lies in WASM memory: channels-last, pixels `pixelBytes` apart, rows and images dense. */
export interface Slot {
  readonly address: number;
  /** As kernels see it: `[N, C, H, W]`, or `[N, C]` for N pixels. PyTorch's shape may be another (`rules/axes.ts`). */
  readonly shape: Shape;
  readonly pixelBytes: number;
}

/** Channels of a pixel. */
export function channelsOf(shape: Shape): number {
  return shape[1]!;
}

/** Pixels of one image: H·W, or 1 for `[N, C]`. */
export function imagePixels(shape: Shape): number {
  return (shape[2] ?? 1) * (shape[3] ?? 1);
}

/** Pixels of all images: N·H·W, or N for `[N, C]`. */
export function pixelsOf(shape: Shape): number {
  return shape[0]! * imagePixels(shape);
}

/** Bytes from pixel to pixel in a slot of its own: whole vectors of four floats. */
export function pixelBytesOf(shape: Shape): number {
  return vectorBytes(channelsOf(shape));
}

/** Bytes of so many floats as whole vectors of four. */
export function vectorBytes(floats: number): number {
  return Math.ceil(floats / LANES) * LANES * 4;
}

/** The sizes of `[N, C, H, W]` by their names; `[N, C]` are images of one pixel. */
export function imageSizes(shape: Shape) {
  const [images, channels, height = 1, width = 1] = shape as [number, number, number?, number?];
  return { images, channels, height, width };
}
