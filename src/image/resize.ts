/**
 * Resizing and cropping of 8-bit images, bit-equal to Pillow's antialiased resampling, on which torchvision's
 * published accuracies rest; a canvas's own scaling gives other pixels. Leaves out the filters that no torchvision
 * preset uses, and resampling of tensors.
 */

import { ValueError } from '../errors.ts';
import { checkImage, checkImageSize, type Image } from './image.ts';

/** A height and a width in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
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

/** Weights are whole multiples of 2⁻²²: a byte times a weight, with two bits to spare for overshoot, fits in 32 bits. */
const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);

/**
 * The image in another size, antialiased, bit-equal to Pillow's `Image.resize` in mode RGB: rows first, then columns,
 * each with weights in units of 2⁻²² and rounded to bytes in between. The image itself where its size is right already.
 *
 * @param size height and width, or the length of the shorter side in pixels; the longer one is then
 *   ⌊size · longer / shorter⌋, as in torchvision
 * @param interpolation the filter, bilinear unless given
 * @throws {@link ValueError} where a size isn't a whole number of at least 1, a result is beyond 2³¹ − 1 bytes, or
 *   the filter is unknown
 * @throws as {@link checkImage}
 * @see torchvision.transforms.Resize
 */
export function resize(image: Image, size: number | ImageSize, interpolation: InterpolationMode = 'bilinear'): Image {
  checkImage('resize', image);
  if (!Object.hasOwn(FILTERS, interpolation)) {
    throw new ValueError(`resize: expected an interpolation of bilinear, bicubic, got "${String(interpolation)}"`);
  }
  const { width, height } = typeof size === 'number' ? fitShorterSide(image, size) : size;
  checkImageSize('resize', width, height);
  // Between the passes the image has its new width and its old height, which may be more than both ends.
  checkImageSize('resize', width, image.height);
  const filter = FILTERS[interpolation];
  const wide = width === image.width ? image : resizeRows(image, width, filter);
  return height === image.height ? wide : resizeColumns(wide, height, filter);
}

/**
 * The middle of the image, bit-equal to torchvision's `center_crop`: an image that is too small is first padded with
 * black, and where the margins can't be equal, Python's rounding of halves to even says which side gets more.
 *
 * @param size height and width, or the side of a square, in pixels
 * @throws {@link ValueError} where a size isn't a whole number of at least 1, or the result is beyond 2³¹ − 1 bytes
 * @throws as {@link checkImage}
 * @see torchvision.transforms.CenterCrop
 */
export function centerCrop(image: Image, size: number | ImageSize): Image {
  checkImage('centerCrop', image);
  const { width, height } = typeof size === 'number' ? { width: size, height: size } : size;
  checkImageSize('centerCrop', width, height);
  const left = cropBegin(image.width, width);
  const top = cropBegin(image.height, height);
  const data = new Uint8Array(width * height * 3);
  const firstX = Math.max(left, 0);
  const lastX = Math.min(left + width, image.width);
  for (let y = Math.max(top, 0); y < Math.min(top + height, image.height); y++) {
    const row = image.data.subarray((y * image.width + firstX) * 3, (y * image.width + lastX) * 3);
    data.set(row, ((y - top) * width + firstX - left) * 3);
  }
  return { data, width, height };
}

/** The size whose shorter side is as asked, with the longer one's fraction dropped. */
function fitShorterSide(image: Image, shorter: number): ImageSize {
  const { width, height } = image;
  return width <= height
    ? { width: shorter, height: Math.trunc((shorter * height) / width) }
    : { width: Math.trunc((shorter * width) / height), height: shorter };
}

/** Where a crop begins, in pixels of the image; negative where padding comes first. */
function cropBegin(size: number, crop: number): number {
  if (crop > size) return -Math.floor((crop - size) / 2);
  const half = Math.floor((size - crop) / 2);
  // An odd margin is a half more than `half`: to even means up from an odd one only.
  return (size - crop) % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

/** For each output position along one axis: the first input position, how many there are, and their weights. */
interface Windows {
  readonly first: Int32Array;
  readonly length: Int32Array;
  /** `stride` per output position; what is beyond its `length` isn't used. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * The filter, centred on each output position and, when shrinking, stretched to cover the input pixels that fall into
 * it; what would be outside of the image is cut off, and the rest scaled to a sum of 1. Double precision throughout,
 * each operation in the order that Pillow's bits need.
 */
function windows(inSize: number, outSize: number, filter: Filter): Windows {
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const reach = filter.reach * stretch;
  const shrink = 1 / stretch;
  const stride = Math.min(Math.ceil(reach) * 2 + 1, inSize);
  const first = new Int32Array(outSize);
  const length = new Int32Array(outSize);
  const weights = new Int32Array(outSize * stride);
  const exact = new Float64Array(stride);
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - reach + 0.5), 0);
    const count = Math.min(Math.trunc(center + reach + 0.5), inSize) - begin;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      exact[i] = filter.weight((i + begin - center + 0.5) * shrink);
      sum += exact[i]!;
    }
    for (let i = 0; i < count; i++) {
      const scaled = (sum === 0 ? exact[i]! : exact[i]! / sum) * (1 << FRACTION_BITS);
      weights[out * stride + i] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
    first[out] = begin;
    length[out] = count;
  }
  return { first, length, weights, stride };
}

function resizeRows(image: Image, width: number, filter: Filter): Image {
  const { first, length, weights, stride } = windows(image.width, width, filter);
  const { data: source, height } = image;
  const data = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width * 3;
    for (let x = 0; x < width; x++, to += 3) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let from = row + first[x]! * 3;
      const begin = x * stride;
      const end = begin + length[x]!;
      for (let i = begin; i < end; i++, from += 3) {
        const weight = weights[i]!;
        red += source[from]! * weight;
        green += source[from + 1]! * weight;
        blue += source[from + 2]! * weight;
      }
      data[to] = toByte(red);
      data[to + 1] = toByte(green);
      data[to + 2] = toByte(blue);
    }
  }
  return { data, width, height };
}

function resizeColumns(image: Image, height: number, filter: Filter): Image {
  const { first, length, weights, stride } = windows(image.height, height, filter);
  const { data: source, width } = image;
  const rowBytes = width * 3;
  const data = new Uint8Array(rowBytes * height);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let i = 0; i < length[y]!; i++) {
      const weight = weights[y * stride + i]!;
      const row = (first[y]! + i) * rowBytes;
      for (let x = 0; x < rowBytes; x++) sums[x] = sums[x]! + source[row + x]! * weight;
    }
    const to = y * rowBytes;
    for (let x = 0; x < rowBytes; x++) data[to + x] = toByte(sums[x]!);
  }
  return { data, width, height };
}

/** The byte nearest to a sum that HALF was added to beforehand. */
function toByte(sum: number): number {
  return Math.min(Math.max(sum >> FRACTION_BITS, 0), 255);
}
