/** Presets against torchvision's: which pixels a network gets. */

import { describe, expect, it } from 'vitest';
import { imageFromRgb } from '../../src/image/image.ts';
import {
  IMAGENET_MEAN,
  IMAGENET_STD,
  type ImageClassificationOptions,
  imageClassification,
  semanticSegmentation,
} from '../../src/image/presets.ts';
import { centerCrop, resize } from '../../src/image/resize.ts';
import { normalize, toTensor } from '../../src/image/to-tensor.ts';
import { thrown } from '../support/thrown.ts';
import { expectSame, goldens, synthetic } from './synthetic.ts';

const presets = { imageClassification, semanticSegmentation };

describe('presets', () => {
  it.each(
    goldens.presets.map((golden) => [`${golden.preset} ${golden.from} ${JSON.stringify(golden.options)}`, golden]),
  )("equal torchvision's bit for bit: %s", (_, golden) => {
    const x = presets[golden.preset](synthetic(golden.kind, ...golden.from), golden.options);
    expect(x.shape).toEqual(golden.shape);
    expectSame(x.data, golden);
  });
});

describe('imageClassification', () => {
  const SIDES = [1, 2, 3, 7, 16, 31, 64, 100, 257];
  const CROPS: readonly (readonly [resizeSize: number, cropSize: number])[] = [
    [8, 7],
    [9, 8],
    [13, 13],
    [40, 5],
    [31, 30],
    // Crops that are larger than the resized image on one side or both.
    [8, 20],
    [16, 33],
  ];

  it.each(['bilinear', 'bicubic'] as const)(
    'is the middle of all that is resampled, bit for bit: %s',
    (interpolation) => {
      for (const width of SIDES) {
        for (const height of SIDES) {
          const image = synthetic(width % 2 ? 'noise' : 'waves', width, height);
          for (const [resizeSize, cropSize] of CROPS) {
            const cropped = centerCrop(resize(image, resizeSize, interpolation), cropSize);
            const expected = normalize(toTensor(cropped), IMAGENET_MEAN, IMAGENET_STD);
            const actual = imageClassification(image, { resizeSize, cropSize, interpolation });
            expect(actual.shape).toEqual(expected.shape);
            const worst = actual.data.findIndex((value, i) => value !== expected.data[i]);
            expect(worst, `${width} x ${height}, ${resizeSize} to ${cropSize}`).toBe(-1);
          }
        }
      }
    },
  );

  it('computes only what the crop shows: a line that would be resized to 63 GB', () => {
    for (const [width, height] of [
      [9_000_000, 1],
      [1, 9_000_000],
    ] as const) {
      const line = imageFromRgb(new Uint8Array(9_000_000 * 3).fill(128), width, height);
      const x = imageClassification(line);
      expect(x.shape).toEqual([1, 3, 224, 224]);
      expect(x.data[0]).toBe(
        Math.fround(Math.fround(Math.fround(128 / 255) - Math.fround(0.485)) / Math.fround(0.229)),
      );
    }
  });

  it('refuses wrong options by name, before it computes anything', () => {
    const image = synthetic('noise', 4, 6);
    const refused = (options: object) =>
      thrown(() => imageClassification(image, options as ImageClassificationOptions));
    expect(refused({ cropSize: '224' })).toBe(
      'ValueError: imageClassification: expected cropSize as a whole number >= 1, got "224"',
    );
    expect(refused({ resizeSize: null })).toBe(
      'ValueError: imageClassification: expected resizeSize as a whole number >= 1, got null',
    );
    expect(refused({ resizeSize: [256] })).toBe(
      'ValueError: imageClassification: expected resizeSize as a whole number >= 1, got [256]',
    );
    expect(refused({ cropSize: 30_000 })).toBe(
      'ValueError: imageClassification: expected an image of at most 2147483647 bytes, got 2700000000 for ' +
        '30000 x 30000 pixels of 3',
    );
    expect(refused({ interpolation: 'nearest' })).toBe(
      'ValueError: imageClassification: expected an interpolation of bilinear, bicubic, got "nearest"',
    );
    expect(refused({ mean: 0.5 })).toBe(
      'ValueError: imageClassification: expected mean as an array of numbers, got 0.5',
    );
    expect(refused({ std: [1] })).toBe(
      'ShapeError: imageClassification: expected 3 means and stds for x [1, 3, 224, 224], got 3 means and 1 stds',
    );
    expect(refused({ std: [1, 0, 1] })).toBe(
      'ValueError: imageClassification: expected stds other than 0, got [1, 0, 1]',
    );
  });
});

describe('semanticSegmentation', () => {
  it('refuses wrong options by name, before it computes anything', () => {
    const image = synthetic('noise', 4, 6);
    const refused = (options: object) => thrown(() => semanticSegmentation(image, options));
    expect(refused({ resizeSize: 0 })).toBe(
      'ValueError: semanticSegmentation: expected resizeSize as a whole number >= 1, got 0',
    );
    expect(refused({ resizeSize: 30_000 })).toBe(
      'ValueError: semanticSegmentation: expected an image of at most 2147483647 bytes, got 4050000000 for ' +
        '30000 x 45000 pixels of 3',
    );
    expect(refused({ std: [0, 1, 1] })).toBe(
      'ValueError: semanticSegmentation: expected stds other than 0, got [0, 1, 1]',
    );
  });

  it('refuses a sliver whose other side no network’s memory holds, before it is resized', () => {
    for (const [width, height, size] of [
      [1999, 3, '346493 x 520'],
      [3, 1999, '520 x 346493'],
    ] as const) {
      expect(thrown(() => semanticSegmentation(synthetic('noise', width, height)))).toBe(
        'MemoryError: semanticSegmentation: expected at most 153391689 pixels, as a network takes them, got ' +
          `${size} of an image of ` +
          `${width} x ${height}; crop the image, or take a smaller resizeSize`,
      );
    }
  });
});
