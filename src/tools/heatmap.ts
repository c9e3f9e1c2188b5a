/** Heat maps: where a feature is active, in colours, by itself and over the picture. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { checkImage, checkImageSize, type Image } from '../image/image.ts';
import { finite, withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Colormap, cubehelix, tableOf } from './colormaps.ts';
import { blank, checkRgba, interpolated, type Planes, planesOf, type Rgba, rangeOf, share } from './rgba.ts';

/** Options of {@link heatmap}. */
export interface HeatmapOptions {
  /** In pixels; the feature's own unless given. */
  readonly width?: number;
  /** In pixels; the feature's own unless given. */
  readonly height?: number;
  /**
   * How many per cent of the values are at most as large as the colour map's end; as many are at least as large as its
   * beginning. 100 unless given: from the smallest value to the largest. 99 keeps outliers from darkening the rest.
   */
  readonly percentile?: number;
  /** {@link cubehelix} unless given. */
  readonly colormap?: Colormap;
}

/** A heat map with its scale. */
export interface Heatmap extends Rgba {
  /** The value at the colour map's beginning, NaN where no value is finite. */
  readonly low: number;
  /** The value at the colour map's end, NaN where no value is finite. */
  readonly high: number;
}

/**
 * Where a feature is active: the mean absolute value over channels, of `[H, W]` the values as they are, interpolated
 * linearly and coloured from the smallest to the largest. Where all are equal, all have the colour map's first colour.
 * Pixels that aren't finite are transparent.
 *
 *     const { data, width, low, high } = heatmap(features.get('out'), { width: 224, height: 224 });
 *     context.putImageData(new ImageData(data, width), 0, 0);
 *
 * The feature of a preset's input shows what the preset shows, a crop for example, not the whole photo.
 *
 * @param feature `[1, C, H, W]`, `[C, H, W]` or `[H, W]`
 * @throws {@link ShapeError} for a batch, or where there are no pixels
 * @throws {@link ValueError} where it isn't a tensor, or for options out of range
 * @see numpy.percentile for what a percentile is between two values
 */
export function heatmap(feature: Tensor, options: HeatmapOptions = {}): Heatmap {
  const planes = planesOf('heatmap', feature);
  const { width, height, percentile, colormap } = withDefaults('heatmap', options, {
    width: planes.width,
    height: planes.height,
    percentile: 100,
    colormap: cubehelix,
  });
  checkImageSize('heatmap', width, height, 4);
  if (!(percentile > 50 && percentile <= 100)) {
    throw new ValueError(`heatmap: expected percentile above 50 and up to 100, got ${describe(percentile)}`);
  }
  const activity = activityOf(planes);
  const { low, high } = percentile === 100 ? rangeOf(activity) : percentiles(activity, percentile);
  const table = tableOf('heatmap', colormap);
  const picture = blank('heatmap', width, height);
  const values = interpolated(activity, planes, { width, height });
  paint(picture.data, values, (value) => share(value, low, high), table);
  return { ...picture, low, high };
}

/** Colours values; those that aren't finite stay transparent. */
function paint(
  data: Uint8ClampedArray,
  values: Float64Array,
  shareOf: (value: number) => number,
  table: Uint8ClampedArray,
): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) continue;
    const from = Math.round(shareOf(values[i]!) * 255) * 3;
    data[i * 4] = table[from]!;
    data[i * 4 + 1] = table[from + 1]!;
    data[i * 4 + 2] = table[from + 2]!;
    data[i * 4 + 3] = 255;
  }
}

/** The mean absolute value over channels; of `[H, W]` the values as they are. */
function activityOf({ data, channels, height, width, isMap }: Planes): Float64Array {
  const plane = height * width;
  if (isMap) return Float64Array.from(data);
  const means = new Float64Array(plane);
  for (let c = 0, at = 0; c < channels; c++) for (let i = 0; i < plane; i++) means[i]! += Math.abs(data[at++]!);
  for (let i = 0; i < plane; i++) means[i]! /= channels;
  return means;
}

/** The values at both ends of so many per cent of the finite ones. */
function percentiles(values: Float64Array, percentile: number): { low: number; high: number } {
  const sorted = values.filter((value) => Number.isFinite(value)).sort();
  const at = (part: number) => {
    const place = part * (sorted.length - 1);
    const below = Math.floor(place);
    const first = sorted[below]!;
    return below === place ? first : first + (sorted[below + 1]! - first) * (place - below);
  };
  if (sorted.length === 0) return { low: Number.NaN, high: Number.NaN };
  return { low: at(1 - percentile / 100), high: at(percentile / 100) };
}

/**
 * A picture over an image of its size, RGBA with alpha 255: `alpha` parts of the picture, less where it is transparent
 * itself.
 *
 * @param image of the size of `picture`: `heatmap` takes the sizes
 * @param picture e.g. of {@link heatmap} or `maskToRgba`
 * @param options `alpha` from 0 to 1; 0.5 unless given
 * @throws {@link ShapeError} where the sizes differ
 * @throws {@link ValueError} where one is no picture, or alpha is out of range
 */
export function overlay(image: Image, picture: Rgba, options: { readonly alpha?: number } = {}): Rgba {
  checkImage('overlay', image);
  checkRgba('overlay', picture);
  const { alpha } = withDefaults('overlay', options, { alpha: 0.5 });
  finite('overlay: alpha', alpha, 0);
  if (alpha > 1) throw new ValueError(`overlay: expected alpha from 0 to 1, got ${alpha}`);
  const { width, height } = image;
  if (picture.width !== width || picture.height !== height) {
    const got = `${picture.width} x ${picture.height}`;
    throw new ShapeError(
      `overlay: expected a picture of the image's ${width} x ${height} pixels, got ${got}; ` +
        'heatmap takes { width, height }',
    );
  }
  const out = blank('overlay', width, height);
  for (let from = 0, to = 0; to < out.data.length; from += 3, to += 4) {
    const part = (alpha * picture.data[to + 3]!) / 255;
    for (let c = 0; c < 3; c++) {
      out.data[to + c] = image.data[from + c]! + (picture.data[to + c]! - image.data[from + c]!) * part;
    }
    out.data[to + 3] = 255;
  }
  return out;
}
