/** Images and weights for the tests, seeded. */

import { readFile } from 'node:fs/promises';
import { crc32, deflateSync } from 'node:zlib';
import { loadSafetensors, numberToFloat16, saveSafetensors, Tensor } from 'layertap';
import sharp from 'sharp';
import { MODELS } from '../models.mjs';

/** A scene of handwritten digits. */
export const scene = new Uint8Array(await readFile(new URL('scene.png', import.meta.url)));

/** PyTorch's answers to it. */
export const goldens = loadSafetensors(await readFile(new URL('golden.safetensors', import.meta.url)));

/** The digits network's weights. */
export const digitsWeights = new URL('../digits/weights.safetensors', import.meta.url);

/** Numbers in [0, 1) by Marsaglia's xorshift. */
export function numbers(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 8) * 2 ** -24;
  };
}

/** Blocks of colour, encoded by libvips. */
export async function picture(seed, { width = 160, height = 128, format = 'png', options = {}, space = 'srgb' } = {}) {
  const next = numbers(seed * 7919 + 1);
  const colours = Uint8Array.from({ length: 8 * 8 * 3 }, () => next() * 256);
  const pixels = sharp(colours, { raw: { width: 8, height: 8, channels: 3 } })
    .resize(width, height, { kernel: 'cubic', fit: 'fill' })
    .toColourspace(space)
    .toFormat(format, options);
  return new Uint8Array(await pixels.toBuffer());
}

/** Any image that libvips can write, from RGBA pixels. */
export function encoded(pixels, width, height, format, options) {
  return sharp(pixels, { raw: { width, height, channels: 4 } })
    .toFormat(format, options)
    .toBuffer()
    .then((buffer) => new Uint8Array(buffer));
}

/** A state dict of a model of models.mjs, scaled so that activations stay in range; `half` for weights in float16. */
export function generatedWeights(model, { half = false } = {}) {
  const next = numbers(42);
  const tensors = [...MODELS[model].build().stateShapes()].map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (name.endsWith('num_batches_tracked')) return [name, new Tensor(new BigInt64Array(1), [], 'int64')];
    const bound = shape.length > 1 ? Math.sqrt((6 * shape[0]) / count) : 0.1;
    const centre = shape.length === 1 && /weight$|running_var$/.test(name) ? 1 : 0;
    const value = () => centre + (2 * next() - 1) * bound;
    if (!half) return [name, new Tensor(Float32Array.from({ length: count }, value), shape)];
    const data = Uint16Array.from({ length: count }, () => numberToFloat16(value()));
    return [name, new Tensor(data, shape, 'float16')];
  });
  return saveSafetensors(tensors);
}

/** A PNG of one pixel whose palette has one colour, and whose index is 5. */
export function outOfPalette() {
  const [name, header] = ihdr(1, 1);
  header[9] = 3;
  return png([name, header], ['PLTE', new Uint8Array(3)], ['IDAT', deflateSync(Uint8Array.of(0, 5))], ['IEND', []]);
}

/** A PNG of the given chunks. */
export function png(...chunks) {
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)];
  for (const [type, data] of chunks) {
    const chunk = new Uint8Array(12 + data.length);
    new DataView(chunk.buffer).setUint32(0, data.length);
    chunk.set(new TextEncoder().encode(type), 4);
    chunk.set(data, 8);
    new DataView(chunk.buffer).setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
    parts.push(chunk);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** A PNG's header chunk: RGB of 8 bits. */
export function ihdr(width, height) {
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([8, 2, 0, 0, 0], 8);
  return ['IHDR', data];
}

/** A JPEG that claims a size and has nothing else. */
export function jpegHeader(width, height) {
  const frame = [0xff, 0xc0, 0, 17, 8, height >> 8, height & 255, width >> 8, width & 255];
  return Uint8Array.of(0xff, 0xd8, ...frame, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 2, 0xff, 0xd9);
}
