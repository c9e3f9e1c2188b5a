/** Image files: their bytes, and their pixels as PyTorch's users have them. */

import { open } from 'node:fs/promises';
import { imageFromRgb } from 'layertap';
import sharp from 'sharp';

/** The most bytes of a file. */
const MAX_BYTES = 64 * 2 ** 20;

/** The most pixels of an image, of any size in the file: a stranger's may claim gigabytes. */
const MAX_PIXELS = 4096 * 4096;

/** Images are scaled down to fit into this square. */
const SIDE = 512;

/** The formats that are decoded, whatever a file's name says: libvips would also draw an SVG. */
const FORMATS = ['jpeg', 'png'];

/**
 * A file's bytes.
 *
 * @param {string} file
 * @returns {Promise<Buffer>}
 */
export async function readImage(file) {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) throw new Error(`expected a file of at most ${MAX_BYTES} bytes, got ${size}`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/**
 * An image's pixels, as PIL's `convert('RGB')` has them: colour profiles and orientation are ignored, alpha is dropped.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<import('layertap').Image>} scaled down to fit into 512 × 512
 */
export async function decodeImage(bytes) {
  const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, ignoreIcc: true });
  const { format } = await image.metadata();
  if (!FORMATS.includes(format)) throw new Error(`expected a JPEG or a PNG, got ${format}`);
  const { data, info } = await image
    .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return imageFromRgb(data, info.width, info.height);
}
