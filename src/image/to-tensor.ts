/**
 * Images to tensors and back, and the normalisation between them, with the float32 arithmetic of torchvision's
 * transforms bit for bit. Leaves out all that changes an image's size.
 */

import { DtypeError, describe, ShapeError, ValueError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { allocate, checkImage, checkImageSize, type Image } from './image.ts';

/**
 * The image as float32 `[1, 3, H, W]` from 0 to 1: each byte divided by 255 and rounded to nearest.
 *
 * @throws as {@link checkImage}
 * @throws {@link MemoryError} where the host hasn't the memory
 * @see torchvision.transforms.ToTensor
 */
export function toTensor(image: Image): Tensor<Float32Array> {
  checkImage('toTensor', image);
  const { data, width, height } = image;
  const plane = width * height;
  const x = zerosFor('toTensor', [1, 3, height, width]);
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
 * @throws {@link ValueError} where x isn't a tensor, or H or W is 0
 * @see torchvision.utils.save_image
 */
export function toImage(x: Tensor): Image {
  checkTensor('toImage', x, 'imageFromRgb(pixels, width, height) takes bytes');
  if (x.shape.length !== 4 || x.shape[0] !== 1 || x.shape[1] !== 3) {
    const way = x.shape.length === 4 && x.shape[0] === 1 && x.shape[3] === 3 ? CHANNELS_FIRST : '';
    throw new ShapeError(`toImage: expected x [1, 3, H, W], got ${formatShape(x.shape)}${way}`);
  }
  const height = x.shape[2]!;
  const width = x.shape[3]!;
  checkImageSize('toImage', width, height);
  const values = x.data as Float32Array;
  const plane = width * height;
  const data = allocate('toImage', Uint8Array, plane * 3);
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
 * @throws {@link ValueError} where x isn't a tensor, `mean` or `std` aren't numbers, or a `std` is 0 in float32
 * @throws {@link MemoryError} where the host hasn't the memory
 * @see torchvision.transforms.functional.normalize
 */
export function normalize(x: Tensor, mean: readonly number[], std: readonly number[]): Tensor<Float32Array> {
  checkTensor('normalize', x, 'toTensor(image) gives a picture from 0 to 1');
  if (x.shape.length < 3) throw new ShapeError(`normalize: expected x [..., C, H, W], got ${formatShape(x.shape)}`);
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  const [means, stds] = statistics('normalize', mean, std, channels, x.shape);
  const values = x.data as Float32Array;
  const plane = height * width;
  const y = zerosFor('normalize', x.shape);
  for (let begin = 0, c = 0; begin < values.length; begin += plane, c = (c + 1) % channels) {
    const m = means[c]!;
    const s = stds[c]!;
    for (let i = begin; i < begin + plane; i++) y.data[i] = Math.fround(values[i]! - m) / s;
  }
  return y;
}

/**
 * `normalize(toTensor(image), mean, std)`, each value looked up by its byte: there are 256 for a channel.
 *
 * @throws as {@link toTensor} and {@link normalize}
 */
export function normalized(image: Image, mean: readonly number[], std: readonly number[]): Tensor<Float32Array> {
  const { data, width, height } = image;
  const bytes = Uint8Array.from({ length: 3 * 256 }, (_, i) => i / 3);
  const table = normalize(toTensor({ data: bytes, width: 256, height: 1 }), mean, std).data;
  const x = zerosFor('normalize', [1, 3, height, width]);
  const plane = width * height;
  for (let c = 0; c < 3; c++) {
    const values = table.subarray(c * 256, (c + 1) * 256);
    const channel = x.data.subarray(c * plane, (c + 1) * plane);
    for (let i = 0; i < plane; i++) channel[i] = values[data[i * 3 + c]!]!;
  }
  return x;
}

/**
 * Means and standard deviations in float32, as many of both as there are channels.
 *
 * @param name the public function that was given them
 * @param shape of what is normalised, for the message
 * @throws as {@link normalize}
 */
export function statistics(
  name: string,
  mean: readonly number[],
  std: readonly number[],
  channels: number,
  shape: Shape,
): [means: Float32Array, stds: Float32Array] {
  for (const [option, values] of Object.entries({ mean, std })) {
    if (isNumbers(values)) continue;
    throw new ValueError(`${name}: expected ${option} as an array of numbers, got ${describe(values)}`);
  }
  if (mean.length !== channels || std.length !== channels) {
    const got = `${mean.length} means and ${std.length} stds`;
    const way = shape.length > 3 && shape.at(-1) === mean.length && mean.length === std.length ? CHANNELS_FIRST : '';
    throw new ShapeError(`${name}: expected ${channels} means and stds for x ${formatShape(shape)}, got ${got}${way}`);
  }
  const stds = Float32Array.from(std);
  if (stds.includes(0)) throw new ValueError(`${name}: expected stds other than 0, got ${formatShape(std)}`);
  return [Float32Array.from(mean), stds];
}

/** What to do about `[N, H, W, C]`, the order of canvases and of TensorFlow. */
const CHANNELS_FIRST = '; its last axis fits, but channels come before rows here';

function isNumbers(values: unknown): boolean {
  const isList = Array.isArray(values) || values instanceof Float32Array || values instanceof Float64Array;
  return isList && Array.from(values as ArrayLike<unknown>).every((value) => typeof value === 'number');
}

/** Fails what is no tensor, or not in float32; pictures of bytes have a way out of their own. */
function checkTensor(name: string, x: Tensor, wayFromBytes: string): void {
  if (!(x instanceof Tensor)) {
    const isImage = typeof x === 'object' && x !== null && 'data' in x && 'width' in x;
    const way = isImage ? '; toTensor(image) makes one' : '';
    throw new ValueError(`${name}: expected x as a Tensor, got ${describe(x)}${way}`);
  }
  if (x.dtype === 'float32') return;
  // Bytes of a picture are on another scale: x.float() would run, and mean something else.
  const way = x.dtype === 'uint8' ? wayFromBytes : 'convert it with x.float()';
  throw new DtypeError(`${name}: expected x in float32, got ${x.dtype}; ${way}`);
}

function zerosFor(name: string, shape: Shape): Tensor<Float32Array> {
  return new Tensor(allocate(name, Float32Array, numel(shape)), shape);
}
