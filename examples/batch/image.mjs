/** Image files: their bytes, and their pixels as PyTorch's users have them. */

import { open } from 'node:fs/promises';
import { resize } from 'layertap';
import { decodePhoto } from 'layertap-cli/photo';

/** The most bytes of a file. */
const MAX_BYTES = 64 * 2 ** 20;

/** A stranger's image may claim gigabytes. With `autoOrient: true`, photos are turned upright, as their EXIF says. */
const PHOTO = { autoOrient: false, maxPixels: 4096 * 4096 };

/** Images are scaled down to fit into this square. */
const SIDE = 512;

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
 * An image's pixels, decoded as the command line decodes: the very bytes of Pillow's `convert('RGB')`.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<import('layertap').Image>} scaled down to fit into 512 × 512, as Pillow scales
 */
export async function decodeImage(bytes) {
  const image = await decodePhoto('image', bytes, PHOTO);
  const scale = SIDE / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const [height, width] = [image.height, image.width].map((side) => Math.max(1, Math.round(side * scale)));
  return resize(image, { height, width });
}
