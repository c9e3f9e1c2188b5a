/** Bytes as text in JavaScript, from which src/wasm/modules.ts takes them. */

/** What is added to a byte, so that those that are frequent in a binary take one character. */
const SHIFT = 3;

/** Characters that stand for a number below 91: from `#` to `}`, but `~` for `\`. */
const NUMBERS = 91;

/** The character of 0 is that many from `#`: so small numbers are small letters, which are frequent in code, too. */
const TURN = 61;

/**
 * A byte takes one printable character, or two after `!` or a space, and always the same ones: so what compresses the
 * bytes compresses their text, too. Base64 cuts them askew, and takes half as much again once compressed.
 *
 * @param {Buffer} bytes @returns {string}
 */
export function textOf(bytes) {
  return Array.from(bytes, (byte) => {
    const value = (byte + SHIFT) % 256;
    const character = String.fromCharCode(35 + (((value % NUMBERS) + TURN) % NUMBERS)).replace('\\', '~');
    return ['', '!', ' '][Math.floor(value / NUMBERS)] + character;
  }).join('');
}
