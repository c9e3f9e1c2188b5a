/** Pictures that the tools draw, and what all of them are drawn from: the pixels of one image's feature. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { allocate, checkImageSize } from '../image/image.ts';
import { formatShape } from '../tensor/shape.ts';
import { floatsOf } from './tensors.ts';

/** Pixels in rows from the top, four bytes (red, green, blue, alpha) each: `new ImageData(data, width)` takes them. */
export interface Rgba {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
}

/** A transparent picture. @throws as checkImageSize, or where the host hasn't the memory */
export function blank(name: string, width: number, height: number): Rgba {
  checkImageSize(name, width, height, 4);
  return {
    data: allocate(name, Uint8ClampedArray, width * height * 4) as Uint8ClampedArray<ArrayBuffer>,
    width,
    height,
  };
}

/** The values of one image's feature: channels of rows of pixels. */
export interface Planes {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** True of `[H, W]`, whose values are drawn as they are. */
  readonly isMap: boolean;
}

/**
 * The feature of one image: `[1, C, H, W]`, `[C, H, W]`, or `[H, W]` as one channel.
 *
 * @throws {@link ShapeError} for a batch, or where there are no pixels
 */
export function planesOf(name: string, feature: unknown): Planes {
  const { data, shape } = floatsOf(name, feature);
  const [height, width, channels, images] = [shape.at(-2)!, shape.at(-1)!, shape.at(-3) ?? 1, shape.at(-4) ?? 1];
  if (shape.length < 2 || shape.length > 4 || images !== 1 || data.length === 0) {
    const way = shape.length === 4 && images > 1 ? '; unstack(feature) gives the feature of each image' : '';
    const expected = 'a feature of one image, [C, H, W] or [1, C, H, W]';
    throw new ShapeError(`${name}: expected ${expected}, got ${formatShape(shape)}${way}`);
  }
  return { data, channels, height, width, isMap: shape.length === 2 };
}

/**
 * A plane in another size by bilinear interpolation with half-pixel centres, without antialiasing. A value that isn't
 * finite makes those pixels NaN that it takes part in.
 *
 * @see torch.nn.functional.interpolate with mode='bilinear', align_corners=False
 */
export function interpolated(plane: Float64Array, from: Size, to: Size): Float64Array {
  if (from.width === to.width && from.height === to.height) return plane;
  const columns = sources(from.width, to.width);
  const rows = sources(from.height, to.height);
  const out = new Float64Array(to.width * to.height);
  for (let y = 0, i = 0; y < to.height; y++) {
    const { first: top, second: bottom, share: down } = at(rows, y);
    for (let x = 0; x < to.width; x++, i++) {
      const { first: left, second: right, share: across } = at(columns, x);
      const mix = (row: number) => {
        const [a, b] = [plane[row * from.width + left]!, plane[row * from.width + right]!];
        return across === 0 ? a : a + (b - a) * across;
      };
      const a = mix(top);
      out[i] = down === 0 ? a : a + (mix(bottom) - a) * down;
    }
  }
  return out;
}

/** A picture's sides in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What each new pixel of an axis is made of: two neighbours, and how much of the second. */
interface Sources {
  readonly firsts: Int32Array;
  readonly shares: Float64Array;
  readonly last: number;
}

function sources(from: number, to: number): Sources {
  const firsts = new Int32Array(to);
  const shares = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    firsts[i] = Math.min(Math.floor(place), from - 1);
    shares[i] = firsts[i] === from - 1 ? 0 : place - firsts[i]!;
  }
  return { firsts, shares, last: from - 1 };
}

function at({ firsts, shares, last }: Sources, i: number) {
  const first = firsts[i]!;
  return { first, second: Math.min(first + 1, last), share: shares[i]! };
}

/** The least and the largest finite value; NaN where there is none. */
export function rangeOf(values: ArrayLike<number>): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? { low: Number.NaN, high: Number.NaN } : { low, high };
}

/** Part of the way from low to high, from 0 to 1; 0 where these are equal. */
export function share(value: number, low: number, high: number): number {
  return high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0;
}

/** Fails what isn't a picture of four bytes a pixel. @throws {@link ValueError} */
export function checkRgba(name: string, picture: Rgba): void {
  const { data, width, height } = picture ?? {};
  const isBytes = ArrayBuffer.isView(data) && data.BYTES_PER_ELEMENT === 1;
  if (isBytes && data.length === width * height * 4) return;
  throw new ValueError(`${name}: expected a picture { data, width, height } of RGBA, got ${describe(picture)}`);
}
