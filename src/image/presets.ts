/**
 * What torchvision does to an image before a network sees it, one function for each kind of network. Leaves out the
 * presets for video and optical flow, and object detection's, which is `toTensor` alone.
 */

import { describe, MemoryError, ValueError } from '../errors.ts';
import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkImage, checkImageSize, type Image } from './image.ts';
import {
  centerOf,
  checkInterpolation,
  cut,
  fitShorterSide,
  type ImageSize,
  type InterpolationMode,
  type Region,
  resample,
} from './resample.ts';
import { normalized, statistics } from './to-tensor.ts';

/** ImageNet's mean of red, green and blue, on the scale from 0 to 1. */
export const IMAGENET_MEAN: readonly number[] = Object.freeze([0.485, 0.456, 0.406]);

/** ImageNet's standard deviation of red, green and blue, on the scale from 0 to 1. */
export const IMAGENET_STD: readonly number[] = Object.freeze([0.229, 0.224, 0.225]);

/** What {@link imageClassification} and {@link semanticSegmentation} have in common. */
export interface PresetOptions {
  /** Three numbers; {@link IMAGENET_MEAN} unless given. */
  mean?: readonly number[];
  /** Three numbers; {@link IMAGENET_STD} unless given. */
  std?: readonly number[];
  /** bilinear unless given; EfficientNet's and some other weights want bicubic. */
  interpolation?: InterpolationMode;
}

const SHARED = { mean: IMAGENET_MEAN, std: IMAGENET_STD, interpolation: 'bilinear' } as const;

/** Options of {@link imageClassification}. */
export interface ImageClassificationOptions extends PresetOptions {
  /** The side of the square that is cut out of the middle, in pixels; 224 unless given. */
  cropSize?: number;
  /** The length that the shorter side is first resized to, in pixels; 256 unless given. */
  resizeSize?: number;
}

/** Options of {@link semanticSegmentation}. */
export interface SemanticSegmentationOptions extends PresetOptions {
  /** The length that the shorter side is resized to, in pixels, or null for the image's own size; 520 unless given. */
  resizeSize?: number | null;
}

/**
 * The input of a classification network, float32 `[1, 3, cropSize, cropSize]`: the image resized, cropped, scaled to
 * 0..1 and normalised. Bit-equal to torchvision's preset on a PIL image. Only what the crop shows is resampled, so the
 * cost is bounded by the image and the crop, however long and narrow the image is.
 *
 * @param options torchvision's, in camelCase; each weight file's values are in its `transforms`
 * @throws {@link ValueError} where a size isn't a whole number of at least 1, the crop is beyond 2³¹ − 1 bytes, or the
 *   filter is unknown
 * @throws {@link MemoryError} where the host hasn't the memory
 * @throws as {@link checkImage} and `normalize`
 * @see torchvision.transforms._presets.ImageClassification
 */
export function imageClassification(image: Image, options: ImageClassificationOptions = {}): Tensor<Float32Array> {
  const name = 'imageClassification';
  checkImage(name, image);
  const defaults = { ...SHARED, cropSize: 224, resizeSize: 256 };
  const { cropSize, resizeSize, mean, std, interpolation } = withDefaults(name, options, defaults);
  checkSide(name, 'cropSize', cropSize);
  checkSide(name, 'resizeSize', resizeSize);
  checkInterpolation(name, interpolation);
  checkImageSize(name, cropSize, cropSize);
  statistics(name, mean, std, 3, [1, 3, cropSize, cropSize]);
  const size = fitShorterSide(image, resizeSize);
  const crop = centerOf(size, { width: cropSize, height: cropSize });
  const shown = visible(size, crop);
  const part = resample(name, image, size, shown, interpolation);
  const cropped = cut(name, part, { ...crop, left: crop.left - shown.left, top: crop.top - shown.top });
  return normalized(cropped, mean, std);
}

/**
 * The input of a segmentation network, float32 `[1, 3, H, W]` with the shorter side at `resizeSize`: the image resized,
 * scaled to 0..1 and normalised, not cropped. Bit-equal to torchvision's preset on a PIL image.
 *
 * @param options torchvision's, in camelCase
 * @throws {@link ValueError} where `resizeSize` isn't a whole number of at least 1, the result is beyond 2³¹ − 1 bytes,
 *   or the filter is unknown
 * @throws {@link MemoryError} where the host hasn't the memory, or the result is more than a network's memory holds: a
 *   side of a few pixels makes the other one huge
 * @throws as {@link checkImage} and `normalize`
 * @see torchvision.transforms._presets.SemanticSegmentation
 */
export function semanticSegmentation(image: Image, options: SemanticSegmentationOptions = {}): Tensor<Float32Array> {
  const name = 'semanticSegmentation';
  checkImage(name, image);
  const defaults = { ...SHARED, resizeSize: 520 };
  const { resizeSize, mean, std, interpolation } = withDefaults(name, options, defaults);
  if (resizeSize !== null) checkSide(name, 'resizeSize', resizeSize);
  checkInterpolation(name, interpolation);
  const { width, height } = resizeSize === null ? image : fitShorterSide(image, resizeSize);
  checkImageSize(name, width, height);
  if (width * height > MOST_PIXELS) {
    const got = `${width} x ${height} of an image of ${image.width} x ${image.height}`;
    const way = 'crop the image, or take a smaller resizeSize';
    throw new MemoryError(
      `${name}: expected at most ${MOST_PIXELS} pixels, as a network takes them, got ${got}; ${way}`,
    );
  }
  statistics(name, mean, std, 3, [1, 3, height, width]);
  const resized = resample(name, image, { width, height }, { left: 0, top: 0, width, height }, interpolation);
  return normalized(resized, mean, std);
}

/**
 * Pixels of which a WebAssembly memory of 4 GiB holds a network's input: three planes, and pixels of four floats that
 * are made of them.
 */
const MOST_PIXELS = Math.floor(2 ** 32 / (3 * 4 + 4 * 4));

/** Fails what is no side of a picture. */
function checkSide(name: string, option: string, side: unknown): void {
  if (Number.isSafeInteger(side) && (side as number) >= 1) return;
  throw new ValueError(`${name}: expected ${option} as a whole number >= 1, got ${describe(side)}`);
}

/** The part of a region that lies within an image of that size. */
function visible(size: ImageSize, { left, top, width, height }: Region): Region {
  const first = { left: Math.max(left, 0), top: Math.max(top, 0) };
  const end = { x: Math.min(left + width, size.width), y: Math.min(top + height, size.height) };
  return { ...first, width: end.x - first.left, height: end.y - first.top };
}
