/**
 * Images as bytes, the way decoders and canvases have them: RGBA in, RGB inside, RGBA out. Decoding JPEG or PNG is
 * left to the host, and so are colour profiles and EXIF orientation.
 */

import { DtypeError, describe, kindOf, MemoryError, ShapeError, ValueError } from '../errors.ts';

/** Pixels in rows from the top, three bytes (red, green, blue) each: what PIL calls mode RGB. */
export interface Image {
  /** `height * width * 3` bytes. */
  readonly data: Uint8Array;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
}

/** The most bytes that an image may have: 2³¹ − 1, as in Pillow. */
export const MAX_IMAGE_BYTES = 2 ** 31 - 1;

/**
 * The image of RGBA pixels, e.g. of a canvas's `ImageData`. Alpha is dropped, as by PIL's `convert('RGB')`: colours
 * are neither blended with a background nor multiplied, so a transparent pixel shows the colour stored under it.
 *
 * @param pixels `height * width * 4` bytes; copied
 * @throws {@link DtypeError} where `pixels` aren't bytes
 * @throws {@link ValueError} where a size isn't a whole number of at least 1 pixel, or the image is beyond
 *   {@link MAX_IMAGE_BYTES}
 * @throws {@link ShapeError} where there are too few or too many bytes
 * @throws {@link MemoryError} where the host hasn't the memory
 */
export function imageFromRgba(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number): Image {
  const rgba = checkPixels('imageFromRgba', pixels, width, height, 4);
  const data = allocate('imageFromRgba', Uint8Array, width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
  }
  return { data, width, height };
}

/**
 * The image of RGB pixels, e.g. of a JPEG decoder.
 *
 * @param pixels `height * width * 3` bytes; not copied
 * @throws as {@link imageFromRgba}
 */
export function imageFromRgb(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number): Image {
  return { data: checkPixels('imageFromRgb', pixels, width, height, 3), width, height };
}

/**
 * The image's pixels as RGBA with alpha 255, for `new ImageData(pixels, image.width)`.
 *
 * @throws as {@link checkImage}
 */
export function imageToRgba(image: Image): Uint8ClampedArray<ArrayBuffer> {
  checkImage('imageToRgba', image);
  const { width, height } = image;
  checkImageSize('imageToRgba', width, height, 4);
  const pixels = allocate('imageToRgba', Uint8ClampedArray, width * height * 4).fill(255);
  for (let from = 0, to = 0; to < pixels.length; from += 3, to += 4) {
    pixels[to] = image.data[from]!;
    pixels[to + 1] = image.data[from + 1]!;
    pixels[to + 2] = image.data[from + 2]!;
  }
  return pixels;
}

/**
 * Returns nothing; fails an image that can't be one, since anybody can write the three fields.
 *
 * @param name the public function that was given the image
 * @throws {@link ValueError} where it isn't an object with the three fields
 * @throws {@link DtypeError}, {@link ValueError}, {@link ShapeError} as {@link imageFromRgb}
 */
export function checkImage(name: string, image: Image): void {
  const isImage = typeof image === 'object' && image !== null && 'data' in image && 'width' in image;
  if (!isImage || !('height' in image)) {
    const pixels = '; imageFromRgba(pixels, width, height) makes one of bytes';
    const way = ArrayBuffer.isView(image) ? fileHint(image as unknown as Uint8Array) || pixels : '';
    throw new ValueError(`${name}: expected an image { data, width, height }, got ${describe(image)}${way}`);
  }
  checkPixels(name, image.data, image.width, image.height, 3);
}

/**
 * Returns nothing; fails sizes that no image can have, before anything is allocated by them.
 *
 * @param name the public function that was given the sizes
 * @throws {@link ValueError} where a size isn't a whole number of at least 1 pixel, or `channels` bytes per pixel are
 *   beyond {@link MAX_IMAGE_BYTES}
 */
export function checkImageSize(name: string, width: number, height: number, channels = 3): void {
  if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width >= 1 && height >= 1)) {
    const got = `${describe(width)} x ${describe(height)}`;
    throw new ValueError(`${name}: expected whole numbers >= 1 as width and height, got ${got}`);
  }
  if (width * height * channels > MAX_IMAGE_BYTES) {
    const got = `${width * height * channels} for ${width} x ${height} pixels of ${channels}`;
    throw new ValueError(`${name}: expected an image of at most ${MAX_IMAGE_BYTES} bytes, got ${got}`);
  }
}

/**
 * A new array of zeros.
 *
 * @param name the public function that needs it
 * @throws {@link MemoryError} where the host hasn't the memory
 */
export function allocate<A>(name: string, type: { readonly name: string; new (length: number): A }, length: number): A {
  try {
    return new type(length);
  } catch (cause) {
    throw new MemoryError(`${name}: expected memory for a ${type.name} of ${length}, got none`, { cause });
  }
}

/** The pixels as a Uint8Array over the same memory. Arrays of other realms, where `instanceof` fails, are taken too. */
function checkPixels(
  name: string,
  pixels: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  channels: number,
): Uint8Array {
  const kind = kindOf(pixels);
  if (!ArrayBuffer.isView(pixels) || (kind !== 'Uint8Array' && kind !== 'Uint8ClampedArray')) {
    throw new DtypeError(`${name}: expected a Uint8Array or a Uint8ClampedArray, got ${describe(pixels)}`);
  }
  checkImageSize(name, width, height, channels);
  const expected = width * height * channels;
  const { length } = pixels;
  if (length !== expected) {
    const sizes = `${width} x ${height} pixels of ${channels}`;
    const got = length === 0 ? describe(pixels) : length;
    const way = fileHint(pixels) || wayOut(length, width * height, channels);
    throw new ShapeError(`${name}: expected ${expected} bytes for ${sizes}, got ${got}${way}`);
  }
  return new Uint8Array(pixels.buffer, pixels.byteOffset, length);
}

/** What to do with a JPEG's or PNG's file, by its first two bytes; nothing where it is none. */
function fileHint({ 0: first, 1: second }: ArrayLike<unknown>): string {
  const isFile = (first === 0xff && second === 0xd8) || (first === 0x89 && second === 0x50);
  return isFile ? "; these are a picture's file, which has to be decoded first" : '';
}

/** What fits so many bytes of so many pixels. */
function wayOut(bytes: number, pixels: number, channels: number): string {
  if (channels === 3 && bytes === pixels * 4) return '; imageFromRgba takes pixels of 4';
  if (channels === 4 && bytes === pixels * 3) return '; imageFromRgb takes pixels of 3';
  return '';
}
