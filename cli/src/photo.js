/**
 * Decodes photos to the very bytes of Pillow's `Image.open(path).convert('RGB')`: no colour profile, no EXIF
 * orientation, alpha dropped, the first picture of several. What would come out otherwise is refused.
 */

import { closeSync, openSync } from 'node:fs';
import { imageFromRgb } from 'layertap';
import { CommandError, reasonOf } from './failures.js';
import { STANDARD } from './pictures.js';
import { readAll } from './read-all.js';

/** @typedef {import('layertap').Image} Image */

/** The most bytes of a photo's file. */
const MAX_FILE_BYTES = 2 ** 30;

/**
 * The most pixels of a photo, known before any is decoded: those that Pillow takes for a decompression bomb are more.
 */
const MAX_PIXELS = 178_956_970;

/** Pixels that a photo of any size in bytes may have. */
const FREE_PIXELS = 4096 * 4096;

/**
 * The most pixels for each byte of a photo with more. A PNG of one bit a pixel holds up to 8,256, a JPEG or a GIF
 * fewer. Without this bound, a header in a file of 400 bytes could cost seconds and gigabytes.
 */
const PIXELS_PER_BYTE = 10_000;

/**
 * How a photo is decoded.
 *
 * @typedef {object} PhotoOptions
 * @property {boolean} [autoOrient] whether it is turned upright, as its EXIF orientation says
 * @property {number} [maxPixels] the most pixels that are decoded; what Pillow decodes unless given
 */

/**
 * The photo in a file, or in what comes in by stdin.
 *
 * @param {string} option what named it, e.g. `--image`; '' where the path says it all
 * @param {string} path `-` for stdin
 * @param {PhotoOptions} [options]
 * @returns {Promise<Image>}
 * @throws {CommandError} where it can't be read, or decoded as Pillow decodes it
 */
export async function readPhoto(option, path, options = {}) {
  const label = `${option} ${path}`.trimStart();
  const bytes = attempt(`${label}: expected a readable file`, () => {
    const fd = path === STANDARD ? 0 : openSync(path, 'r');
    try {
      return readAll(fd, MAX_FILE_BYTES);
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  });
  return decodePhoto(label, bytes, options);
}

/**
 * The photo that a file's bytes are.
 *
 * @param {string} label what names the file in messages
 * @param {Uint8Array} bytes
 * @param {PhotoOptions} [options]
 * @returns {Promise<Image>}
 * @throws {CommandError} where they can't be decoded as Pillow decodes them
 */
export async function decodePhoto(label, bytes, { autoOrient = false, maxPixels = MAX_PIXELS } = {}) {
  const { sharp } = await import('./decoder.js');
  let metadata;
  try {
    metadata = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch {
    throw new CommandError(`${label}: expected a JPEG, PNG, WebP or GIF, got ${kindOf(bytes)}`);
  }
  const { width, height } = metadata;
  if (width * height > maxPixels) {
    throw new CommandError(`${label}: expected a photo of at most ${maxPixels} pixels, got ${width}x${height}`);
  }
  if (width * height > Math.max(FREE_PIXELS, PIXELS_PER_BYTE * bytes.length)) {
    const most = `${PIXELS_PER_BYTE} pixels for each of its ${bytes.length} bytes`;
    throw new CommandError(`${label}: expected a photo of at most ${most}, got ${width}x${height}`);
  }
  // A PNG begins with its header, whose 17th and 18th byte of 25 are bits and colour type: 0 for grey alone.
  if (metadata.format === 'png' && bytes[24] === 16 && bytes[25] === 0) {
    const wayOut = 'save it with 8, since Pillow makes all above 255 white';
    throw new CommandError(`${label}: expected a grey PNG of at most 8 bits a pixel, got 16; ${wayOut}`);
  }
  const photo = sharp(bytes, { failOn: 'error', ignoreIcc: true, limitInputPixels: maxPixels, autoOrient });
  try {
    if (metadata.format === 'gif' && metadata.hasAlpha && !(await photo.stats()).isOpaque) {
      throw new CommandError(`${label}: expected a GIF without transparent pixels, got one with some`);
    }
    const data = await (metadata.space === 'cmyk' ? decodeCmyk(photo) : decodeRgb(photo));
    // Orientations from 5 on lie on their side.
    const isTurned = autoOrient && (metadata.orientation ?? 1) >= 5;
    return isTurned ? imageFromRgb(data, height, width) : imageFromRgb(data, width, height);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    // libvips keeps one text for all that decode at once: what it says may be of another file, or nothing.
    const kind = NAMES[/** @type {keyof typeof NAMES} */ (metadata.format)];
    throw new CommandError(`${label}: expected a whole ${kind}, got one that is cut off or damaged`);
  }
}

/** What messages call the formats. */
const NAMES = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', gif: 'GIF' };

/** What a file is that can't be decoded, by its first bytes, so that its owner knows what to convert. */
const KINDS = /** @type {const} */ ([
  [/^%PDF/, 'a PDF'],
  [/^....ftyp(?:hei|hev|mif1|msf1)/s, 'a HEIC'],
  [/^....ftypavi/s, 'an AVIF'],
  [/^(?:II\*\0|MM\0\*)/, 'a TIFF or a raw photo'],
  [/^BM/, 'a BMP'],
  [/^\s*<(?:\?xml|svg)/, 'an SVG'],
  [/^\s*<(?:!doctype html|html)/i, 'an HTML page'],
]);

/** @param {Uint8Array} bytes */
function kindOf(bytes) {
  if (bytes.length === 0) return 'an empty file';
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  return KINDS.find(([pattern]) => pattern.test(head))?.[1] ?? 'something else';
}

/** @param {import('sharp').Sharp} photo */
function decodeRgb(photo) {
  return photo.removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
}

/**
 * The pixels of a CMYK or YCCK JPEG, by Pillow's formula: each ink darkens what black leaves. libvips would convert
 * by a colour profile.
 *
 * @see https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Convert.c (cmyk2rgb)
 * @param {import('sharp').Sharp} photo
 */
async function decodeCmyk(photo) {
  const inks = await photo.pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' }).toBuffer();
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4, to += 3) {
    const light = 255 - inks[from + 3];
    for (let c = 0; c < 3; c++) {
      // light * ink / 255, rounded.
      const product = light * inks[from + c] + 128;
      rgb[to + c] = light - ((product + (product >> 8)) >> 8);
    }
  }
  return rgb;
}

/**
 * @template T
 * @param {string} expected
 * @param {() => T} read
 * @returns {T}
 */
function attempt(expected, read) {
  try {
    return read();
  } catch (error) {
    throw new CommandError(`${expected}, got "${reasonOf(error)}"`);
  }
}
