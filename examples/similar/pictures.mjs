/** Picture files: which there are, and their pixels as PyTorch's users have them. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { decodePhoto } from 'layertap-cli/photo';
import { readFrom } from './files.mjs';

const NAMES = /\.(?:jpe?g|png|webp|gif)$/i;

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
  const entries = await readFrom('pictures: expected a readable folder', folder, () =>
    readdir(folder, { recursive: true, withFileTypes: true }),
  );
  // Links to files are followed; links to folders aren't, since they may lead in circles.
  const files = entries.filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && NAMES.test(entry.name));
  if (files.length === 0)
    throw new Error(`pictures: expected .jpg, .png, .webp or .gif files below ${folder}, got none`);
  return files.map((entry) => resolve(join(entry.parentPath ?? entry.path, entry.name))).sort();
}

/** A picture's bytes. @param {string} file */
export async function readPicture(file) {
  return readFrom('pictures: expected a readable file', file, async () => {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw new Error(`pictures: expected a file of at most ${MAX_BYTES} bytes, got ${size}`);
    return readFile(file);
  });
}

/**
 * A picture's pixels, decoded as the command line decodes: the very bytes of Pillow's `convert('RGB')`.
 *
 * @param {Uint8Array} bytes
 * @param {{ autoOrient: boolean }} options whether a photo is turned upright, as its EXIF orientation says
 * @returns {Promise<import('layertap').Image>}
 */
export function decode(bytes, { autoOrient }) {
  return decodePhoto('pictures', bytes, { autoOrient, maxPixels: MAX_PIXELS });
}
