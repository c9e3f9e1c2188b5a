/** Images copied densely into larger ones whose border is zero. */

import { bands, type Engine, type Phase, type Slot, stepOf } from './op.ts';
import type { Sides } from './window.ts';

/**
 * Copies images with their padding.
 *
 * @param out where the first pixel goes, all others following it
 */
export function padPhase(x: Slot, padding: Sides, out: number, { threads }: Engine): Phase {
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  const outHeight = height + padding.top + padding.bottom;
  const outWidth = width + padding.left + padding.right;
  return bands(images, outHeight, threads).map((band) =>
    stepOf(
      'f32_pad2d',
      ...([band.images, channels, height, width, band.rows, outWidth, padding.top - band.row, padding.left] as const),
      ...([x.address + band.image * height * width * x.pixelBytes, x.pixelBytes] as const),
      ...([out + (band.image * outHeight + band.row) * outWidth * channels * 4] as const),
    ),
  );
}
