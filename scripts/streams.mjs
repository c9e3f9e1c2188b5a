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
const { hasLocals, INSTRUCTIONS, PARTS, STREAMS, walk } = await imported(
  new URL('../src/wasm/streams.ts', import.meta.url).pathname,
);

/**
 * The streams of some binaries.
 *
 * The same instructions have the same numbers in all binaries. A fused product and sum counts as two, a product and a
 * sum, as the simd binary has them: in the relaxed one the first is of no bytes, and the second has all of them. So the
 * binaries differ in little more than what these two are.
 *
 * @param {readonly Buffer[]} binaries @returns {Buffer[][]}
 * @throws {Error} where a binary has an instruction of which src/wasm/streams.ts doesn't know the length
 */
export function streamsOf(binaries) {
  const parts = binaries.map(takenApart);
  const code = parts.map(({ instructions }) => halved(instructions));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of code.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  // The most frequent ones have the smallest numbers, whose text is shortest.
  const different = [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
  if (different.length > 255)
    throw new Error(`streams: expected at most 255 different instructions, got ${different.length}`);
  return parts.map(({ streams, instructions }, i) => {
    const isFused = instructions.includes(MADD);
    const halves = isFused ? { [PRODUCT]: '', [SUM]: MADD } : { [PRODUCT]: MUL, [SUM]: ADD };
    const list = different.flatMap((name) => {
      const bytes = (halves[name] ?? name).split(',').filter(Boolean).map(Number);
      return [bytes.length, ...bytes];
    });
    return [...streams, Buffer.from([different.length, ...list, ...code[i].map((name) => different.indexOf(name))])];
  });
}

/**
 * A binary's streams but for the last, and its instructions, each as its bytes with commas between.
 *
 * @param {Buffer} binary @returns {{ streams: Buffer[], instructions: string[] }}
 */
function takenApart(binary) {
  /** @type {number[][]} */
  const streams = Array.from({ length: STREAMS - 1 }, () => []);
  /** @type {string[]} */
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
    const byte = binary[at++];
    if (stream === INSTRUCTIONS) instructions.push(String(byte));
    else if (stream === PARTS) instructions[instructions.length - 1] += `,${byte}`;
    else streams[stream].push(hasLocals(stream) ? placeOf(byte, last) : byte);
    return byte;
  });
  return { streams: streams.map((stream) => Buffer.from(stream)), instructions };
}

/** A product, a sum, and both as one instruction, of four lanes each: their bytes. */
const MUL = '253,230,1';
const ADD = '253,228,1';
const MADD = '253,133,2';

/** Names of a fused product and sum's halves. */
const PRODUCT = 'product';
const SUM = 'sum';

/**
 * Instructions with a fused product and sum as its two halves; and so a product and the sum of it and what follows it.
 *
 * @param {readonly string[]} instructions @returns {string[]}
 */
function halved(instructions) {
  /** @type {string[]} */
  const halves = [];
  for (const name of instructions) {
    // Where what is added begins.
    const begin = name === MADD || name === ADD ? beginOfLast(halves) : 0;
    const isPair = begin > 0 && (name === MADD || halves[begin - 1] === MUL);
    if (isPair) halves.splice(name === MADD ? begin : begin - 1, name === MADD ? 0 : 1, PRODUCT);
    halves.push(isPair ? SUM : name);
  }
  return halves;
}

/**
 * Where the instructions begin that the last value comes of; 0 where that isn't known.
 *
 * @param {readonly string[]} instructions
 */
function beginOfLast(instructions) {
  let begin = instructions.length;
  for (let values = 1; values > 0; ) {
    const count = begin > 0 ? operandsOf(instructions[--begin]) : null;
    if (count === null) return 0;
    values += count - 1;
  }
  return begin;
}

/**
 * How many values an instruction takes to make one of them; null where it isn't known. A wrong answer costs bytes, and
 * changes nothing else.
 *
 * @param {string} name
 */
function operandsOf(name) {
  if (name === PRODUCT || name === SUM) return 2;
  const [opcode, low, high = 0] = name.split(',').map(Number);
  if (opcode === 253) {
    const vector = low < 128 ? low : (low & 127) | (high << 7);
    // A constant; loads, splats, and signs; fused ones.
    if (vector === 12) return 0;
    if (vector < 11 || (vector > 14 && vector < 21) || vector === 224 || vector === 225) return 1;
    return vector > 260 ? 3 : 2;
  }
  // Locals, globals and constants; loads; arithmetic of numbers.
  if (opcode === 32 || opcode === 35 || (opcode > 64 && opcode < 69)) return 0;
  if (opcode === 34 || (opcode > 39 && opcode < 54)) return 1;
  return opcode > 105 ? 2 : null;
}
