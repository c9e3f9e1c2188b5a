/** Takes a binary apart into streams; src/wasm/streams.ts says what they are, and puts them together again. */

import { readFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * What a TypeScript file without imports exports. The file is transpiled, since Node before 22 can't import it.
 *
 * @param {string} file @returns {Promise<any>}
 */
const imported = (file) => {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022 },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
};
const streams = await imported(new URL('../src/wasm/streams.ts', import.meta.url).pathname);
const { COUNT, INSTRUCTIONS, INTEGERS, NOTHING, OFFSETS, OTHERS, READ, VECTORS, WRITTEN } = streams;

/** @type {(streams: readonly Uint8Array[], size: number, isRelaxed: boolean) => Uint8Array} */
export const joined = streams.joined;

/** The section that has the functions. */
export const { CODE } = streams;

/** Does nothing. */
export const NOP = '1';

/**
 * Fused multiply-adds, and what stands for them in the simd binary: a product before the last operand, and a sum after
 * it. The relaxed binary has nops in the product's place, as many as the product has bytes. How many there are tells
 * which product they stand for.
 */
export const MULTIPLY_ADDS = [
  // f32x4.relaxed_madd; f32x4.add; f32x4.mul.
  { fused: '253,133,2', sum: '253,228,1', product: '253,230,1', nops: 3 },
  // f32x4.relaxed_nmadd; f32x4.add; f32x4.mul and f32x4.neg: c − a·b is −(a·b) + c, bit for bit.
  { fused: '253,134,2', sum: '253,228,1', product: '253,230,1,253,225,1', nops: 6 },
];

/** What differs between the binaries, in the relaxed one and in the simd one. */
const DIFFERENT = MULTIPLY_ADDS.flatMap(({ fused, sum, product, nops }) => [
  { relaxed: fused, simd: sum },
  { relaxed: Array(nops).fill(NOP).join(), simd: product },
]);

/**
 * @typedef {object} Instruction
 * @property {number} at where it begins
 * @property {string} name its own bytes, with commas between
 * @property {number} follows see src/wasm/streams.ts
 */

/**
 * The streams of both binaries, made from the relaxed one with room for products (scripts/fused.mjs).
 *
 * @param {Buffer} relaxed @returns {Buffer[]}
 * @throws {Error} where it has an instruction whose length isn't known
 */
export function streamsOf(relaxed) {
  const { streams, instructions } = takenApart(relaxed);
  const code = withJoinedNops(instructions);
  /** @type {Map<string, { follows: number, count: number }>} */
  const different = new Map(DIFFERENT.map(({ relaxed }) => [relaxed, { follows: NOTHING, count: Infinity }]));
  for (const { name, follows } of code) {
    const one = different.get(name) ?? { follows, count: 0 };
    one.count++;
    different.set(name, one);
  }
  // What differs between the binaries comes first in the table (its count is infinite), since the relaxed binary has
  // other bytes in place of the table's begin. Then come the most frequent instructions, since small numbers have the
  // shortest text. Equal counts are asked for by themselves, since a difference of two infinite ones is no number.
  const names = [...different].sort(([, a], [, b]) => (a.count === b.count ? 0 : b.count - a.count));
  if (names.length > 256) throw new Error(`streams: expected at most 256 different instructions, got ${names.length}`);
  const numbers = new Map(names.map(([name], i) => [name, i]));
  const entry = (/** @type {string} */ name, /** @type {number} */ follows) => {
    const bytes = name.split(',').map(Number);
    return [bytes.length, follows, ...bytes];
  };
  const inSimd = new Map(DIFFERENT.map(({ relaxed, simd }) => [relaxed, simd]));
  return [
    ...streams,
    Buffer.from(code.map(({ name }) => Number(numbers.get(name)))),
    Buffer.from(names.flatMap(([name, { follows }]) => entry(inSimd.get(name) ?? name, follows))),
    Buffer.from(DIFFERENT.flatMap(({ relaxed }) => entry(relaxed, NOTHING))),
  ];
}

/** Instructions with the nops in a product's place as one. @param {readonly Instruction[]} instructions */
function withJoinedNops(instructions) {
  /** @type {Instruction[]} */
  const merged = [];
  for (const [i, one] of instructions.entries()) {
    const before = merged.at(-1);
    if (one.name === NOP && before && instructions[i - 1].name === NOP) before.name += `,${NOP}`;
    else merged.push({ ...one });
  }
  return merged;
}

/**
 * A binary taken apart: its instructions, and the streams of all else.
 *
 * @param {Buffer} binary @returns {{ streams: Buffer[], instructions: Instruction[] }}
 * @see https://webassembly.github.io/spec/core/binary/
 */
