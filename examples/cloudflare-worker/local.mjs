/** What Node, Deno and Bun have in common: weights from a file, the decoder's module from node_modules. */

import { open, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { openSafetensors } from 'layertap';
import { jpegDecoder } from './jpeg.mjs';
import { createService } from './service.mjs';

/**
 * The service over a weight file.
 *
 * @param {{ model?: string, weights?: string | URL, limits?: object, corsOrigin?: string }} options the digits network
 *   unless given; the origin in the environment's CORS_ORIGIN
 */
export async function localService({
  model = 'digits',
  weights = new URL('digits/weights.safetensors', import.meta.url),
  limits,
  corsOrigin = globalThis.process?.env.CORS_ORIGIN,
} = {}) {
  const decoder = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
  const decodeJpeg = jpegDecoder(await WebAssembly.compile(await readFile(decoder)));
  async function withWeights(use) {
    const handle = await open(weights);
    try {
      return await use(await openSafetensors(handle));
    } finally {
      await handle.close();
    }
  }
  return createService({ model, withWeights, decodeJpeg, limits, corsOrigin });
}
