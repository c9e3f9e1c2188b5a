/**
 * What torchvision does to an image before a network sees it, one function for each kind of network. Leaves out the
 * presets for video and optical flow, and object detection's, which is `toTensor` alone.
 */

import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Image } from './image.ts';
import { centerCrop, type InterpolationMode, resize } from './resize.ts';
import { normalize, toTensor } from './to-tensor.ts';

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
 * 0..1 and normalised. Bit-equal to torchvision's preset on a PIL image.
 *
 * @param options torchvision's, in camelCase; each weight file's values are in its `transforms`
 * @throws as {@link resize}, {@link centerCrop} and {@link normalize}
 * @see torchvision.transforms._presets.ImageClassification
 */
export function imageClassification(image: Image, options: ImageClassificationOptions = {}): Tensor<Float32Array> {
  const defaults = { ...SHARED, cropSize: 224, resizeSize: 256 };
  const { cropSize, resizeSize, mean, std, interpolation } = withDefaults('imageClassification', options, defaults);
  return normalize(toTensor(centerCrop(resize(image, resizeSize, interpolation), cropSize)), mean, std);
}

/**
 * The input of a segmentation network, float32 `[1, 3, H, W]` with the shorter side at `resizeSize`: the image
 * resized, scaled to 0..1 and normalised, not cropped. Bit-equal to torchvision's preset on a PIL image.
 *
 * @param options torchvision's, in camelCase
 * @throws as {@link resize} and {@link normalize}
 * @see torchvision.transforms._presets.SemanticSegmentation
 */
export function semanticSegmentation(image: Image, options: SemanticSegmentationOptions = {}): Tensor<Float32Array> {
  const defaults = { ...SHARED, resizeSize: 520 };
  const { resizeSize, mean, std, interpolation } = withDefaults('semanticSegmentation', options, defaults);
  return normalize(toTensor(resizeSize === null ? image : resize(image, resizeSize, interpolation)), mean, std);
}
