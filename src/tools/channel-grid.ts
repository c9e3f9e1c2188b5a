/** Single channels of a feature, side by side. */

import { whole, withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Colormap, gray, tableOf } from './colormaps.ts';
import { blank, planesOf, type Rgba, rangeOf, share } from './rgba.ts';

/** Channels side by side. */
export interface ChannelGrid extends Rgba {
  /** How many channels stand in a row. */
  readonly columns: number;
  /** How many rows there are. */
  readonly rows: number;
}

/**
 * The first n channels in a grid that is as square as can be, each from its smallest value to its largest, with a
 * transparent pixel between two. Values that aren't finite are transparent, too.
 *
 * @param feature `[1, C, H, W]`, `[C, H, W]` or `[H, W]`
 * @param n how many; all where there are fewer
 * @param options `colormap` is {@link gray} unless given
 * @throws {@link ShapeError} for a batch, or where there are no pixels
 * @throws {@link ValueError} where one isn't what it should be
 */
export function channelGrid(feature: Tensor, n: number, options: { readonly colormap?: Colormap } = {}): ChannelGrid {
  const { data, channels, height, width } = planesOf('channelGrid', feature);
  const { colormap } = withDefaults('channelGrid', options, { colormap: gray });
  const count = Math.min(whole('channelGrid: n', n), channels);
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const table = tableOf('channelGrid', colormap);
  const picture = blank('channelGrid', columns * (width + 1) - 1, rows * (height + 1) - 1);
  for (let c = 0; c < count; c++) {
    const plane = data.subarray(c * height * width, (c + 1) * height * width);
    const { low, high } = rangeOf(plane);
    const [left, top] = [(c % columns) * (width + 1), Math.floor(c / columns) * (height + 1)];
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        if (!Number.isFinite(plane[i]!)) continue;
        const from = Math.round(share(plane[i]!, low, high) * 255) * 3;
        const to = ((top + y) * picture.width + left + x) * 4;
        picture.data.set(table.subarray(from, from + 3), to);
        picture.data[to + 3] = 255;
      }
    }
  }
  return { ...picture, columns, rows };
}