export function takenApart(binary) {
  /** @type {number[][]} */
  const streams = Array.from({ length: INSTRUCTIONS }, () => []);
  /** @type {Instruction[]} */
  const instructions = [];
  let at = 0;
  const byte = () => {
    if (at === binary.length)
      throw new Error('streams: expected a binary whose instructions are known, got one that ends inside of one');
    return binary[at++];
  };
  const copy = (/** @type {number} */ stream, /** @type {number} */ count) => {
    for (; count > 0; count--) streams[stream].push(byte());
  };
  const number = () => {
    const from = at;
    while (byte() > 127);
    return numberAt(binary, from).value;
  };
  const copyNumber = (/** @type {number} */ stream) => {
    const from = at;
    const value = number();
    streams[stream].push(...binary.subarray(from, at));
    return value;
  };
  /** @param {Uint8Array} last the function's locals, the one that was used last first */
  const instruction = (last) => {
    const from = at;
    const follows = followsOf(byte, number);
    instructions.push({ at: from, name: binary.subarray(from, at).join(), follows });
    const stream = follows % COUNT;
    if (follows >= COUNT) copy(stream, (follows - stream) / COUNT);
    else if (stream === READ || stream === WRITTEN) {
      const local = byte();
      const place = last.indexOf(local);
      if (place < 0) throw new Error(`streams: expected locals below ${last.length}, got ${local}`);
      streams[stream].push(place);
      last.copyWithin(1, 0, place);
      last[0] = local;
    } else if (follows !== NOTHING) copyNumber(stream);
  };
  copy(OTHERS, 8);
  while (at < binary.length) {
    const section = copyNumber(OTHERS);
    const size = copyNumber(OTHERS);
    if (section !== CODE) {
      copy(OTHERS, size);
      continue;
    }
    for (let functions = copyNumber(OTHERS); functions > 0; functions--) {
      const bodyBytes = copyNumber(OTHERS);
      const end = at + bodyBytes;
      const last = Uint8Array.from({ length: 128 }, (_, i) => i);
      for (let groups = copyNumber(OTHERS); groups > 0; groups--) {
        copyNumber(OTHERS);
        copyNumber(OTHERS);
      }
      while (at < end) instruction(last);
      if (at !== end) throw new Error('streams: expected instructions to end with their function');
    }
  }
  return { streams: streams.map((stream) => Buffer.from(stream)), instructions };
}

/** True where what follows an instruction is a local. @param {Instruction} instruction */
export function isOfLocal({ follows }) {
  return follows === READ || follows === WRITTEN;
}

/**
 * Reads an instruction's own bytes, and tells what follows them. It knows the instructions that this project's binaries
 * have, and takes any other for one that nothing follows.
 *
 * @param {() => number} byte the next one @param {() => number} number the next one in LEB128
 */
function followsOf(byte, number) {
  const opcode = byte();
  // An address: its alignment, then its offset.
  const address = () => {
    number();
    return OFFSETS;
  };
  // Blocks' types, branches, and how memory grows.
  if ((opcode > 1 && opcode < 5) || opcode === 12 || opcode === 13 || opcode === 63 || opcode === 64) byte();
  else if (opcode === 14) for (let labels = number(); labels >= 0; labels--) byte();
  else if (opcode > 31 && opcode < 35) return opcode === 32 ? READ : WRITTEN;
  // Calls and globals: the number of a function, or of a global.
  else if (opcode === 16 || opcode === 35 || opcode === 36) return OTHERS;
  else if (opcode > 39 && opcode < 63) return address();
  else if (opcode === 65 || opcode === 66) return INTEGERS;
  else if (opcode === 67) return OTHERS + 4 * COUNT;
  else if (opcode === 68) return OTHERS + 8 * COUNT;
  else if (opcode === 252) {
    // Conversions have nothing more. memory.copy is followed by two memories, memory.fill by one.
    const bulk = number();
    if (bulk > 7 && bulk !== 10 && bulk !== 11)
      throw new Error(`streams: expected memory.copy or memory.fill, got 252,${bulk}`);
    if (bulk > 7) for (let memories = 12 - bulk; memories > 0; memories--) byte();
  } else if (opcode === 253) {
    const vector = number();
    // A lane comes after the offset, so an address with a lane is altogether the instruction's own.
    if (vector > 83 && vector < 92) for (let numbers = 3; numbers > 0; numbers--) number();
    else if (vector < 12 || vector === 92 || vector === 93) return address();
    else if (vector === 12 || vector === 13) return VECTORS + 16 * COUNT;
    else if (vector > 20 && vector < 35) byte();
  }
  return NOTHING;
}

/** An unsigned number in LEB128, and where it ends. @param {Uint8Array} bytes @param {number} at */
export function numberAt(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    value |= (bytes[at] & 127) << shift;
    if (bytes[at++] < 128) return { value, end: at };
  }
}
