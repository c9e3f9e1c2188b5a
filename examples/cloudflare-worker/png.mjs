/**
 * PNG to RGB, and masks to PNG, by fast-png. What it gets is a PNG of the chunks that make pixels and no others, whose
 * inflated size was counted before: a few kilobytes can inflate to gigabytes.
 */

import { convertIndexedToRgb, decode, encode } from 'fast-png';
import { concat } from './body.mjs';
import { HttpError } from './failures.mjs';
import { notAnImage } from './image-header.mjs';

/** Chunks that pixels depend on. */
const KEPT = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/** Samples of a pixel by colour type. */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Compressed data may go on for so long after the last pixel, as some encoders' do. */
const SPARE_BYTES = 4096;

/**
 * Returns nothing; fails a PNG whose data aren't as long as its size asks for. They are inflated in pieces, none of
 * which is kept.
 *
 * @param {Uint8Array} bytes
 * @param {{ width: number, height: number }} size from the header
 * @throws {HttpError} 400
 */
export async function checkPng(bytes, { width, height }) {
  const chunks = chunksOf(bytes);
  const [, , , , , , , , depth, colourType, , , interlace] = chunks[0].data;
  const bits = depth * (CHANNELS[colourType] ?? 0);
  const expected = passes(width, height, interlace).reduce((sum, pass) => {
    return sum + pass.height * (1 + Math.ceil((pass.width * bits) / 8));
  }, 0);
  const idat = chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data);
  const inflated = await inflatedBytes(idat, expected + SPARE_BYTES);
  if (inflated > expected + SPARE_BYTES) {
    throw notAnImage(`expected a PNG of at most ${expected + SPARE_BYTES} inflated bytes, got more`);
  }
  if (inflated < expected) throw notAnImage(`expected a PNG of ${expected} inflated bytes, got ${inflated}`);
}

/**
 * The pixels as RGB, alpha dropped; of 16 bits, the upper eight. Nothing is awaited, so nobody's image is in between.
 *
 * @param {Uint8Array} bytes that `checkPng` has passed
 * @throws {HttpError} 400
 */
export function decodePng(bytes) {
  try {
    return toRgb(decode(concat([bytes.subarray(0, 8), ...chunksOf(bytes).map(({ whole }) => whole)])));
  } catch (cause) {
    if (cause instanceof HttpError) throw cause;
    throw notAnImage(`expected a PNG that can be decoded, got "${/** @type {Error} */ (cause).message}"`);
  }
}

/**
 * A mask as a greyscale PNG: the grey values are the class numbers.
 *
 * @param {{ data: Uint8Array, width: number, height: number }} mask
 */
export function encodeMask({ data, width, height }) {
  return encode({ data, width, height, channels: 1, depth: 8 });
}

/** The chunks that are kept, the header first and once. */
function chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === 'IHDR' && chunks.length > 0) throw notAnImage('expected a PNG with one header, got two');
    if (KEPT.has(type)) chunks.push({ type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) });
    if (type === 'IEND') return chunks;
    at = end;
  }
  throw notAnImage('expected a whole PNG, got a part of one');
}

/** The images that the data hold: one, or Adam7's seven that interlace, those without pixels left out. */
function passes(width, height, interlace) {
  if (interlace !== 1) return [{ width, height }];
  const steps = [
    [0, 8, 0, 8],
    [4, 8, 0, 8],
    [0, 4, 4, 8],
    [2, 4, 0, 4],
    [0, 2, 2, 4],
    [1, 2, 0, 2],
    [0, 1, 1, 2],
  ];
  return steps
    .map(([x, dx, y, dy]) => ({ width: Math.ceil((width - x) / dx), height: Math.ceil((height - y) / dy) }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

/** How many bytes there are, counted until they are more than allowed. */
async function inflatedBytes(parts, mostBytes) {
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
  let bytes = 0;
  try {
    for await (const piece of piecesOf(inflated)) {
      bytes += piece.length;
      if (bytes > mostBytes) break;
    }
  } catch {
    throw notAnImage('expected a PNG whose data can be inflated, got another');
  }
  return bytes;
}

/** A stream's pieces; leaving the loop cancels it. Not every host's streams can be iterated. */
async function* piecesOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function toRgb(image) {
  const { width, height } = image;
  const pixels = width * height;
  const { data, channels, depth } = image.palette
    ? { data: convertIndexedToRgb(image), channels: image.palette[0]?.length ?? 3, depth: 8 }
    : image;
  const sample = depth < 8 ? smallSamples(data, width, depth) : (i) => (depth === 16 ? data[i] >> 8 : data[i]);
  const rgb = new Uint8Array(pixels * 3);
  const isGrey = channels < 3;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = sample(i * channels + (isGrey ? 0 : c));
  }
  return { data: rgb, width, height };
}

/** Greyscale of 1, 2 or 4 bits: rows begin with whole bytes. */
function smallSamples(data, width, depth) {
  const rowBytes = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  return (i) => {
    const bit = (i % width) * depth;
    const byte = data[Math.floor(i / width) * rowBytes + (bit >> 3)];
    return Math.round((((byte >> (8 - depth - (bit & 7))) & most) * 255) / most);
  };
}
