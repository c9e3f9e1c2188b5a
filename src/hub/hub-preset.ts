/** What timm does to an image before a model of its sees it. */

import type { Image } from '../image/image.ts';
import { imageClassification } from '../image/presets.ts';
import { centerCrop, type InterpolationMode, resize } from '../image/resize.ts';
import { normalized } from '../image/to-tensor.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { HubConfig } from './hub-config.ts';

/** How a model's images are prepared. */
export interface HubPreset {
  /** Pixels that the shorter side is resized to; both sides where `cropMode` is `'squash'`. */
  readonly resizeSize: number;
  /** The side of the square that is cut out of the middle. */
  readonly cropSize: number;
  readonly cropMode: 'center' | 'squash';
  readonly interpolation: InterpolationMode;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * The preset that a config asks for. @param useTestSize whether it is the one that the published accuracy was measured
 * with, or training's
 */
export function presetOf(config: HubConfig, useTestSize: boolean): HubPreset {
  const cropSize = useTestSize ? config.testInputSize : config.inputSize;
  const cropPct = useTestSize ? config.testCropPct : config.cropPct;
  const { cropMode, interpolation, mean, std } = config;
  return { resizeSize: Math.floor(cropSize / cropPct), cropSize, cropMode, interpolation, mean, std };
}

/**
 * The input of a network, float32 `[1, 3, cropSize, cropSize]`, bit-equal to timm's transform on a PIL image. @see
 * timm.data.create_transform
 */
export function prepareImage(image: Image, preset: HubPreset): Tensor<Float32Array> {
  const { cropMode, resizeSize, cropSize, interpolation, mean, std } = preset;
  if (cropMode === 'center') {
    return imageClassification(image, { resizeSize, cropSize, interpolation, mean, std });
  }
  const squashed = resize(image, { height: resizeSize, width: resizeSize }, interpolation);
  return normalized(centerCrop(squashed, cropSize), mean, std);
}
