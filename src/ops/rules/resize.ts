/** Resizing: the shape rule, and how much of the input a pixel of the output stands for. */

import { ShapeError } from '../../errors.ts';
import { formatShape, type Shape } from '../../tensor/shape.ts';

/** What has a shape. */
interface Shaped {
  readonly shape: Shape;
}

/** To which size: one of the two is given. */
export interface Resize {
  readonly size: readonly [height: number, width: number] | null;
  readonly scaleFactor: readonly [height: number, width: number] | null;
}

/**
 * How many rows of an input one row of the output stands for: by the factor that was given, or by sizes. Sizes tell the
 * ratio that makes the reduction whole, as of what was pooled to a few rows and comes back. Otherwise one of them may
 * have been rounded, as an odd size that was halved and comes back: then it is the power of two that is next to them.
 */
export function resizedBy(
  { scaleFactor }: Resize,
  axis: number,
  x: Shaped,
  { output }: { readonly output: Shaped },
  known: ReadonlyMap<unknown, readonly [reduction: number, ...unknown[]]>,
): readonly [by: number] {
  if (scaleFactor) return [1 / (scaleFactor[axis - 2] ?? 1)];
  const [from, to] = [x.shape[axis] ?? 1, output.shape[axis] ?? 1];
  const whole = (known.get(x)![0] * from) / to;
  const near = 2 ** Math.round(Math.log2(from / to));
  const isRounded = Math.abs(whole - Math.round(whole)) > 1e-6 && Math.abs(from - near * to) <= Math.max(1, near);
  return [isRounded ? near : from / to];
}

/** The output's shape. @throws {@link ShapeError} where x isn't `[N, C, H, W]`, or either image has no pixels */
export function resizedShape(x: Shape, { size, scaleFactor }: Resize): Shape {
  if (x.length !== 4) throw new ShapeError(`interpolate: expected x of shape [N, C, H, W], got ${formatShape(x)}`);
  const [images, channels, height, width] = x as unknown as [number, number, number, number];
  const [outHeight, outWidth] = size ?? [Math.floor(height * scaleFactor![0]), Math.floor(width * scaleFactor![1])];
  if (height < 1 || width < 1 || outHeight < 1 || outWidth < 1) {
    throw new ShapeError(
      `interpolate: expected input and output of at least 1x1 pixels, got ${height}x${width} and ` +
        `${outHeight}x${outWidth}`,
    );
  }
  return [images, channels, outHeight, outWidth];
}
