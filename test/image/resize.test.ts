/** Resizing and cropping against Pillow's and torchvision's, bit for bit. */

import { describe, expect, it } from 'vitest';
import { type Image, imageFromRgb } from '../../src/image/image.ts';
import { centerCrop, type ImageSize, resize } from '../../src/image/resize.ts';
import { thrown } from '../support/thrown.ts';
import { expectSame, goldens, synthetic } from './synthetic.ts';

/** The goldens' `[width, height]`, or the one number. */
function sizeOf(to: number | [width: number, height: number]): number | ImageSize {
  return typeof to === 'number' ? to : { width: to[0], height: to[1] };
}

function expectImage(image: Image, golden: (typeof goldens.centerCrop)[number]): void {
  expect([image.width, image.height]).toEqual(golden.size);
  expectSame(image.data, golden);
}

describe('resize', () => {
  it.each(
    goldens.resize.map((golden) => [`${golden.interpolation} ${golden.kind} ${golden.from} to ${golden.to}`, golden]),
  )("equals Pillow's bit for bit: %s", (_, golden) => {
    const image = synthetic(golden.kind, ...golden.from);
    expectImage(resize(image, sizeOf(golden.to), golden.interpolation), golden);
  });

  it('returns the image itself where its size is right already', () => {
    const image = synthetic('noise', 6, 4);
    expect(resize(image, 4)).toBe(image);
    expect(resize(image, { width: 6, height: 4 }, 'bicubic')).toBe(image);
  });

  it('leaves its input', () => {
    const image = synthetic('noise', 6, 4);
    resize(image, 3);
    expect(image).toEqual(synthetic('noise', 6, 4));
  });

  it('keeps a constant image constant', () => {
    for (const level of [0, 1, 127, 254, 255]) {
      const image = imageFromRgb(new Uint8Array(13 * 7 * 3).fill(level), 13, 7);
      for (const interpolation of ['bilinear', 'bicubic'] as const) {
        for (const size of [
          { width: 5, height: 3 },
          { width: 29, height: 17 },
        ]) {
          expect(resize(image, size, interpolation).data.every((value) => value === level)).toBe(true);
        }
      }
    }
  });

  it('refuses sizes that are not whole numbers of at least 1', () => {
    const image = synthetic('noise', 4, 6);
    const sizes = 'ValueError: resize: expected whole numbers >= 1 as width and height, got';
    expect(thrown(() => resize(image, 0))).toBe(`${sizes} 0 x 0`);
    expect(thrown(() => resize(image, 2.5))).toBe(`${sizes} 2.5 x 3`);
    expect(thrown(() => resize(image, { width: 3, height: -1 }))).toBe(`${sizes} 3 x -1`);
    expect(thrown(() => resize(image, Number.POSITIVE_INFINITY))).toBe(`${sizes} Infinity x Infinity`);
  });

  it('refuses a result that is too large, and one that is too large between the passes', () => {
    const most = 'ValueError: resize: expected an image of at most 2147483647 bytes, got';
    expect(thrown(() => resize(synthetic('noise', 1, 100), 30000))).toBe(
      `${most} 270000000000 for 30000 x 3000000 pixels of 3`,
    );
    expect(thrown(() => resize(synthetic('noise', 1, 10000), { width: 1000000, height: 1 }))).toBe(
      `${most} 30000000000 for 1000000 x 10000 pixels of 3`,
    );
  });

  it('refuses an unknown interpolation', () => {
    expect(thrown(() => resize(synthetic('noise', 2, 2), 1, 'toString' as never))).toBe(
      'ValueError: resize: expected an interpolation of bilinear, bicubic, got "toString"',
    );
    expect(thrown(() => resize(synthetic('noise', 2, 2), 1, 2 as never))).toBe(
      'ValueError: resize: expected an interpolation of bilinear, bicubic, got 2',
    );
  });

  it('refuses sizes that are neither a number nor a height and a width', () => {
    const image = synthetic('noise', 4, 6);
    const size = 'ValueError: resize: expected size as a number or { height, width }, got';
    expect(thrown(() => resize(image, [3, 2] as never))).toBe(`${size} [3, 2]`);
    expect(thrown(() => resize(image, '3' as never))).toBe(`${size} "3"`);
    expect(thrown(() => resize(image, null as never))).toBe(`${size} null`);
    expect(thrown(() => centerCrop(image, undefined as never))).toBe(
      'ValueError: centerCrop: expected size as a number or { height, width }, got undefined',
    );
    expect(thrown(() => resize(image, { height: 3 } as never))).toBe(
      'ValueError: resize: expected whole numbers >= 1 as width and height, got undefined x 3',
    );
  });

  it('refuses an image whose fields do not fit', () => {
    expect(thrown(() => resize({ data: new Uint8Array(5), width: 1, height: 2 }, 4))).toBe(
      'ShapeError: resize: expected 6 bytes for 1 x 2 pixels of 3, got 5',
    );
  });
});

describe('centerCrop', () => {
  it.each(goldens.centerCrop.map((golden) => [`${golden.kind} ${golden.from} to ${golden.to}`, golden]))(
    "equals torchvision's bit for bit: %s",
    (_, golden) => expectImage(centerCrop(synthetic(golden.kind, ...golden.from), sizeOf(golden.to)), golden),
  );

  it('refuses sizes that are not whole numbers of at least 1, and those too large', () => {
    const image = synthetic('noise', 4, 6);
    expect(thrown(() => centerCrop(image, 0))).toBe(
      'ValueError: centerCrop: expected whole numbers >= 1 as width and height, got 0 x 0',
    );
    expect(thrown(() => centerCrop(image, 100000))).toBe(
      'ValueError: centerCrop: expected an image of at most 2147483647 bytes, got 30000000000 for 100000 x ' +
        '100000 pixels of 3',
    );
  });

  it('refuses an image whose fields do not fit', () => {
    expect(thrown(() => centerCrop({ data: new Uint8Array(5), width: 1, height: 2 }, 1))).toBe(
      'ShapeError: centerCrop: expected 6 bytes for 1 x 2 pixels of 3, got 5',
    );
  });
});
