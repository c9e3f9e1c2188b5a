/** JPEG to RGB by mozjpeg in WebAssembly, whose module the host brings. */

import decode, { init } from '@jsquash/jpeg/decode.js';
import { imageFromRgba } from 'layertap';
import { notAnImage } from './image-header.mjs';

/**
 * A decoder. One that failed may have left memory behind, so the next image gets a new instance.
 *
 * @param {WebAssembly.Module} module of @jsquash/jpeg/codec/dec/mozjpeg_dec.wasm
 * @returns {(bytes: Uint8Array) => Promise<import('layertap').Image>}
 */
export function jpegDecoder(module) {
  let isFresh = false;
  return async (bytes) => {
    if (!isFresh) await init(module, SILENT);
    isFresh = true;
    try {
      const { data, width, height } = await decode(bytes);
      return imageFromRgba(data, width, height);
    } catch {
      isFresh = false;
      throw notAnImage('expected a JPEG that can be decoded, got another');
    }
  };
}

const SILENT = { print() {}, printErr() {} };
