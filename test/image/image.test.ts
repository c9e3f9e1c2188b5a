/** Images from and to interleaved pixels, and what is no image. */

import { describe, expect, it } from 'vitest';
import { allocate, imageFromRgb, imageFromRgba, imageToRgba } from '../../src/image/image.ts';
import { imageClassification, semanticSegmentation } from '../../src/image/presets.ts';
import { centerCrop, resize } from '../../src/image/resize.ts';
import { toTensor } from '../../src/image/to-tensor.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';
import { synthetic } from './synthetic.ts';

describe('imageFromRgba', () => {
  it('drops alpha without blending', () => {
    const pixels = Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 0, 7, 8, 9, 128);
    expect(imageFromRgba(pixels, 1, 3)).toEqual({
      data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      width: 1,
      height: 3,
    });
  });

  it('copies', () => {
    const pixels = new Uint8Array(4);
    const image = imageFromRgba(pixels, 1, 1);
    pixels.fill(9);
    expect([...image.data]).toEqual([0, 0, 0]);
  });

  it('refuses another number of bytes', () => {
    expect(thrown(() => imageFromRgba(new Uint8Array(23), 3, 2))).toBe(
      'ShapeError: imageFromRgba: expected 24 bytes for 3 x 2 pixels of 4, got 23',
    );
  });

  it('refuses sizes that are zero, negative, fractions or not numbers', () => {
    const sizes = 'ValueError: imageFromRgba: expected whole numbers >= 1 as width and height, got';
    expect(thrown(() => imageFromRgba(new Uint8Array(0), 0, 2))).toBe(`${sizes} 0 x 2`);
    expect(thrown(() => imageFromRgba(new Uint8Array(8), -1, -2))).toBe(`${sizes} -1 x -2`);
    expect(thrown(() => imageFromRgba(new Uint8Array(8), 1, 2.5))).toBe(`${sizes} 1 x 2.5`);
    expect(thrown(() => imageFromRgba(new Uint8Array(8), Number.NaN, 2))).toBe(`${sizes} NaN x 2`);
    expect(thrown(() => imageFromRgba(new Uint8Array(8), '2' as never, 1))).toBe(`${sizes} "2" x 1`);
    expect(thrown(() => imageFromRgba(new Uint8Array(8), Symbol('wide') as never, 1))).toBe(
      `${sizes} Symbol(wide) x 1`,
    );
  });

  it('refuses sizes whose product is too large, without allocating', () => {
    expect(thrown(() => imageFromRgba(new Uint8Array(4), 100000, 100000))).toBe(
      'ValueError: imageFromRgba: expected an image of at most 2147483647 bytes, got 40000000000 for 100000 ' +
        'x 100000 pixels of 4',
    );
  });

  it('refuses what is not bytes', () => {
    const bytes = 'DtypeError: imageFromRgba: expected a Uint8Array or a Uint8ClampedArray, got';
    const refused = (pixels: unknown) => thrown(() => imageFromRgba(pixels as never, 1, 1));
    expect(refused(new Float32Array(4))).toBe(`${bytes} a Float32Array of 4`);
    expect(refused([1, 2, 3, 4])).toBe(`${bytes} [1, 2, 3, 4]`);
    expect(refused(undefined)).toBe(`${bytes} undefined`);
    expect(refused(new ArrayBuffer(4))).toBe(`${bytes} an ArrayBuffer`);
    expect(refused({ [Symbol.toStringTag]: 'Uint8Array', length: 4 })).toBe(`${bytes} { length }`);
    expect(refused(Promise.resolve())).toBe(`${bytes} a Promise that was not awaited`);
  });

  it('says where the bytes were given away, and which function takes as many bytes as there are', () => {
    const given = new Uint8Array(4);
    structuredClone(given, { transfer: [given.buffer] });
    expect(thrown(() => imageFromRgba(given, 1, 1))).toBe(
      'ShapeError: imageFromRgba: expected 4 bytes for 1 x 1 pixels of 4, got a detached Uint8Array',
    );
    expect(thrown(() => imageFromRgba(new Uint8Array(3), 1, 1))).toBe(
      'ShapeError: imageFromRgba: expected 4 bytes for 1 x 1 pixels of 4, got 3; imageFromRgb takes pixels of 3',
    );
  });
});

