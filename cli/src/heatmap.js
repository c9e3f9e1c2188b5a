/**
 * Heat maps of features: the mean absolute activation over channels, from the smallest to the largest value, in the colours of
 * Green's cubehelix, whose lightness rises evenly from black to white.
 */

import sharp from 'sharp';

/** @typedef {import('layertap').Tensor<Float32Array>} Feature [N, C, H, W] */

/**
 * One PNG for each image of the batch.
 *
 * @param {Feature} feature
 * @param {{ width: number, height: number }} size of the PNG in pixels: the feature is interpolated linearly
 * @returns {Promise<Uint8Array[]>}
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
    const grey = await sharp(normalized(means), { raw: { width: columns, height: rows, channels: 1 } })
      .resize(width, height, { fit: 'fill', kernel: 'linear' })
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    const rgb = new Uint8Array(grey.length * 3);
    for (let i = 0; i < grey.length; i++) rgb.set(COLORS[grey[i]], i * 3);
    maps.push(
      await sharp(rgb, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer(),
    );
  }
  return maps;
}

/**
 * The values as bytes: the smallest finite one as 0, the largest as 255; all 0 where they are equal.
 *
 * @param {Float64Array} values
 */
function normalized(values) {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = finite.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
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
