/** Sliding windows: the shape rules that convolution and pooling share. */

import { describe, ShapeError, ValueError } from '../../errors.ts';
import { formatShape, type Shape } from '../../tensor/shape.ts';

/** Height, then width. */
export type Pair = readonly [height: number, width: number];

/** Padding of each side, in pixels. */
export interface Sides {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** No padding. */
export const NO_SIDES: Sides = { top: 0, left: 0, bottom: 0, right: 0 };

/** A kernel that slides over an image. */
export interface Window {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly dilation: Pair;
  readonly ceilMode?: boolean;
}

/** The largest whole number that kernels take: PyTorch's pooling has the same limit. */
export const MOST = 2 ** 31 - 1;

/** The window of a kernel of one pixel. */
export const ONE_PIXEL: Window = { kernelSize: [1, 1], stride: [1, 1], padding: NO_SIDES, dilation: [1, 1] };

/** A window's numbers by the names that kernels have for them. */
export function windowArguments({ kernelSize, stride, padding, dilation }: Window) {
  return {
    kernelHeight: kernelSize[0],
    kernelWidth: kernelSize[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    ...padding,
    dilationHeight: dilation[0],
    dilationWidth: dilation[1],
  };
}

/**
 * `[height, width]` of a number or pair. @throws {@link ValueError} where it isn't one of whole numbers from `least` to
 * {@link MOST}
 */
export function toPair(name: string, value: number | readonly number[], least: number): Pair {
  const pair = typeof value === 'number' ? [value, value] : value;
  if (!Array.isArray(pair) || pair.length !== 2 || ![...pair].every((v) => Number.isSafeInteger(v) && v >= least)) {
    throw new ValueError(`${name}: expected a whole number >= ${least} or a pair of them, got ${describe(value)}`);
  }
  if (pair.some((v) => v > MOST)) {
    throw new ValueError(
      `${name}: expected whole numbers <= ${MOST}, got ${Array.isArray(value) ? formatShape(value) : value}`,
    );
  }
  return [pair[0]!, pair[1]!];
}

/** The four sides of a number, a pair `[height, width]`, or sides. */
export function toSides(name: string, padding: number | readonly number[] | Sides): Sides {
  if (typeof padding === 'object' && padding !== null && 'top' in padding) {
    const { top, left, bottom, right } = padding;
    toPair(name, [top, left], 0);
    toPair(name, [bottom, right], 0);
    return { top, left, bottom, right };
  }
  const [height, width] = toPair(name, padding as number | readonly number[], 0);
  return { top: height, left: width, bottom: height, right: width };
}

/**
 * The number of windows in height and width: floor((size + padding − dilation·(kernel − 1) − 1) / stride) + 1, or ceil
 * with `ceilMode`, where a last window that would start in the far padding is dropped, and the first may be larger than
 * the image.
 *
 * @throws {@link ShapeError} where x isn't `[N, C, H, W]`, a window doesn't fit into the padded image, or that is
 *   larger than kernels can count
 * @see torch.nn.functional.max_pool2d
 */
export function windowCounts(name: string, x: Shape, window: Window): Pair {
  if (x.length !== 4) throw new ShapeError(`${name}: expected x of shape [N, C, H, W], got ${formatShape(x)}`);
  const { padding: p } = window;
  const height = count(x[2]!, p.top, p.bottom, 0);
  const width = count(x[3]!, p.left, p.right, 1);
  if (height < 1 || width < 1) {
    const padded = [x[2]! + p.top + p.bottom, x[3]! + p.left + p.right];
    const { kernelSize, dilation, stride, ceilMode } = window;
    const least = [0, 1].map((i) => {
      const extent = dilation[i]! * (kernelSize[i]! - 1) + 1;
      return Math.max(1, ceilMode ? extent - stride[i]! + 1 : extent);
    });
    const mode = ceilMode ? `, stride ${stride.join('x')}, ceil mode` : '';
    throw new ShapeError(
      `${name}: expected an input of at least ${least.join('x')} pixels with padding (kernel ` +
        `${kernelSize.join('x')}, ` +
        `dilation ${dilation.join('x')}${mode}), got ${padded.join('x')} from x ${formatShape(x)}`,
    );
  }
  // The first pixel after the last window, and after the padding, counted from the padding's first.
  const ends = [height, width].map((counted, i) => {
    const extent = window.dilation[i]! * (window.kernelSize[i]! - 1) + 1;
    const padded = i === 0 ? x[2]! + p.top + p.bottom : x[3]! + p.left + p.right;
    return Math.max(padded, (counted - 1) * window.stride[i]! + extent);
  });
  if (ends.some((end) => end > MOST)) {
    throw new ShapeError(
      `${name}: expected padding and windows to end within ${MOST} pixels, got ${ends.join('x')} for x ` +
        `${formatShape(x)}`,
    );
  }
  return [height, width];

  function count(size: number, before: number, after: number, axis: 0 | 1): number {
    const [kernel, stride, dilation] = [window.kernelSize[axis], window.stride[axis], window.dilation[axis]];
    const room = size + before + after - dilation * (kernel - 1) - 1;
    if (!window.ceilMode) return Math.floor(room / stride) + 1;
    const windows = Math.ceil(room / stride) + 1;
    return (windows - 1) * stride >= size + before ? windows - 1 : windows;
  }
}