describe('imageFromRgb', () => {
  it('shares the memory of its pixels, from their offset on', () => {
    const pixels = Uint8ClampedArray.of(0, 0, 1, 2, 3).subarray(2);
    const image = imageFromRgb(pixels, 1, 1);
    expect(image).toEqual({ data: Uint8Array.of(1, 2, 3), width: 1, height: 1 });
    expect(image.data.buffer).toBe(pixels.buffer);
  });

  it('refuses another number of bytes', () => {
    expect(thrown(() => imageFromRgb(new Uint8Array(24), 3, 2))).toBe(
      'ShapeError: imageFromRgb: expected 18 bytes for 3 x 2 pixels of 3, got 24; imageFromRgba takes pixels of 4',
    );
    expect(thrown(() => imageFromRgb(new Uint8Array(17), 3, 2))).toBe(
      'ShapeError: imageFromRgb: expected 18 bytes for 3 x 2 pixels of 3, got 17',
    );
  });
});

describe('imageToRgba', () => {
  it('is the inverse of imageFromRgba with alpha 255', () => {
    const image = synthetic('noise', 5, 3);
    const pixels = imageToRgba(image);
    expect(pixels.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 255)).toBe(true);
    expect(imageFromRgba(pixels, 5, 3)).toEqual(image);
  });

  it('refuses an image whose fields do not fit', () => {
    expect(thrown(() => imageToRgba({ data: new Uint8Array(5), width: 1, height: 2 }))).toBe(
      'ShapeError: imageToRgba: expected 6 bytes for 1 x 2 pixels of 3, got 5',
    );
  });
});

describe('whatever takes an image', () => {
  const functions = {
    imageToRgba,
    toTensor,
    resize: (image: never) => resize(image, 1),
    centerCrop: (image: never) => centerCrop(image, 1),
    imageClassification,
    semanticSegmentation,
  };

  it.each(Object.entries(functions))('%s refuses what is none, by its own name', (name, run) => {
    const refused = (image: unknown) => thrown(() => run(image as never));
    const expected = `ValueError: ${name}: expected an image { data, width, height }, got`;
    expect(refused(undefined)).toBe(`${expected} undefined`);
    expect(refused('photo.jpg')).toBe(`${expected} "photo.jpg"`);
    expect(refused({ data: new Uint8Array(3), info: { width: 1, height: 1 } })).toBe(`${expected} { data, info }`);
    expect(refused(tensor([1, 2, 3], [1, 3, 1, 1]))).toBe(`${expected} a Tensor (float32, [1, 3, 1, 1])`);
    expect(refused(new Uint8Array(4))).toBe(
      `${expected} a Uint8Array of 4; imageFromRgba(pixels, width, height) makes one of bytes`,
    );
    const file = "these are a picture's file, which has to be decoded first";
    expect(refused(Uint8Array.of(0xff, 0xd8, 0xff))).toBe(`${expected} a Uint8Array of 3; ${file}`);
    expect(refused({ data: Uint8Array.of(0x89, 0x50), width: 1, height: 1 })).toBe(
      `ShapeError: ${name}: expected 3 bytes for 1 x 1 pixels of 3, got 2; ${file}`,
    );
    expect(refused({ data: new Uint8ClampedArray(4), width: 1, height: 1 })).toBe(
      `ShapeError: ${name}: expected 3 bytes for 1 x 1 pixels of 3, got 4; imageFromRgba takes pixels of 4`,
    );
  });
});

it('memory that the host has not is a MemoryError', () => {
  expect(thrown(() => allocate('resize', Float64Array, 2 ** 50))).toBe(
    `MemoryError: resize: expected memory for a Float64Array of ${2 ** 50}, got none`,
  );
});
