/** Masks in colours: the class of each pixel as RGBA. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { checkImageSize } from '../image/image.ts';
import { finite, withDefaults } from '../options.ts';
import { formatShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { Color } from './colormaps.ts';
import { blank, type Rgba } from './rgba.ts';
import { checkTensor } from './tensors.ts';

/** Class numbers of pixels in rows from the top. */
export interface Mask {
  /** `height * width` class numbers. */
  readonly data: ArrayLike<number>;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
}

/** Options of {@link maskToRgba}. */
export interface MaskToRgbaOptions {
  /** Alpha of all classes, from 0 to 1; 1 unless given. */
  readonly alpha?: number;
  /** A class that is left transparent, the background 0 for example; none unless given. */
  readonly transparent?: number | null;
}

/**
 * The mask in its classes' colours.
 *
 *     const mask = argmax(scores, { dim: 1 });
 *     const { data, width } = maskToRgba(mask, vocPalette());
 *
 * @param mask a mask, or a tensor of class numbers `[H, W]` or `[1, H, W]`
 * @param palette the colour of each class
 * @throws {@link ValueError} for a class without a colour, where one is no mask or palette, and for options out of
 *   range
 * @throws {@link ShapeError} for a batch, or where sizes don't fit
 */
export function maskToRgba(mask: Mask | Tensor, palette: readonly Color[], options: MaskToRgbaOptions = {}): Rgba {
  const { alpha, transparent } = withDefaults('maskToRgba', options, { alpha: 1, transparent: null });
  finite('maskToRgba: alpha', alpha, 0);
  if (alpha > 1) throw new ValueError(`maskToRgba: expected alpha from 0 to 1, got ${alpha}`);
  const isColor = (color: unknown) => Array.isArray(color) && color.length === 3 && color.every(Number.isFinite);
  if (!Array.isArray(palette) || ![...palette].every(isColor)) {
    const expected = 'an array of colours [red, green, blue] from 0 to 255';
    throw new ValueError(`maskToRgba: expected palette as ${expected}, got ${describe(palette)}`);
  }
  const { data, width, height } = pixelsOf(mask);
  const picture = blank('maskToRgba', width, height);
  for (let i = 0; i < data.length; i++) {
    const index = Number(data[i]);
    const color = palette[index];
    if (!color) {
      const got = `${describe(index)} at pixel (${i % width}, ${Math.floor(i / width)})`;
      throw new ValueError(`maskToRgba: expected classes from 0 to ${palette.length - 1}, got ${got}`);
    }
    picture.data.set(color, i * 4);
    picture.data[i * 4 + 3] = index === transparent ? 0 : alpha * 255;
  }
  return picture;
}

/** The pixels of what may be a mask. */
function pixelsOf(mask: Mask | Tensor): Mask {
  if (mask instanceof Tensor) {
    const { data, shape } = checkTensor('maskToRgba', mask);
    const [height, width] = shape.slice(-2) as [number, number];
    if (shape.length === 2 || (shape.length === 3 && shape[0] === 1)) {
      checkImageSize('maskToRgba', width, height, 4);
      return { data: data as ArrayLike<number>, width, height };
    }
    const way = shape.length === 4 ? '; argmax(scores, { dim: 1 }) makes one of scores' : '';
    const expected = 'a mask [H, W] or [1, H, W]';
    throw new ShapeError(`maskToRgba: expected ${expected}, got ${formatShape(shape)}${way}`);
  }
  const { data, width, height } = mask ?? {};
  if (!ArrayBuffer.isView(data) && !Array.isArray(data)) {
    throw new ValueError(`maskToRgba: expected a mask { data, width, height } or a Tensor, got ${describe(mask)}`);
  }
  checkImageSize('maskToRgba', width, height, 4);
  if ((data as ArrayLike<number>).length !== width * height) {
    const got = (data as ArrayLike<number>).length;
    throw new ShapeError(`maskToRgba: expected ${width * height} classes for ${width} x ${height} pixels, got ${got}`);
  }
  return mask;
}
