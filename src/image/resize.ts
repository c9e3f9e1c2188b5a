/**
 * Resizing and cropping of 8-bit images, bit-equal to Pillow's antialiased resampling, on which torchvision's
 * published accuracies rest; a canvas's own scaling gives other pixels. Leaves out resampling of tensors.
 */

import { describe, ValueError } from '../errors.ts';
import { checkImage, checkImageSize, type Image } from './image.ts';
import {
  centerOf,
  checkInterpolation,
  cut,
  fitShorterSide,
  type ImageSize,
  type InterpolationMode,
  resample,
} from './resample.ts';

export type { ImageSize, InterpolationMode } from './resample.ts';

/**
 * The image in another size, antialiased, bit-equal to Pillow's `Image.resize` in mode RGB: rows first, then columns,
 * each with weights in units of 2⁻²² and rounded to bytes in between. The image itself where its size is right already.
 *
 * @param size height and width, or the length of the shorter side in pixels; the longer one is then
 *   ⌊size · longer / shorter⌋, as in torchvision
 * @param interpolation the filter, bilinear unless given
 * @throws {@link ValueError} where a size isn't a whole number of at least 1, a result is beyond 2³¹ − 1 bytes, or
 *   the filter is unknown
 * @throws {@link MemoryError} where the host hasn't the memory
 * @throws as {@link checkImage}
 * @see torchvision.transforms.Resize
 */
export function resize(image: Image, size: number | ImageSize, interpolation: InterpolationMode = 'bilinear'): Image {
  checkImage('resize', image);
  const { width, height } = typeof size === 'number' ? fitShorterSide(image, size) : checkSize('resize', size);
  checkInterpolation('resize', interpolation);
  checkImageSize('resize', width, height);
  return resample('resize', image, { width, height }, { left: 0, top: 0, width, height }, interpolation);
}

/**
 * The middle of the image, bit-equal to torchvision's `center_crop`: an image that is too small is first padded with
 * black, and where the margins can't be equal, Python's rounding of halves to even says which side gets more. The
 * image itself where its size is right already.
 *
 * @param size height and width, or the side of a square, in pixels
 * @throws {@link ValueError} where a size isn't a whole number of at least 1, or the result is beyond 2³¹ − 1 bytes
 * @throws {@link MemoryError} where the host hasn't the memory
 * @throws as {@link checkImage}
 * @see torchvision.transforms.CenterCrop
 */
export function centerCrop(image: Image, size: number | ImageSize): Image {
  checkImage('centerCrop', image);
  const { width, height } = typeof size === 'number' ? { width: size, height: size } : checkSize('centerCrop', size);
  checkImageSize('centerCrop', width, height);
  return cut('centerCrop', image, centerOf(image, { width, height }));
}

function checkSize(name: string, size: ImageSize): ImageSize {
  if (typeof size === 'object' && size !== null && !Array.isArray(size)) return size;
  throw new ValueError(`${name}: expected size as a number or { height, width }, got ${describe(size)}`);
}
