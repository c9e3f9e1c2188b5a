/**
 * The machine's ceiling: what V8's code reaches on twelve accumulators in registers, without a load. Nothing in WASM
 * SIMD computes more a second, so kernels are measured as a share of it. The module is written as bytes: each engine's
 * process makes it, and binaryen, 13 MB of JavaScript, would be loaded there for a few opcodes.
 */

import { cpuMs, warmUp } from './measure.mjs';

const ACCUMULATORS = 12;
const UNROLLED = 4;
const ITERATIONS = 2e5;

const SPLAT = 0x13;
const ADD = 0xe4;
const MUL = 0xe6;
const RELAXED_MADD = 0x105;

/** @param {number} value @returns {number[]} unsigned LEB128 */
function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** @param {number} id @param {readonly number[]} body */
const section = (id, body) => [id, ...leb(body.length), ...body];
/** @param {number} local */
const get = (local) => [0x20, ...leb(local)];
/** @param {number} local */
const set = (local) => [0x21, ...leb(local)];
/** @param {number} opcode */
const simd = (opcode) => [0xfd, ...leb(opcode)];
/** @param {number} value */
const splat = (value) => [0x43, ...new Uint8Array(new Float32Array([value]).buffer), ...simd(SPLAT)];

/**
 * A module whose export `f(n: i32): f32` updates each accumulator UNROLLED·n times: acc = acc·a + b.
 *
 * @param {boolean} fused
 */
function registerLoop(fused) {
  const [a, b, first] = [1, 2, 3];
  const locals = [...Array(ACCUMULATORS).keys()].map((i) => first + i);
  /** @param {number} acc */
  const update = (acc) =>
    fused
      ? [...get(acc), ...get(a), ...get(b), ...simd(RELAXED_MADD), ...set(acc)]
      : [...get(acc), ...get(a), ...simd(MUL), ...get(b), ...simd(ADD), ...set(acc)];
  const block = locals.flatMap(update);
  const unrolled = Array(UNROLLED).fill(block).flat();
  const again = [...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0];
  const code = [
    ...[1, ...leb(2 + ACCUMULATORS), 0x7b],
    ...[...splat(0.999), ...set(a), ...splat(0.001), ...set(b)],
    ...locals.flatMap((acc, i) => [...splat(i + 1), ...set(acc)]),
    ...[0x03, 0x40, ...unrolled, ...again, 0x0b],
    ...locals.flatMap((acc, i) => (i === 0 ? get(acc) : [...get(acc), ...simd(ADD)])),
    ...[...simd(0x1f), 0, 0x0b],
  ];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7d]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

/**
 * What measures the register loop's GFLOP/s, by processor time: fused for the relaxed binary, a multiplication and an
 * addition for the plain one.
 *
 * @param {import('../dist/index.js').Binary} binary
 * @returns {Promise<() => number>}
 */
export async function ceilingOf(binary) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(registerLoop(binary === 'relaxed')));
  const loop = () => /** @type {(n: number) => number} */ (exports.f)(ITERATIONS);
  await warmUp(loop, 500);
  return () => (ITERATIONS * UNROLLED * ACCUMULATORS * 4 * 2) / cpuMs(loop) / 1e6;
}
