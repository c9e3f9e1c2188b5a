/** Pictures of features, by properties that need no other library. */

import { describe, expect, it } from 'vitest';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import {
  type Color,
  channelGrid,
  channelsFirst,
  cubehelix,
  distinctPalette,
  gray,
  heatmap,
  hot,
  imageFrom,
  jet,
  maskToRgba,
  overlay,
  pcaToRgb,
  vocPalette,
} from '../../src/tools/index.ts';
import { generatedTensor } from '../support/generator.ts';

const pixel = ({ data, width }: { data: ArrayLike<number>; width: number }, x: number, y: number) =>
  Array.from({ length: 4 }, (_, c) => data[(y * width + x) * 4 + c]);

describe('pcaToRgb of channels that are constant but for rounding', () => {
  it.each([0.1, 1.5, -3e-20, 7e8])('of %f is middle grey, and explains nothing', (value) => {
    const ulp = Math.fround(value * (1 + 2 ** -23));
    for (const [channels, height, width] of [
      [1, 7, 1],
      [3, 5, 4],
      [40, 3, 2],
    ] as const) {
      const size = channels * height * width;
      const x = tensor(
        Float32Array.from({ length: size }, (_, i) => (i % 3 === 0 ? ulp : value)),
        [1, channels, height, width],
      );
      const { data, explained } = pcaToRgb(x);
      expect(explained).toEqual([0, 0, 0]);
      expect([...new Set(data)].sort()).toEqual([128, 255]);
    }
  });
});

describe('channelsFirst', () => {
  it('tells by the sides where the channels are, within a pixel', () => {
    const last = generatedTensor('last', [2, 7, 9, 96]);
    const first = channelsFirst(last, [2, 3, 224, 288]);
    expect(first.shape).toEqual([2, 96, 7, 9]);
    expect(first.data[(96 + 5) * 63 + 4 * 9 + 8]).toBe(last.data[(63 + 4 * 9 + 8) * 96 + 5]);
    expect(channelsFirst(generatedTensor('odd', [1, 7, 10, 96]), [1, 3, 217, 289]).shape).toEqual([1, 96, 7, 10]);
    for (const shape of [[1, 96, 7, 9], [1, 7, 7, 9], [1, 96, 1, 1], [1, 512, 7, 7], [1, 96], [7, 9, 96], []]) {
      const x = generatedTensor('first', shape);
      expect(channelsFirst(x, [1, 3, 224, 288])).toBe(x);
    }
    const square = generatedTensor('square', [1, 7, 7, 7]);
    expect(channelsFirst(square, [1, 3, 224, 224])).toBe(square);
  });
});

describe('heatmap', () => {
  it('goes from the first colour to the last, and tells the values of both', () => {
    const map = heatmap(tensor([-3, 1, 2, 5], [1, 2, 2]), { colormap: hot });
    expect([map.low, map.high]).toEqual([1, 5]);
    expect(pixel(map, 1, 0)).toEqual([0, 0, 0, 255]);
    expect(pixel(map, 1, 1)).toEqual([255, 255, 255, 255]);
  });

  it('draws [H, W] as it is, signs included', () => {
    const map = heatmap(tensor([-3, 1, 2, 5], [2, 2]), { colormap: gray });
    expect([map.low, map.high]).toEqual([-3, 5]);
    expect(pixel(map, 0, 0)).toEqual([0, 0, 0, 255]);
  });

  it('leaves pixels transparent that are not finite, and scales by the others', () => {
    const map = heatmap(tensor([Number.NaN, 1, Infinity, 3], [1, 1, 2, 2]));
    expect([map.low, map.high]).toEqual([1, 3]);
    expect([pixel(map, 0, 0)[3], pixel(map, 0, 1)[3], pixel(map, 1, 1)[3]]).toEqual([0, 0, 255]);
  });

  it('has no scale where nothing is finite', () => {
    const map = heatmap(tensor([Number.NaN], [1, 1, 1]), { percentile: 99 });
    expect([map.low, map.high, ...map.data]).toEqual([Number.NaN, Number.NaN, 0, 0, 0, 0]);
  });

  it('is of one colour where all is equal, in the size that was asked for', () => {
    const map = heatmap(tensor([7], [1, 1, 1, 1]), { width: 3, height: 2 });
    expect([map.width, map.height, map.low, map.high]).toEqual([3, 2, 7, 7]);
    expect([...map.data]).toEqual(Array.from({ length: 6 }, () => [0, 0, 0, 255]).flat());
  });

  it('keeps an outlier from darkening the rest by a percentile', () => {
    const values = Float32Array.from({ length: 200 }, (_, i) => (i === 7 ? 1e6 : i / 200));
    const feature = tensor(values, [1, 10, 20]);
    expect(pixel(heatmap(feature, { colormap: gray }), 19, 9)[0]).toBe(0);
    expect(pixel(heatmap(feature, { colormap: gray, percentile: 98 }), 19, 9)[0]).toBe(255);
  });
});

