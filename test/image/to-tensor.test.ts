/** Between images and tensors: layout, scale, rounding and normalising. */

import { describe, expect, it } from 'vitest';
import { imageFromRgb } from '../../src/image/image.ts';
import { IMAGENET_MEAN, IMAGENET_STD } from '../../src/image/presets.ts';
import { normalize, toImage, toTensor } from '../../src/image/to-tensor.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';
import { expectSame, goldens, synthetic } from './synthetic.ts';

const levels = imageFromRgb(
  Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
  16,
  16,
);

describe('toTensor', () => {
  it("equals torchvision's to_tensor bit for bit on all 256 levels", () => {
    expectSame(toTensor(levels).data, goldens.toTensor);
  });

  it('is planes of rows, in [1, 3, H, W]', () => {
    const x = toTensor(imageFromRgb(Uint8Array.of(0, 51, 102, 255, 204, 153), 2, 1));
    expect(x.shape).toEqual([1, 3, 1, 2]);
    expect([...x.data]).toEqual([0, 1, 0.2, 0.8, 0.4, 0.6].map(Math.fround));
  });

  it('refuses an image whose fields do not fit', () => {
    expect(thrown(() => toTensor({ data: new Uint8Array(5), width: 1, height: 2 }))).toBe(
      'ShapeError: toTensor: expected 6 bytes for 1 x 2 pixels of 3, got 5',
    );
  });
});

describe('toImage', () => {
  it('is the inverse of toTensor', () => {
    expect(toImage(toTensor(levels))).toEqual(levels);
    const image = synthetic('noise', 7, 5);
    expect(toImage(toTensor(image))).toEqual(image);
  });

  it("rounds and clamps as torchvision's save_image, bit for bit", () => {
    const ramp = Float32Array.from({ length: 6000 }, (_, i) => (i - 1000) / 4000);
    expectSame(toImage(new Tensor(ramp, [1, 3, 40, 50])).data, goldens.toImage);
  });

  it('takes NaN as 0 and infinities as the ends', () => {
    const x = tensor([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], [1, 3, 1, 1]);
    expect([...toImage(x).data]).toEqual([0, 255, 0]);
  });

  it('refuses other dtypes and shapes', () => {
    expect(thrown(() => toImage(new Tensor(new Uint8Array(3), [1, 3, 1, 1], 'uint8')))).toBe(
      'DtypeError: toImage: expected x in float32, got uint8; imageFromRgb(pixels, width, height) takes bytes',
    );
    expect(thrown(() => toImage(new Tensor(new Float64Array(3), [1, 3, 1, 1], 'float64')))).toBe(
      'DtypeError: toImage: expected x in float32, got float64; convert it with x.float()',
    );
    expect(thrown(() => toImage(levels as never))).toBe(
      'ValueError: toImage: expected x as a Tensor, got { data, width, height }; toTensor(image) makes one',
    );
    expect(thrown(() => toImage(tensor([1, 2, 3, 4, 5, 6], [1, 2, 1, 3])))).toBe(
      'ShapeError: toImage: expected x [1, 3, H, W], got [1, 2, 1, 3]; its last axis fits, but channels come ' +
        'before rows here',
    );
    expect(thrown(() => toImage(tensor([1, 2, 3, 4], [1, 4, 1, 1])))).toBe(
      'ShapeError: toImage: expected x [1, 3, H, W], got [1, 4, 1, 1]',
    );
    expect(thrown(() => toImage(tensor([], [1, 3, 0, 2])))).toBe(
      'ValueError: toImage: expected whole numbers >= 1 as width and height, got 2 x 0',
    );
  });
});

describe('normalize', () => {
  it("equals torchvision's normalize bit for bit on all 256 levels", () => {
    expectSame(normalize(toTensor(levels), IMAGENET_MEAN, IMAGENET_STD).data, goldens.normalize);
  });

  it('treats each image of a batch, and any number of channels, alike, and leaves its input', () => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 2]);
    expect([...normalize(x, [1, 3], [1, 2]).data]).toEqual([0, 1, 0, 0.5, 4, 5, 2, 2.5]);
    expect([...x.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(normalize(tensor([], [0, 0, 4]), [], []).shape).toEqual([0, 0, 4]);
  });

  it('refuses other dtypes, shapes and a std of 0', () => {
    expect(thrown(() => normalize(new Tensor(new Uint8Array(1), [1, 1, 1], 'uint8'), [0], [1]))).toBe(
      'DtypeError: normalize: expected x in float32, got uint8; toTensor(image) gives a picture from 0 to 1',
    );
    expect(thrown(() => normalize(undefined as never, [0], [1]))).toBe(
      'ValueError: normalize: expected x as a Tensor, got undefined',
    );
    expect(thrown(() => normalize(tensor([1], [1, 1]), [0], [1]))).toBe(
      'ShapeError: normalize: expected x [..., C, H, W], got [1, 1]',
    );
    expect(thrown(() => normalize(tensor([1, 2], [1, 2, 1, 1]), [0, 0, 0], [1]))).toBe(
      'ShapeError: normalize: expected 2 means and stds for x [1, 2, 1, 1], got 3 means and 1 stds',
    );
    expect(thrown(() => normalize(tensor([1, 2], [1, 2, 1, 1]), [0, 0], [1, 1e-60]))).toBe(
      'ValueError: normalize: expected stds other than 0, got [1, 1e-60]',
    );
  });

  it('refuses means and stds that are no arrays of numbers, and says where the last axis fits them', () => {
    const x = tensor([1, 2, 3, 4, 5, 6], [1, 2, 1, 3]);
    expect(thrown(() => normalize(x, 0.5 as never, [1, 1]))).toBe(
      'ValueError: normalize: expected mean as an array of numbers, got 0.5',
    );
    expect(thrown(() => normalize(x, [0, 0], ['1', '1'] as never))).toBe(
      'ValueError: normalize: expected std as an array of numbers, got ["1", "1"]',
    );
    expect(thrown(() => normalize(x, [0, 0, 0], [1, 1, 1]))).toBe(
      'ShapeError: normalize: expected 2 means and stds for x [1, 2, 1, 3], got 3 means and 3 stds; its last ' +
        'axis fits, but channels come before rows here',
    );
  });
});
