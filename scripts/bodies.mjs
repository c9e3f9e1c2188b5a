/** Binaries whose functions are written anew. */

import { CODE, numberAt } from './streams.mjs';

/**
 * The sections of a binary: each one's number, where it begins, and what is in it.
 *
 * @param {Uint8Array} binary
 */
export function* sectionsOf(binary) {
  for (let at = 8; at < binary.length; ) {
    const { value: size, end: start } = numberAt(binary, at + 1);
    yield { id: binary[at], at, start, end: start + size };
    at = start + size;
  }
}

/**
 * A binary with other functions' bodies.
 *
 * @param {Buffer} binary
 * @param {(from: number, to: number, index: number) => Buffer} rewritten what takes the place of the body between two
 * places of the binary
 * @returns {Buffer}
 */
export function withBodies(binary, rewritten) {
  const parts = [binary.subarray(0, 8)];
  for (const { id, at, start, end } of sectionsOf(binary)) {
    parts.push(
      id === CODE ? Buffer.concat([Buffer.from([id]), counted(functions(start, end))]) : binary.subarray(at, end),
    );
  }
  return Buffer.concat(parts);

  /** The functions between two places, after their number. @param {number} from @param {number} to */
  function functions(from, to) {
    const { end: first } = numberAt(binary, from);
    const all = [binary.subarray(from, first)];
    for (let at = first; at < to; ) {
      const { value: size, end: start } = numberAt(binary, at);
      at = start + size;
      all.push(counted(rewritten(start, at, all.length - 1)));
    }
    return Buffer.concat(all);
  }
}

/** Bytes after their number. @param {Buffer} bytes */
function counted(bytes) {
  const number = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) number.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...number, rest]), bytes]);
}
