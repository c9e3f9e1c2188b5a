/**
 * What a JPEG or PNG says of itself, read before anything is decoded: a few kilobytes can claim 20,000 × 20,000 pixels.
 * Not by image-size: where a JPEG's segments are broken it searches on, and so finds another size than the decoder.
 */

import { HttpError } from './failures.mjs';

/** Each scan of a progressive JPEG goes over the whole image: files of cameras and encoders have up to about ten. */
const MAX_SCANS = 64;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Type and size of an image.
 *
 * @param {Uint8Array} bytes
 * @returns {{ type: 'image/jpeg' | 'image/png', width: number, height: number }}
 * @throws {HttpError} 400 where it is neither
 */
export function imageHeader(bytes) {
  if (PNG_SIGNATURE.every((byte, i) => bytes[i] === byte)) return { type: 'image/png', ...pngSize(bytes) };
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return { type: 'image/jpeg', ...jpegSize(bytes) };
  throw notAnImage('expected a JPEG or a PNG, got something else');
}

/** @param {string} message */
export function notAnImage(message) {
  return new HttpError(400, 'ERR_IMAGE', message);
}

/** The first chunk is IHDR, and begins with the size. */
function pngSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || view.getUint32(8) !== 13 || view.getUint32(12) !== 0x49484452) {
    throw notAnImage('expected a PNG that begins with its header, got another');
  }
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Segments up to the frame's header, then the scans. */
function jpegSize(bytes) {
  let size = null;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xda) {
      if (size) checkScans(bytes, at);
      break;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame && !size) {
      if (at + 10 > bytes.length) break;
      checkFrame(bytes[at + 4], bytes[at + 9]);
      size = {
        height: bytes[at + 5] * 256 + bytes[at + 6],
        width: bytes[at + 7] * 256 + bytes[at + 8],
      };
    }
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  if (!size || size.width === 0 || size.height === 0) throw notAnImage('expected a JPEG with a size, got none');
  return size;
}

/** What the decoder takes: grey and colour. @param {number} bits @param {number} components */
function checkFrame(bits, components) {
  if (bits === 8 && (components === 1 || components === 3)) return;
  const kind = components === 4 ? 'CMYK, of 4' : String(components);
  const got = bits === 8 ? `${kind} components` : `${bits} bits`;
  throw notAnImage(`expected a JPEG of 8 bits in grey or colour (1 or 3 components), got ${got}; save it as RGB`);
}

/** Entropy-coded data has no marker of its own in it: the last one must be the image's end. */
function checkScans(bytes, begin) {
  let scans = 0;
  let hasEnd = false;
  for (let at = bytes.indexOf(0xff, begin); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda) scans++;
    if (bytes[at + 1] === 0xd9) hasEnd = true;
  }
  if (scans > MAX_SCANS) throw notAnImage(`expected a JPEG of at most ${MAX_SCANS} scans, got more`);
  if (!hasEnd) throw notAnImage('expected a whole JPEG, got a part of one');
}
