/**
 * Makes room in relaxed binaries for what the simd binary has there: `node scripts/fused.mjs FILE…`, in place.
 *
 * A fused multiply-add takes a, b and c from the stack. Without fusing, the product comes before c, and the sum after
 * it. So nops go where the product would be, and src/wasm/streams.ts makes either binary of these bytes.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { withBodies } from './bodies.mjs';
import { MULTIPLY_ADDS, NOP, takenApart } from './streams.mjs';

for (const file of process.argv.slice(2)) writeFileSync(file, withRoom(readFileSync(file)));

/** The relaxed binary with nops where the simd binary has products. @param {Buffer} binary @returns {Buffer} */
function withRoom(binary) {
  const places = placesOfRoom(takenApart(binary).instructions);
  return withBodies(binary, (from, to) => {
    const bytes = [];
    for (let at = from; at < to; at++) {
      bytes.push(Buffer.alloc(places.get(at) ?? 0, Number(NOP)), binary.subarray(at, at + 1));
    }
    return Buffer.concat(bytes);
  });
}

/**
 * How many nops go before which byte of the binary: before the instructions that make a multiply-add's last operand.
 *
 * @param {readonly { at: number, name: string }[]} instructions
 */
function placesOfRoom(instructions) {
  /** @type {Map<number, number>} */
  const places = new Map();
  for (const [i, { name }] of instructions.entries()) {
    const one = MULTIPLY_ADDS.find(({ fused }) => fused === name);
    if (one) places.set(instructions[beginOfOperand(instructions, i)].at, one.nops);
  }
  return places;
}

/**
 * The first of the instructions that make the last operand of the instruction at `end`.
 *
 * @param {readonly { name: string }[]} instructions @param {number} end
 */
function beginOfOperand(instructions, end) {
  let begin = end;
  for (let values = 1; values > 0; ) {
    begin--;
    values += operandsOf(instructions[begin].name) - 1;
  }
  return begin;
}

/**
 * How many values an instruction takes from the stack, where it puts one back.
 *
 * @param {string} name @throws {Error} where it isn't one of those that multiply-adds come of
 */
function operandsOf(name) {
  const [opcode, low, high = 0] = name.split(',').map(Number);
  const isOneOf = (/** @type {number} */ number, /** @type {readonly (readonly [number, number])[]} */ ...ranges) =>
    ranges.some(([from, to]) => number >= from && number <= to);
  if (opcode === 253) {
    const vector = low < 128 ? low : (low & 127) | (high << 7);
    if (vector === 12) return 0; // a constant
    if (isOneOf(vector, [0, 10], [15, 20], [92, 93], [224, 225])) return 1; // loads, splats, signs
    if (isOneOf(vector, [65, 70], [78, 81], [228, 235])) return 2; // comparisons, bits, arithmetic
    if (isOneOf(vector, [261, 262])) return 3; // multiply-adds
  }
  if (isOneOf(opcode, [32, 32], [35, 35], [65, 68])) return 0; // locals, globals, constants
  if (isOneOf(opcode, [34, 34], [40, 53])) return 1; // a local that is kept, loads
  if (isOneOf(opcode, [106, 120])) return 2; // arithmetic
  throw new Error(`fused: expected a multiply-add of values, constants and arithmetic, got instruction ${name}`);
}
