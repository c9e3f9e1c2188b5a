/** Takes a binary apart into streams; src/wasm/streams.ts says what they are, and puts it together again. */

import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** @param {string} file without imports @returns {Promise<any>} what it exports, on every Node */
const imported = (file) => {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022 },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
};
const { hasLocals, STREAMS, walk } = await imported(new URL('../src/wasm/streams.ts', import.meta.url).pathname);

/**
 * The streams of a binary.
 *
 * @param {Buffer} binary @returns {Buffer[]}
 * @throws {Error} where the binary has an instruction of which src/wasm/streams.ts doesn't know the length
 */
export function streamsOf(binary) {
  /** @type {number[][]} */
  const streams = Array.from({ length: STREAMS }, () => []);
  const placeOf = (/** @type {number} */ local, /** @type {Uint8Array} */ last) => {
    const place = last.indexOf(local);
    last.copyWithin(1, 0, place);
    last[0] = local;
    return place;
  };
  let at = 0;
  walk(binary.length, (/** @type {number} */ stream, /** @type {Uint8Array} */ last) => {
    if (at === binary.length)
      throw new Error('streams: expected a binary whose instructions are known, got one that ends inside of one');
    const byte = binary[at++];
    streams[stream].push(hasLocals(stream) ? placeOf(byte, last) : byte);
    return byte;
  });
  return streams.map((stream) => Buffer.from(stream));
}
