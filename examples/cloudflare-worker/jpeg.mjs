/**
 * JPEG to RGB by mozjpeg in WebAssembly, whose module the host brings. Nothing is awaited, so nobody's image is in
 * between.
 */

import factory from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import { imageFromRgba } from 'layertap';
import { notAnImage } from './image-header.mjs';
import { release } from './release.mjs';

/**
 * A decoder. One that failed may have left memory behind, so the next image gets a new instance.
 *
 * @param {WebAssembly.Module} module of @jsquash/jpeg/codec/dec/mozjpeg_dec.wasm
 * @returns {(bytes: Uint8Array) => import('layertap').Image} throws an HttpError 400
 */
export function jpegDecoder(module) {
  /** What the decoder says of the present image: it goes on with grey where data end early. */
  let warnings = [];
  let instance = null;

  function newInstance() {
    const made = {
      noInitialRun: true,
      print() {},
      printErr: (text) => warnings.push(text),
      instantiateWasm(imports, done) {
        const wasm = new WebAssembly.Instance(module, imports);
        done(wasm);
        return wasm.exports;
      },
    };
    // The promise is for builds that compile; this one is complete when the call returns.
    factory(made).catch(() => {});
    return made;
  }

  return (bytes) => {
    warnings = [];
    instance ??= newInstance();
    let decoded;
    try {
      decoded = instance.decode(bytes, false);
    } catch {}
    if (!decoded) {
      instance = null;
      throw notAnImage(
        'expected a JPEG that can be decoded, got one that is damaged, or neither baseline nor progressive',
      );
    }
    if (warnings.some((text) => /premature end/i.test(text)))
      throw notAnImage('expected a whole JPEG, got a part of one');
    const image = imageFromRgba(decoded.data, decoded.width, decoded.height);
    release(decoded.data);
    return image;
  };
}
