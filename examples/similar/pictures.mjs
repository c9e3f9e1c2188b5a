/** Picture files: which there are, and their pixels as PyTorch's users have them. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { imageFromRgb } from 'layertap';
import sharp from 'sharp';

const NAMES = /\.(?:jpe?g|png|webp)$/i;

/** The formats that are decoded, whatever a file's name says: libvips would also draw an SVG. */
const FORMATS = ['jpeg', 'png', 'webp'];

/** The most bytes of a file. */
const MAX_BYTES = 64 * 2 ** 20;

/** The most pixels of a picture: a stranger's may claim gigabytes. */
const MAX_PIXELS = 8192 * 8192;

/**
 * The whole paths of the pictures below a folder, by name.
 *
 * @param {string} folder
 * @returns {Promise<string[]>}
 * @throws where there are none
 */
export async function picturesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && NAMES.test(entry.name));
  if (files.length === 0) throw new Error(`pictures: expected .jpg, .png or .webp files below ${folder}, got none`);
  return files.map((entry) => resolve(join(entry.parentPath ?? entry.path, entry.name))).sort();
}

/** A picture's bytes. @param {string} file */
export async function readPicture(file) {
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw new Error(`pictures: expected a file of at most ${MAX_BYTES} bytes, got ${size}`);
  return readFile(file);
}

/**
 * A picture's pixels, as PIL's `convert('RGB')` has them: colour profiles and orientation are ignored, alpha is
 * dropped.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<import('layertap').Image>}
 */
export async function decode(bytes) {
  const picture = sharp(bytes, { limitInputPixels: MAX_PIXELS, ignoreIcc: true });
  const { format } = await picture.metadata();
  if (!FORMATS.includes(format)) throw new Error(`pictures: expected a JPEG, PNG or WebP, got ${format}`);
  const { data, info } = await picture
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return imageFromRgb(data, info.width, info.height);
}
