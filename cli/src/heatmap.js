/**
 * Heat maps of features: the mean absolute activation over channels, from the smallest to the largest value, in the
 * colours of Green's cubehelix, whose lightness rises evenly from black to white.
 */

import sharp from 'sharp';

/** @typedef {import('layertap').Tensor<Float32Array>} Feature [N, C, H, W] */

/**
 * One heat map for each image of the batch, and the mean activations that are black and white in it. Both are NaN
 * where no value is finite.
 *
 * @param {Feature} feature
 * @param {{ width: number, height: number }} size of the PNG in pixels: the feature is interpolated linearly
 * @returns {Promise<{ png: Uint8Array, low: number, high: number }[]>}
 */
export async function heatmaps({ data, shape }, { width, height }) {
  const [images, channels, rows, columns] = /** @type {[number, number, number, number]} */ (
    [...shape, 1, 1].slice(0, 4)
  );
  const plane = rows * columns;
  const maps = [];
  for (let n = 0; n < images; n++) {
    const means = new Float64Array(plane);
    for (let c = 0; c < channels; c++) {
      const begin = (n * channels + c) * plane;
      for (let i = 0; i < plane; i++) means[i] += Math.abs(data[begin + i]) / channels;
    }
    const finite = means.filter(Number.isFinite);
    const low = finite.length === 0 ? Number.NaN : finite.reduce((a, b) => Math.min(a, b));
    const high = finite.length === 0 ? Number.NaN : finite.reduce((a, b) => Math.max(a, b));
    const grey = await sharp(normalized(means, low, high), { raw: { width: columns, height: rows, channels: 1 } })
      .resize(width, height, { fit: 'fill', kernel: 'linear' })
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    const rgb = new Uint8Array(grey.length * 3);
    for (let i = 0; i < grey.length; i++) rgb.set(COLORS[grey[i]], i * 3);
    const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    maps.push({ png, low, high });
  }
  return maps;
}

/**
 * The values as bytes: `low` as 0, `high` as 255; all 0 where these are equal.
 *
 * @param {Float64Array} values
 * @param {number} low
 * @param {number} high
 */
function normalized(values, low, high) {
  const range = high > low ? high - low : 1;
  return Uint8ClampedArray.from(values, (value) => ((value - low) / range) * 255);
}

/**
 * The colour at t from 0 to 1: a helix around the diagonal from black to white.
 *
 * @see D. A. Green, A colour scheme for the display of astronomical intensity images, arXiv:1108.5083
 * @param {number} t
 */
function cubehelix(t) {
  const angle = 2 * Math.PI * (0.5 / 3 + 1 - 1.5 * t);
  const amplitude = (t * (1 - t)) / 2;
  const [cos, sin] = [amplitude * Math.cos(angle), amplitude * Math.sin(angle)];
  const rgb = [t - 0.14861 * cos + 1.78277 * sin, t - 0.29227 * cos - 0.90649 * sin, t + 1.97294 * cos];
  return Uint8ClampedArray.from(rgb, (value) => value * 255);
}

const COLORS = Array.from({ length: 256 }, (_, i) => cubehelix(i / 255));
