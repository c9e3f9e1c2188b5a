/**
 * Segmentation masks: the class of the highest score at each pixel, as PNGs with a palette, so that readers get the
 * class numbers (Pillow, mode P) or Pascal VOC's colours, as they ask.
 */

import { crc32, deflateSync } from 'node:zlib';
import { argmax as argmaxOf, vocPalette } from 'layertap/tools';

/** The most classes that a palette can name. */
export const MAX_CLASSES = 256;

/**
 * A mask: one byte for each pixel, in rows from the top.
 *
 * @typedef {{ readonly data: Uint8Array, readonly width: number, readonly height: number }} Mask
 */

/**
 * The class with the highest score at each pixel; of equal ones, the first. NaN is the highest score of all, as in
 * torch.argmax.
 *
 * @param {import('layertap').Tensor<Float32Array>} scores [1, C, H, W] with C up to 256
 * @returns {Mask}
 */
export function argmax(scores) {
  const [, , height, width] = /** @type {[number, number, number, number]} */ (/** @type {unknown} */ (scores.shape));
  return { data: Uint8Array.from(argmaxOf(scores, { dim: 1 }).data), width, height };
}

/**
 * The mask of a network of one class: 1 where its score is above 0, which is a probability above one half; else 0.
 *
 * @param {import('layertap').Tensor<Float32Array>} scores [1, 1, H, W]
 * @returns {Mask}
 */
export function threshold({ data: scores, shape }) {
  const [, , height, width] = /** @type {[number, number, number, number]} */ (/** @type {unknown} */ (shape));
  return { data: Uint8Array.from(scores, (score) => (score > 0 ? 1 : 0)), width, height };
}

/**
 * The mask in another size: each pixel from the nearest one.
 *
 * @param {Mask} mask
 * @param {{ width: number, height: number }} size
 * @returns {Mask}
 */
export function resizeMask(mask, { width, height }) {
  const data = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++, to++) data[to] = mask.data[row + Math.floor(((x + 0.5) * mask.width) / width)];
  }
  return { data, width, height };
}

/**
 * How many pixels each class has, for those that have any.
 *
 * @param {Mask} mask
 * @returns {{ class: number, pixels: number }[]}
 */
export function countClasses({ data }) {
  const counts = new Array(MAX_CLASSES).fill(0);
  for (const index of data) counts[index]++;
  return counts.map((pixels, index) => ({ class: index, pixels })).filter(({ pixels }) => pixels > 0);
}

/**
 * The mask as a PNG of eight bits per pixel with Pascal VOC's palette. Written here since image libraries
 * choose a palette of their own, and so renumber the classes.
 *
 * @param {Mask} mask
 * @returns {Uint8Array}
 */
export function encodeMask({ data, width, height }) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  // Bits, colour type (palette); compression, filter and interlacing stay 0.
  header.setUint8(8, 8);
  header.setUint8(9, 3);
  // Each row begins with its filter, 0 for none.
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', new Uint8Array(header.buffer)),
    chunk('PLTE', Uint8Array.from(vocPalette(MAX_CLASSES).flat())),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/**
 * @param {string} type
 * @param {Uint8Array} data
 */
function chunk(type, data) {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8);
  return bytes;
}
