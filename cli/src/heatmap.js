/** Heat maps of features as PNGs, over the picture too, and side by side. */

import { imageToRgba, Tensor } from 'layertap';
import { channelsFirst, heatmap, overlay, unstack } from 'layertap/tools';

/** @typedef {import('layertap').Tensor<Float32Array>} Feature [N, C, H, W], or [N, H, W, C] */

/** Pixels between the pictures of a sheet. */
const GAP = 4;

/**
 * One heat map for each image of the batch, and the mean activations that are black and white in it. Both are NaN
 * where no value is finite; such pixels are black.
 *
 * @param {Feature} feature
 * @param {{ width: number, height: number }} size of the PNG in pixels: the feature is interpolated linearly
 * @returns {Promise<{ png: Uint8Array, low: number, high: number, map: import('layertap/tools').Heatmap }[]>}
 */
export async function heatmaps(feature, { width, height }) {
  const { data, shape } = channelsFirst(feature, [1, 3, height, width]);
  const [images, channels, rows = 1, columns = 1] = shape;
  const planes = unstack(new Tensor(data, [images, channels, rows, columns]));
  return Promise.all(
    planes.map(async (plane) => {
      const map = heatmap(plane, { width, height });
      return { png: await opaquePng(map), low: map.low, high: map.high, map };
    }),
  );
}

/**
 * A heat map over the picture that it is of.
 *
 * @param {import('layertap').Image} image
 * @param {import('layertap/tools').Heatmap} map of the same size
 * @returns {Promise<Uint8Array>} a PNG
 */
export function overlayPng(image, map) {
  return opaquePng(overlay(image, map));
}

/**
 * The picture and its heat maps side by side, in rows as long as there are.
 *
 * @param {import('layertap').Image} image
 * @param {readonly import('layertap/tools').Heatmap[]} maps of the same size, in order of execution
 * @returns {Promise<Uint8Array>} a PNG
 */
export function contactSheet(image, maps) {
  const { width, height } = image;
  const pictures = [{ data: imageToRgba(image) }, ...maps];
  const columns = Math.ceil(Math.sqrt(pictures.length));
  const rows = Math.ceil(pictures.length / columns);
  const sheet = {
    width: columns * (width + GAP) - GAP,
    height: rows * (height + GAP) - GAP,
    data: new Uint8ClampedArray(0),
  };
  sheet.data = new Uint8ClampedArray(sheet.width * sheet.height * 4).fill(255);
  for (const [i, { data }] of pictures.entries()) {
    const left = (i % columns) * (width + GAP);
    const top = Math.floor(i / columns) * (height + GAP);
    for (let y = 0; y < height; y++) {
      sheet.data.set(data.subarray(y * width * 4, (y + 1) * width * 4), ((top + y) * sheet.width + left) * 4);
    }
  }
  return opaquePng(sheet);
}

/** @param {{ data: Uint8ClampedArray, width: number, height: number }} picture of RGBA */
async function opaquePng({ data, width, height }) {
  // Loaded with the first picture, as decoder.js is, which would keep whoever calls this from decoding other kinds.
  const { default: sharp } = await import('sharp');
  return sharp(data, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .png()
    .toBuffer();
}
