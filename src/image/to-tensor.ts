/**
 * Images to tensors and back, and the normalisation between them, with the float32 arithmetic of torchvision's
 * transforms bit for bit. Leaves out all that changes an image's size.
 */

import { DtypeError, ShapeError, ValueError } from '../errors.ts';
import { formatShape } from '../tensor/shape.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';
import { checkImage, checkImageSize, type Image } from './image.ts';

/**
 * The image as float32 `[1, 3, H, W]` from 0 to 1: each byte divided by 255 and rounded to nearest.
 *
 * @throws as {@link checkImage}
 * @see torchvision.transforms.ToTensor
 */
export function toTensor(image: Image): Tensor<Float32Array> {
  checkImage('toTensor', image);
  const { data, width, height } = image;
  const plane = width * height;
  const x = zeros([1, 3, height, width]);
  for (let c = 0; c < 3; c++) {
    for (let i = 0, from = c, to = c * plane; i < plane; i++, from += 3, to++) x.data[to] = data[from]! / 255;
  }
  return x;
}

/**
 * The image of a float32 tensor `[1, 3, H, W]` from 0 to 1: the inverse of {@link toTensor}, exact for its results.
 * Values are multiplied by 255 in float32 and rounded to nearest, halves upwards; what is below 0 or above 1 is
 * clamped, NaN becomes 0.
 *
 * @throws {@link DtypeError} where the tensor isn't float32
 * @throws {@link ShapeError} where its shape isn't `[1, 3, H, W]`
 * @throws {@link ValueError} where H or W is 0
 * @see torchvision.utils.save_image
 */
export function toImage(x: Tensor): Image {
  if (x.dtype !== 'float32') throw new DtypeError(`toImage: expected x in float32, got ${x.dtype}`);
  if (x.shape.length !== 4 || x.shape[0] !== 1 || x.shape[1] !== 3) {
    throw new ShapeError(`toImage: expected x [1, 3, H, W], got ${formatShape(x.shape)}`);
  }
  const height = x.shape[2]!;
  const width = x.shape[3]!;
  checkImageSize('toImage', width, height);
  const values = x.data as Float32Array;
  const plane = width * height;
  const data = new Uint8Array(plane * 3);
  for (let c = 0; c < 3; c++) {
    for (let i = 0, from = c * plane, to = c; i < plane; i++, from++, to += 3) {
      // Float32 twice, as in torch: the product, then the sum. A Uint8Array drops the fraction and takes NaN as 0.
      const rounded = Math.fround(Math.fround(values[from]! * 255) + 0.5);
      data[to] = Math.min(Math.max(rounded, 0), 255);
    }
  }
  return { data, width, height };
}

/**
 * The tensor with each channel c as `(x - mean[c]) / std[c]`, in float32 (`mean` and `std` too); a new tensor.
 *
 * @param x float32 `[…, C, H, W]`
 * @param mean C numbers
 * @param std C numbers, none of them 0
 * @throws {@link DtypeError} where the tensor isn't float32
 * @throws {@link ShapeError} where it has no channels, or another number of them than `mean` or `std`
 * @throws {@link ValueError} where a `std` is 0 in float32
 * @see torchvision.transforms.functional.normalize
 */
export function normalize(x: Tensor, mean: readonly number[], std: readonly number[]): Tensor<Float32Array> {
  if (x.dtype !== 'float32') throw new DtypeError(`normalize: expected x in float32, got ${x.dtype}`);
  if (x.shape.length < 3) throw new ShapeError(`normalize: expected x [..., C, H, W], got ${formatShape(x.shape)}`);
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  if (mean.length !== channels || std.length !== channels) {
    const got = `${mean.length} means and ${std.length} stds`;
    throw new ShapeError(`normalize: expected ${channels} means and stds for x ${formatShape(x.shape)}, got ${got}`);
  }
  const means = Float32Array.from(mean);
  const stds = Float32Array.from(std);
  if (stds.includes(0)) throw new ValueError(`normalize: expected stds other than 0, got ${formatShape(std)}`);
  const values = x.data as Float32Array;
  const plane = height * width;
  const y = zeros(x.shape);
  for (let begin = 0, c = 0; begin < values.length; begin += plane, c = (c + 1) % channels) {
    const m = means[c]!;
    const s = stds[c]!;
    for (let i = begin; i < begin + plane; i++) y.data[i] = Math.fround(values[i]! - m) / s;
  }
  return y;
}
