/**
 * Pillow's antialiased resampling of 8-bit images, bit for bit, of a whole image or of a part of the result: a pixel of
 * the result depends on its own window of the input alone. Leaves out the filters that no torchvision preset uses.
 */

import { describe, ValueError } from '../errors.ts';
import { allocate, checkImageSize, type Image } from './image.ts';

/** A height and a width in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** A rectangle of an image, in pixels. */
export interface Region extends ImageSize {
  readonly left: number;
  readonly top: number;
}

/** The resampling filters of torchvision's presets, by torchvision's names. */
export type InterpolationMode = 'bilinear' | 'bicubic';

/** A filter's weight at a distance in (scaled) pixels, and the distance from which on it is 0. */
interface Filter {
  readonly reach: number;
  weight(distance: number): number;
}

const FILTERS: Readonly<Record<InterpolationMode, Filter>> = {
  bilinear: {
    reach: 1,
    weight: (distance) => Math.max(0, 1 - Math.abs(distance)),
  },
  // Keys's cubic convolution with a = -1/2 (IEEE ASSP 29, 1981), in the order of operations that Pillow's bits need.
  bicubic: {
    reach: 2,
    weight(distance) {
      const t = Math.abs(distance);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      if (t < 2) return (((t - 5) * t + 8) * t - 4) * -0.5;
      return 0;
    },
  },
};

/**
 * Weights are whole multiples of 2⁻²²: a byte times a weight, with two bits to spare for overshoot, fits in 32 bits.
 * The loops say so by `Math.imul` and `| 0`, since engines would look for overflow after each product and sum.
 */
const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);

/**
 * Returns nothing; fails what is no name of a filter.
 *
 * @param name the public function that was given the filter
 * @throws {@link ValueError}
 */
export function checkInterpolation(name: string, interpolation: InterpolationMode): void {
  if (typeof interpolation === 'string' && Object.hasOwn(FILTERS, interpolation)) return;
  const known = Object.keys(FILTERS).join(', ');
  throw new ValueError(`${name}: expected an interpolation of ${known}, got ${describe(interpolation)}`);
}

/** The size whose shorter side is as asked, with the longer one's fraction dropped. */
export function fitShorterSide(image: ImageSize, shorter: number): ImageSize {
  const { width, height } = image;
  return width <= height
    ? { width: shorter, height: Math.trunc((shorter * height) / width) }
    : { width: Math.trunc((shorter * width) / height), height: shorter };
}

/** The region that a crop shows, in pixels of the image; it begins before the image where padding comes first. */
export function centerOf(image: ImageSize, { width, height }: ImageSize): Region {
  return { left: cropBegin(image.width, width), top: cropBegin(image.height, height), width, height };
}

