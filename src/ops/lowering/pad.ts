/** Images copied densely into larger ones whose border is zero. */

import type { Phase } from '../../wasm/step.ts';
import { f32_pad2d } from '../../wasm/steps.gen.ts';
import type { Sides } from '../rules/window.ts';
import type { Engine } from './algorithm.ts';
import { bands } from './cut.ts';
import { imageSizes, type Slot } from './slot.ts';

/**
 * Copies images with their padding.
 *
 * @param out where the first pixel goes, all others following it
 */
export function padPhase(x: Slot, padding: Sides, out: number, { threads }: Engine): Phase {
  const { images, channels, height, width } = imageSizes(x.shape);
  const outHeight = height + padding.top + padding.bottom;
  const outWidth = width + padding.left + padding.right;
  return bands(images, outHeight, threads).map((band) =>
    f32_pad2d({
      images: band.images,
      channels,
      height,
      width,
      outHeight: band.rows,
      outWidth,
      top: padding.top - band.row,
      left: padding.left,
      x: x.address + band.image * height * width * x.pixelBytes,
      pixelBytes: x.pixelBytes,
      out: out + (band.image * outHeight + band.row) * outWidth * channels * 4,
    }),
  );
}
