/** What makes one binary of another, in fewer bytes than a second binary has; src/wasm/modules.ts puts it together again. */

/** Copies that are shorter than this cost more than the bytes themselves, unless they go on where the last one ended. */
const LEAST_COPY = 8;
const LEAST_CONTINUED = 3;

/** Bytes by which places to copy from are looked up. */
const KEY = 5;

/**
 * A guess at the relaxed binary from the simd one: where a local is loaded after a product, the sum that follows is taken for a fused one. It is
 * wrong in places, and need not be valid: {@link differenceOf} mends it. src/wasm/modules.ts has the same rule, and a test compares the two.
 *
 * @param {Buffer} simd @returns {Buffer}
 */
export function fused(simd) {
  const bytes = [];
  let products = 0;
  for (let at = 0; at < simd.length; at++) {
    const opcode = simd[at] === 0xfd && simd[at + 2] === 1 ? simd[at + 1] : 0;
    if (opcode === 0xe6 && simd[at + 3] === 0x20) {
      products++;
      at += 2;
    } else if (opcode === 0xe4 && products > 0) {
      products--;
      bytes.push(0xfd, 0x85, 2);
      at += 2;
    } else {
      bytes.push(simd[at]);
    }
  }
  return Buffer.from(bytes);
}

/**
 * The difference from one binary to another: again and again a count of new bytes, these bytes, a count of bytes to copy, and how far they
 * lie from where copying would go on; it ends with new bytes. Numbers are LEB128, distances with the sign in the lowest bit.
 *
 * @param {Buffer} from @param {Buffer} to @returns {Buffer}
 */
export function differenceOf(from, to) {
  const keyOf = (/** @type {Buffer} */ bytes, /** @type {number} */ at) => bytes.toString('latin1', at, at + KEY);
  /** @type {Map<string, number[]>} */
  const places = new Map();
  for (let at = 0; at + KEY <= from.length; at++) {
    const key = keyOf(from, at);
    places.set(key, [...(places.get(key) ?? []), at]);
  }
  const lengthAt = (/** @type {number} */ place, /** @type {number} */ at) => {
    let length = 0;
    while (at + length < to.length && place + length < from.length && to[at + length] === from[place + length])
      length++;
    return length;
  };

  /** @type {number[]} */
  const out = [];
  /** @type {number[]} */
  let fresh = [];
  const writeFresh = () => {
    writeNumber(out, fresh.length);
    out.push(...fresh);
    fresh = [];
  };
  let next = 0;
  for (let at = 0; at < to.length; ) {
    let place = next;
    let length = lengthAt(next, at);
    for (const other of places.get(keyOf(to, at)) ?? []) {
      const found = lengthAt(other, at);
      if (found > length + (place === next ? 2 : 0)) [place, length] = [other, found];
    }
    if (length < (place === next ? LEAST_CONTINUED : LEAST_COPY)) {
      fresh.push(to[at++]);
      next++;
      continue;
    }
    writeFresh();
    writeNumber(out, length);
    const distance = place - next;
    writeNumber(out, distance < 0 ? -2 * distance - 1 : 2 * distance);
    at += length;
    next = place + length;
  }
  writeFresh();
  return Buffer.from(out);
}

/** @param {number[]} out @param {number} value */
function writeNumber(out, value) {
  let rest = value;
  for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
  out.push(rest);
}