function cropBegin(size: number, crop: number): number {
  if (crop > size) return -Math.floor((crop - size) / 2);
  const half = Math.floor((size - crop) / 2);
  // An odd margin is a half more than `half`: to even means up from an odd one only.
  return (size - crop) % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

/**
 * A region of the image in another size: rows first, then columns, each with weights in units of 2⁻²² and rounded to
 * bytes in between. Nothing that the region doesn't show is computed or allocated. The image itself where the region
 * is all of it.
 *
 * @param name the public function that was called, for messages
 * @param size of the whole image, only `region` of which is returned
 * @param region within `size`
 * @throws {@link ValueError} where the region, or what lies between the passes, is beyond 2³¹ − 1 bytes
 */
export function resample(
  name: string,
  image: Image,
  size: ImageSize,
  region: Region,
  interpolation: InterpolationMode,
): Image {
  const filter = FILTERS[interpolation];
  const { left, top, width, height } = region;
  checkImageSize(name, width, height);
  const down =
    size.height === image.height
      ? null
      : windows(name, { from: image.height, to: size.height, begin: top, count: height }, filter);
  // Windows begin and end in the order of their pixels: the first one and the last one bound the rows that are read.
  const firstRow = down ? down.first[0]! : top;
  const rows = down ? down.first[height - 1]! + down.length[height - 1]! - firstRow : height;
  checkImageSize(name, width, rows);
  const across =
    size.width === image.width
      ? null
      : windows(name, { from: image.width, to: size.width, begin: left, count: width }, filter);
  const wide = across
    ? resampleRows(name, image, across, { left, top: firstRow, width, height: rows })
    : cut(name, image, { left, top: firstRow, width, height: rows });
  return down ? resampleColumns(name, wide, down, firstRow, height) : wide;
}

/**
 * A region of the image, black where it reaches beyond the image's sides. The image itself where the region is all of
 * it.
 *
 * @param name the public function that was called, for messages
 */
export function cut(name: string, image: Image, { left, top, width, height }: Region): Image {
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  const data = allocate(name, Uint8Array, width * height * 3);
  const firstX = Math.max(left, 0);
  const lastX = Math.min(left + width, image.width);
  for (let y = Math.max(top, 0); y < Math.min(top + height, image.height); y++) {
    const row = image.data.subarray((y * image.width + firstX) * 3, (y * image.width + lastX) * 3);
    data.set(row, ((y - top) * width + firstX - left) * 3);
  }
  return { data, width, height };
}

/** For each output position along one axis: the first input position, how many there are, and their weights. */
interface Windows {
  readonly first: Int32Array;
  readonly length: Int32Array;
  /** `stride` per output position, a multiple of 4; what is beyond its `length` is 0. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** An axis that is resized, and the output positions on it that are asked for. */
interface Axis {
  /** Pixels of the input, and of the whole output. */
  readonly from: number;
  readonly to: number;
  /** The first output position that is asked for, and how many. */
  readonly begin: number;
  readonly count: number;
}

/**
 * The filter, centred on each output position that is asked for and, when shrinking, stretched to cover the input
 * pixels that fall into it. What would be outside of the image is cut off, and the rest is scaled to a sum of 1. All of
 * it is in double precision, each operation in the order that Pillow's bits need.
 */
function windows(name: string, { from: inSize, to: outSize, begin, count }: Axis, filter: Filter): Windows {
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const reach = filter.reach * stretch;
  const shrink = 1 / stretch;
  const stride = Math.ceil(Math.min(Math.ceil(reach) * 2 + 1, inSize) / 4) * 4;
  const first = allocate(name, Int32Array, count);
  const length = allocate(name, Int32Array, count);
  const weights = allocate(name, Int32Array, count * stride);
  const exact = new Float64Array(stride);
  for (let out = 0; out < count; out++) {
    const center = (begin + out + 0.5) * scale;
    const from = Math.max(Math.trunc(center - reach + 0.5), 0);
    const taps = Math.min(Math.trunc(center + reach + 0.5), inSize) - from;
    let sum = 0;
    for (let i = 0; i < taps; i++) {
      exact[i] = filter.weight((i + from - center + 0.5) * shrink);
      sum += exact[i]!;
    }
    for (let i = 0; i < taps; i++) {
      const scaled = (sum === 0 ? exact[i]! : exact[i]! / sum) * (1 << FRACTION_BITS);
      weights[out * stride + i] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
    first[out] = from;
    length[out] = taps;
  }
  return { first, length, weights, stride };
}

/** Rows that are resampled together: what a window has of them stays in the nearest cache. */
const ROWS = 32;

/** The input's rows from `top` on, each as wide as there are windows. */
function resampleRows(name: string, image: Image, across: Windows, { top, width, height }: Region): Image {
  const { first, length, weights, stride } = across;
  const { data: source } = image;
  const inRow = image.width * 3;
  const outRow = width * 3;
  const data = allocate(name, Uint8Array, outRow * height);
  for (let y = 0; y < height; y += ROWS) {
    const end = Math.min(y + ROWS, height) * outRow;
    for (let x = 0; x < width; x++) {
      const taps = length[x]!;
      const begin = x * stride;
      const four = fourTaps(weights, begin, taps, 3);
      let from = (top + y) * inRow + first[x]! * 3;
      for (let to = y * outRow + x * 3; to < end; to += outRow, from += inRow) {
        let red = weighted(source, from, four);
        let green = weighted(source, from + 1, four);
        let blue = weighted(source, from + 2, four);
        for (let i = 4, at = from + 12; i < taps; i++, at += 3) {
          const weight = weights[begin + i]!;
          red = (red + Math.imul(source[at]!, weight)) | 0;
          green = (green + Math.imul(source[at + 1]!, weight)) | 0;
          blue = (blue + Math.imul(source[at + 2]!, weight)) | 0;
        }
        data[to] = toByte(red);
        data[to + 1] = toByte(green);
        data[to + 2] = toByte(blue);
      }
    }
  }
  return { data, width, height };
}

/** The columns of an image that begins with the input's row `firstRow`. */
function resampleColumns(name: string, image: Image, down: Windows, firstRow: number, height: number): Image {
  const { first, length, weights, stride } = down;
  const { data: source, width } = image;
  const row = width * 3;
  const data = allocate(name, Uint8Array, row * height);
  const sums = new Int32Array(row);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    const taps = length[y]!;
    // Four rows at a time: sums are read and written once for them.
    for (let i = 0; i < taps; i += 4) {
      const four = fourTaps(weights, y * stride + i, taps - i, row);
      const from = (first[y]! - firstRow + i) * row;
      for (let x = 0; x < row; x++) sums[x] = sums[x]! + weighted(source, from + x, four);
    }
    for (let x = 0, to = y * row; x < row; x++, to++) data[to] = toByte(sums[x]!);
  }
  return { data, width, height };
}

/** Four pixels of a window: their weights, and how far behind the first one the others are. */
interface Four {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly at1: number;
  readonly at2: number;
  readonly at3: number;
}

/** Those from `begin` on. In the place of pixels that aren't there, whose weights are 0, is the first one. */
function fourTaps(weights: Int32Array, begin: number, taps: number, apart: number): Four {
  const at = (tap: number) => (tap < taps ? tap * apart : 0);
  return {
    ...{ w0: weights[begin]!, w1: weights[begin + 1]!, w2: weights[begin + 2]!, w3: weights[begin + 3]! },
    ...{ at1: at(1), at2: at(2), at3: at(3) },
  };
}

/** The weighted sum of four bytes. */
function weighted(source: Uint8Array, at: number, { w0, w1, w2, w3, at1, at2, at3 }: Four): number {
  const two = (Math.imul(source[at]!, w0) + Math.imul(source[at + at1]!, w1)) | 0;
  return (((two + Math.imul(source[at + at2]!, w2)) | 0) + Math.imul(source[at + at3]!, w3)) | 0;
}

/** The byte nearest to a sum. */
function toByte(sum: number): number {
  return Math.min(Math.max((sum + HALF) >> FRACTION_BITS, 0), 255);
}