describe('overlay', () => {
  const image = { data: Uint8Array.from([100, 0, 200, 10, 20, 30]), width: 2, height: 1 };

  it('mixes both by alpha, less where the picture is transparent', () => {
    const picture = { data: Uint8ClampedArray.from([200, 100, 0, 255, 255, 255, 255, 0]), width: 2, height: 1 };
    expect([...overlay(image, picture).data]).toEqual([150, 50, 100, 255, 10, 20, 30, 255]);
    expect([...overlay(image, picture, { alpha: 1 }).data]).toEqual([200, 100, 0, 255, 10, 20, 30, 255]);
    expect([...overlay(image, picture, { alpha: 0 }).data]).toEqual([100, 0, 200, 255, 10, 20, 30, 255]);
  });
});

describe('colour maps', () => {
  it('begin and end where they say', () => {
    const ends = [cubehelix, gray, hot].map((map) => [map(0), map(1)].map((color) => color.map(Math.round)));
    for (const [first, last] of ends) {
      expect(first).toEqual([0, 0, 0]);
      expect(last).toEqual([255, 255, 255]);
    }
    expect([jet(0), jet(0.5), jet(1)].map((color) => color.map(Math.round))).toEqual([
      [0, 0, 128],
      [128, 255, 128],
      [128, 0, 0],
    ]);
  });

  it('stay within bytes, but for cubehelix, which is clamped', () => {
    for (let i = 0; i <= 255; i++) {
      for (const channel of [gray, hot, jet].flatMap((map) => map(i / 255))) {
        expect(channel).toBeGreaterThanOrEqual(0);
        expect(channel).toBeLessThanOrEqual(255);
      }
    }
  });

  it('cubehelix grows lighter all the way', () => {
    const lightness = Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = cubehelix(i / 255);
      return 0.3 * r + 0.59 * g + 0.11 * b;
    });
    for (let i = 1; i < 256; i++) expect(lightness[i]!).toBeGreaterThan(lightness[i - 1]!);
  });
});

describe('palettes', () => {
  it('VOC’s are those of its development kit', () => {
    const voc = vocPalette();
    expect(voc).toHaveLength(256);
    const known: readonly (readonly [number, Color])[] = [
      [0, [0, 0, 0]],
      [1, [128, 0, 0]],
      [8, [64, 0, 0]],
      [15, [192, 128, 128]],
      [20, [0, 64, 128]],
      [255, [224, 224, 192]],
    ];
    for (const [index, color] of known) expect(voc[index]).toEqual(color);
  });

  const distance = (a: Color, b: Color) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

  it.each([
    { classes: 19, least: 120 },
    { classes: 150, least: 42 },
    { classes: 341, least: 42 },
  ])('$classes colours are at least $least apart, from black and white too', ({ classes, least }) => {
    const all: Color[] = [...distinctPalette(classes), [0, 0, 0], [255, 255, 255]];
    expect(all).toHaveLength(classes + 2);
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i + 1)) expect(distance(a, b)).toBeGreaterThanOrEqual(least);
    }
  });

  it('a shorter one is the beginning of a longer one', () => {
    expect(distinctPalette(150).slice(0, 19)).toEqual(distinctPalette(19));
  });
});

describe('maskToRgba', () => {
  it('gives each pixel its class’s colour', () => {
    const { data, width, height } = maskToRgba(tensor([0, 1, 2, 15], [1, 2, 2]), vocPalette(21));
    expect([width, height]).toEqual([2, 2]);
    expect([...data]).toEqual([0, 0, 0, 255, 128, 0, 0, 255, 0, 128, 0, 255, 192, 128, 128, 255]);
  });

  it('makes all classes translucent, and one transparent', () => {
    const mask = { data: Uint8Array.from([0, 1]), width: 2, height: 1 };
    const { data } = maskToRgba(mask, vocPalette(2), { alpha: 0.6, transparent: 0 });
    expect([data[3], data[7]]).toEqual([0, 153]);
  });
});

