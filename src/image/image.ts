/**
 * Images as bytes, the way decoders and canvases have them: RGBA in, RGB inside, RGBA out. Decoding JPEG or PNG is
 * left to the host, and so are colour profiles and EXIF orientation.
 */

import { DtypeError, ShapeError, ValueError } from '../errors.ts';

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
 */
export function imageFromRgba(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number): Image {
  const rgba = checkPixels('imageFromRgba', pixels, width, height, 4);
  const data = new Uint8Array(width * height * 3);
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
  const pixels = new Uint8ClampedArray(image.width * image.height * 4).fill(255);
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
 * @throws {@link DtypeError}, {@link ValueError}, {@link ShapeError} as {@link imageFromRgb}
 */
export function checkImage(name: string, image: Image): void {
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
    throw new ValueError(`${name}: expected whole numbers >= 1 as width and height, got ${width} x ${height}`);
  }
  if (width * height * channels > MAX_IMAGE_BYTES) {
    const got = `${width * height * channels} for ${width} x ${height} pixels of ${channels}`;
    throw new ValueError(`${name}: expected an image of at most ${MAX_IMAGE_BYTES} bytes, got ${got}`);
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
  const kind = Object.prototype.toString.call(pixels).slice(8, -1);
  if (kind !== 'Uint8Array' && kind !== 'Uint8ClampedArray') {
    throw new DtypeError(`${name}: expected a Uint8Array or a Uint8ClampedArray, got ${kind}`);
  }
  checkImageSize(name, width, height, channels);
  const expected = width * height * channels;
  if (pixels.length !== expected) {
    const sizes = `${width} x ${height} pixels of ${channels}`;
    throw new ShapeError(`${name}: expected ${expected} bytes for ${sizes}, got ${pixels.length}`);
  }
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length);
}
