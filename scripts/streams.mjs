/** Takes a binary apart into streams; src/wasm/streams.ts says what they are, and puts them together again. */

import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** @param {string} file without imports @returns {Promise<any>} what it exports, on every Node */
const imported = (file) => {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022 },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
};
const { hasLocals, INSTRUCTIONS, joined, PARTS, walk } = await imported(
  new URL('../src/wasm/streams.ts', import.meta.url).pathname,
);

export { joined };

/** Does nothing. Instructions are named by their bytes, with commas between. */
export const NOP = '1';

/**
 * Fused multiply-adds, and what they are without fusing: a product before the last operand, and a sum after it. The
 * product's bytes are as many as the nops in its place, and none of these numbers is another's. c − a·b is −(a·b) + c,
 * bit for bit.
 */
export const MULTIPLY_ADDS = [
  { fused: '253,133,2', sum: '253,228,1', product: '253,230,1', nops: 3 },
  { fused: '253,134,2', sum: '253,228,1', product: '253,230,1,253,225,1', nops: 6 },
];

/** What differs between the binaries, in the relaxed one and in the simd one. */
const DIFFERENT = MULTIPLY_ADDS.flatMap(({ fused, sum, product, nops }) => [
  { relaxed: fused, simd: sum },
  { relaxed: Array(nops).fill(NOP).join(), simd: product },
]);

/**
 * The streams of both binaries, made from the relaxed one with room for products (scripts/fused.mjs).
 *
 * @param {Buffer} relaxed @returns {Buffer[]}
 * @throws {Error} where it has an instruction of which src/wasm/streams.ts doesn't know the length
 */
export function streamsOf(relaxed) {
  const { streams, instructions } = takenApart(relaxed);
  const code = withoutRuns(instructions.map(({ name }) => name));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of code) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const one of DIFFERENT) counts.delete(one.relaxed);
  // The most frequent ones have the smallest numbers, whose text is shortest.
  const others = [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
  const names = [...DIFFERENT.map((one) => one.relaxed), ...others];
  if (names.length > 255) throw new Error(`streams: expected at most 255 different instructions, got ${names.length}`);
  const numbers = new Map(names.map((name, i) => [name, i]));
  const inSimd = [...DIFFERENT.map((one) => one.simd), ...others];
  return [
    ...streams,
    Buffer.from([names.length, ...inSimd.flatMap(counted), ...code.map((name) => Number(numbers.get(name)))]),
    Buffer.from(DIFFERENT.flatMap((one) => counted(one.relaxed))),
  ];
}

/** An instruction's bytes after their number. @param {string} name */
const counted = (name) => {
  const bytes = name.split(',').map(Number);
  return [bytes.length, ...bytes];
};

/** Instructions with the nops in a product's place as one. @param {readonly string[]} names */
function withoutRuns(names) {
  /** @type {string[]} */
  const joined = [];
  for (const [i, name] of names.entries()) {
    if (name === NOP && names[i - 1] === NOP) joined.push(`${joined.pop()},${NOP}`);
    else joined.push(name);
  }
  return joined;
}

/**
 * A binary's streams but for its instructions, and these: where each begins, and its name.
 *
 * @param {Buffer} binary
 * @returns {{ streams: Buffer[], instructions: { at: number, name: string }[] }}
 */
export function takenApart(binary) {
  /** @type {number[][]} */
  const streams = Array.from({ length: INSTRUCTIONS }, () => []);
  /** @type {{ at: number, name: string }[]} */
  const instructions = [];
  const placeOf = (/** @type {number} */ local, /** @type {Uint8Array} */ last) => {
    const place = last.indexOf(local);
    last.copyWithin(1, 0, place);
    last[0] = local;
    return place;
  };
  let at = 0;
  const hasMore = () => at < binary.length;
  walk(hasMore, (/** @type {number} */ stream, /** @type {Uint8Array} */ last) => {
    if (at === binary.length)
      throw new Error('streams: expected a binary whose instructions are known, got one that ends inside of one');
    const byte = binary[at];
    if (stream === INSTRUCTIONS) instructions.push({ at, name: String(byte) });
    else if (stream === PARTS) instructions[instructions.length - 1].name += `,${byte}`;
    else streams[stream].push(hasLocals(stream) ? placeOf(byte, last) : byte);
    at++;
    return byte;
  });
  return { streams: streams.map((stream) => Buffer.from(stream)), instructions };
}