describe('pcaToRgb', () => {
  it('is the same on a second run, and for the same feature with a batch axis', () => {
    const feature = generatedTensor('pca', [40, 9, 8]);
    const first = pcaToRgb(feature);
    expect(pcaToRgb(feature)).toEqual(first);
    expect(pcaToRgb(tensor(feature.data, [1, 40, 9, 8]))).toEqual(first);
  });

  it('does not depend on scale or offset of the channels alike', () => {
    const feature = generatedTensor('pca', [12, 5, 6]);
    const moved = tensor(
      feature.data.map((value) => value * 4 + 8),
      [12, 5, 6],
    );
    const [a, b] = [pcaToRgb(feature).data, pcaToRgb(moved).data];
    // 4x + 8 rounds to 2⁻²⁴ of 16: a byte may fall on the other side of a half.
    for (let i = 0; i < a.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(1);
  });

  it('is grey where components are missing: one pixel, one channel, equal pixels', () => {
    expect([...pcaToRgb(zeros([5, 1, 1])).data]).toEqual([128, 128, 128, 255]);
    expect([...pcaToRgb(tensor([3, 3, 4, 4], [2, 1, 2])).data]).toEqual([128, 128, 128, 255, 128, 128, 128, 255]);
    const one = pcaToRgb(tensor([0, 1, 2, 4], [1, 2, 2]));
    expect([...one.data.filter((_, i) => i % 4 === 0)]).toEqual([0, 64, 128, 255]);
    expect([...one.data.filter((_, i) => i % 4 === 1)]).toEqual([128, 128, 128, 128]);
    expect(one.explained).toEqual([1, 0, 0]);
  });

  it('has the size that was asked for', () => {
    const { width, height } = pcaToRgb(generatedTensor('pca', [4, 3, 3]), { width: 20, height: 10 });
    expect([width, height]).toEqual([20, 10]);
  });
});

describe('channelGrid', () => {
  it('puts channels in rows, each on its own scale, with a gap between', () => {
    const grid = channelGrid(tensor([0, 1, 10, 30, 5, 5], [3, 1, 2]), 3);
    expect([grid.width, grid.height, grid.columns, grid.rows]).toEqual([5, 3, 2, 2]);
    expect([0, 1, 2, 3, 4].map((x) => pixel(grid, x, 0))).toEqual([
      [0, 0, 0, 255],
      [255, 255, 255, 255],
      [0, 0, 0, 0],
      [0, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
    // The third is the same everywhere; a fourth there isn't.
    expect([0, 1, 3].map((x) => pixel(grid, x, 2)[3])).toEqual([255, 255, 0]);
  });

  it('has all channels where more are asked for', () => {
    const { columns, rows } = channelGrid(zeros([5, 1, 1]), 100);
    expect([columns, rows]).toEqual([3, 2]);
  });
});

describe('imageFrom', () => {
  const rgba = Uint8ClampedArray.from([1, 2, 3, 0, 4, 5, 6, 255]);
  const expected = { data: Uint8Array.from([1, 2, 3, 4, 5, 6]), width: 2, height: 1 };
  const canvas = { width: 2, height: 1, getContext: (): unknown => context };
  const context = { canvas, getImageData: () => ({ data: rgba }), drawImage: () => {} };

  it.each([
    ['ImageData', { data: rgba, width: 2, height: 1 }],
    ['an image', expected],
    ['a canvas', canvas],
    ['a context', context],
  ])('takes %s', (_, source) => expect(imageFrom(source)).toEqual(expected));

  it('does not share the bytes of an image', () => {
    expect(imageFrom(expected).data).not.toBe(expected.data);
  });

  it('draws a picture in its own size, not the page’s', () => {
    const sizes: unknown[] = [];
    const scope = globalThis as { OffscreenCanvas?: unknown };
    scope.OffscreenCanvas = function OffscreenCanvas(width: number, height: number) {
      sizes.push([width, height]);
      return canvas;
    };
    try {
      expect(imageFrom({ width: 300, height: 150, naturalWidth: 2, naturalHeight: 1 })).toEqual(expected);
    } finally {
      delete scope.OffscreenCanvas;
    }
    expect(sizes).toEqual([[2, 1]]);
  });
});
