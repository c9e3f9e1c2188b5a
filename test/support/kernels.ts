/**
 * Runs kernels on addresses: loads a binary, places operands between canaries, and tells afterwards whether any byte
 * changed that wasn't promised to. Every canary is a NaN, so that a kernel that lets one into a result is caught as
 * well.
 */

import { readFileSync } from 'node:fs';
import { CLAMP, type Kernels } from '../../src/wasm/kernels.gen.ts';

/** All binaries, the debug one included. */
export const BUILDS = ['simd', 'relaxed', 'debug'] as const;

/** One of {@link BUILDS}. */
export type Build = (typeof BUILDS)[number];

const modules = new Map<Build, WebAssembly.Module>();

/** A new instance of a binary of build/. An assert of the debug binary throws an Error with its message. */
export function loadKernels(build: Build): Kernels {
  let module = modules.get(build);
  if (!module) {
    module = new WebAssembly.Module(readFileSync(new URL(`../../build/${build}.wasm`, import.meta.url)));
    modules.set(build, module);
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  const { exports } = new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: (message: number) => {
        throw new Error(`assert: ${stringAt(memory, message)}`);
      },
    },
  });
  return exports as unknown as Kernels;
}

/** AssemblyScript's string at an address: UTF-16, its length in bytes in the word before. */
function stringAt({ buffer }: WebAssembly.Memory, address: number): string {
  const bytes = new DataView(buffer).getUint32(address - 4, true);
  return String.fromCharCode(...new Uint16Array(buffer, address, bytes / 2));
}

/** The first whole number at or above `n` that is a multiple of four. */
export const ceil4 = (n: number): number => Math.ceil(n / 4) * 4;

/** The first whole number at or above `n` that is a multiple of eight. */
export const ceil8 = (n: number): number => Math.ceil(n / 8) * 8;

/** Lies before, after and between what is read: a quiet NaN. */
const AROUND_INPUTS = 0x7fc1_1111;
/** Lies before, after and between what is written: another quiet NaN. */
const AROUND_OUTPUTS = 0x7fc2_2222;

const GUARD_BYTES = 64;
const FIRST_ADDRESS = 1024;
const PAGES = 32;

interface Operand {
  readonly address: number;
  readonly words: Int32Array;
  readonly isOutput: boolean;
}

/** What an epilogue's record says: see assembly/epilogue.ts. */
export interface EpilogueRecord {
  readonly scale: number;
  readonly shift: number;
  readonly residual: number;
  readonly residualBytes: number;
  readonly activation: number;
  readonly lo: number;
  readonly hi: number;
}

/** Pixels of `channels` floats, `pixelBytes` apart. */
export interface Pixels {
  readonly address: number;
  readonly count: number;
  readonly channels: number;
  readonly pixelBytes: number;
}

/** Operands of one kernel call. */
export class KernelMemory {
  readonly kernels: Kernels;
  /** The number of operands so far. */
  operands = 0;
  readonly #atEnd: number;
  readonly #placed: Operand[] = [];
  #next = FIRST_ADDRESS;

  /** @param atEnd the operand that ends where the memory ends, so that reading or writing beyond it traps */
  constructor(kernels: Kernels, atEnd: number) {
    this.kernels = kernels;
    this.#atEnd = atEnd;
    const { memory } = kernels;
    if (memory.buffer.byteLength < PAGES * 65536) memory.grow(PAGES - memory.buffer.byteLength / 65536);
  }

  /** The address of values that a kernel may read but not change. `overread` bytes after them may be read too. */
  input(values: ArrayLike<number>, { overread = 0 }: { readonly overread?: number } = {}): number {
    const address = this.#place(values.length * 4, overread, AROUND_INPUTS);
    new Float32Array(this.kernels.memory.buffer, address, values.length).set(values);
    this.#keep(address, values.length, false);
    return address;
  }

  /** The address of words, e.g. of a table of addresses, that a kernel may read but not change. */
  words(values: readonly number[]): number {
    const address = this.#place(values.length * 4, 0, AROUND_INPUTS);
    new Uint32Array(this.kernels.memory.buffer, address, values.length).set(values);
    this.#keep(address, values.length, false);
    return address;
  }

  /** The address of an epilogue's record; addresses are 0 for none. */
  epilogue({
    scale = 0,
    shift = 0,
    residual = 0,
    residualBytes = 0,
    activation = CLAMP,
    lo = -Infinity,
    hi = Infinity,
  }: Partial<EpilogueRecord> = {}): number {
    const limits = new Uint32Array(Float32Array.of(lo, hi).buffer);
    return this.words([scale, shift, residual, residualBytes, activation, ...limits, 0]);
  }

  /**
   * Pixels with dense `values`; a kernel may read `lanes` floats of each, of which those beyond `channels` are
   * canaries.
   */
  inputPixels(
    values: ArrayLike<number>,
    channels: number,
    { pixelBytes = channels * 4, lanes = channels, overread = 0 } = {},
  ): Pixels {
    const count = values.length / channels;
    const floats = (count - 1) * (pixelBytes / 4) + lanes;
    const address = this.#place(floats * 4, overread, AROUND_INPUTS);
    const to = new Float32Array(this.kernels.memory.buffer, address, floats);
    for (let i = 0; i < values.length; i++)
      to[Math.floor(i / channels) * (pixelBytes / 4) + (i % channels)] = values[i]!;
    this.#keep(address, floats, false);
    return { address, count, channels, pixelBytes };
  }

  /** The address of `floats` canaries, to be written by a kernel. `overread` bytes after them may be read. */
  output(floats: number, overread = 0): number {
    const address = this.#place(floats * 4, overread, AROUND_OUTPUTS);
    this.#keep(address, floats, true);
    return address;
  }

  /** Pixels of canaries, of which a kernel may write `lanes` floats. */
  outputPixels(
    count: number,
    channels: number,
    { pixelBytes = channels * 4, lanes = channels, overread = 0 } = {},
  ): Pixels {
    const address = this.output((count - 1) * (pixelBytes / 4) + lanes, overread);
    return { address, count, channels, pixelBytes };
  }

  /** Floats at an address, copied. */
  read(address: number, floats: number): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, address, floats).slice();
  }

  /**
   * The channels of all pixels, densely.
   *
   * @throws Error where a float beyond the first `lanes` of a pixel was written
   */
  readPixels({ address, count, channels, pixelBytes }: Pixels, lanes = channels): Float32Array {
    const { buffer } = this.kernels.memory;
    const out = new Float32Array(count * channels);
    for (let i = 0; i < count; i++) {
      out.set(new Float32Array(buffer, address + i * pixelBytes, channels), i * channels);
      if (i === count - 1) break;
      const gap = new Int32Array(buffer, address + i * pixelBytes + lanes * 4, pixelBytes / 4 - lanes);
      const at = gap.findIndex((word) => word !== AROUND_OUTPUTS);
      if (at !== -1) throw new Error(`float ${lanes + at} of pixel ${i} was written, beyond the ${lanes} that may be`);
    }
    return out;
  }

  /** @throws Error where an input, or a byte around any operand, has changed */
  check(): void {
    const { buffer } = this.kernels.memory;
    this.#placed.forEach(({ address, words, isOutput }, i) => {
      if (!isOutput) {
        const now = new Int32Array(buffer, address, words.length);
        const at = now.findIndex((word, j) => word !== words[j]);
        if (at !== -1) throw new Error(`operand ${i}, an input, was changed at float ${at}`);
      }
      const canary = isOutput ? AROUND_OUTPUTS : AROUND_INPUTS;
      const after = address + words.length * 4;
      for (const [from, to] of [
        [address - GUARD_BYTES, address],
        [after, Math.min(after + GUARD_BYTES, buffer.byteLength)],
      ] as const) {
        const at = new Int32Array(buffer, from, (to - from) / 4).findIndex((word) => word !== canary);
        if (at !== -1)
          throw new Error(`the word ${from + at * 4 - address} bytes from operand ${i}'s start was written`);
      }
    });
  }

  #place(bytes: number, overread: number, canary: number): number {
    const { buffer } = this.kernels.memory;
    const isLast = this.operands++ === this.#atEnd;
    const address = isLast ? buffer.byteLength - bytes - overread : this.#next + GUARD_BYTES;
    const end = isLast ? buffer.byteLength : address + bytes + overread + GUARD_BYTES;
    if (!isLast) this.#next = Math.ceil(end / 16) * 16;
    if (end > buffer.byteLength) throw new Error(`the harness has ${buffer.byteLength} bytes, and ${end} are needed`);
    new Int32Array(buffer, address - GUARD_BYTES, (end - address + GUARD_BYTES) / 4).fill(canary);
    return address;
  }

  #keep(address: number, floats: number, isOutput: boolean): void {
    const words = new Int32Array(this.kernels.memory.buffer, address, floats).slice();
    this.#placed.push({ address, words, isOutput });
  }
}

/**
 * Runs a case with its operands among canaries, once for each operand, which then ends where the memory does: reading
 * or writing beyond any of them traps.
 */
export function withCanaries(kernels: Kernels, run: (memory: KernelMemory) => void): void {
  let operands = 1;
  for (let i = 0; i < operands; i++) {
    const memory = new KernelMemory(kernels, i);
    run(memory);
    memory.check();
    operands = memory.operands;
  }
}

/** A deterministic source of numbers: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to 1, 1 excluded. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** `count` floats between -1 and 1. */
  floats(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.next() * 2 - 1);
  }
}

const word = new Int32Array(1);
const float = new Float32Array(word.buffer);

const bitsOf = (value: number): number => {
  float[0] = value;
  return word[0]!;
};

/** @throws Error at the first element whose bits differ; all NaNs count as one */
export function expectBits(actual: ArrayLike<number>, expected: ArrayLike<number>, label: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${label}: ${actual.length} elements instead of ${expected.length}`);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (bitsOf(a) !== bitsOf(e) && !(Number.isNaN(a) && Number.isNaN(e))) {
      throw new Error(`${label}: element ${i} is ${a} instead of ${e}, bit for bit`);
    }
  }
}

/** Float32's unit roundoff. */
export const UNIT = 2 ** -24;

/** @throws Error at the first element that is farther from the expected one than its bound */
export function expectWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bounds: ArrayLike<number>,
  label: string,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${label}: ${actual.length} elements instead of ${expected.length}`);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (Object.is(a, e) || Math.abs(a - e) <= bounds[i]!) continue;
    throw new Error(`${label}: element ${i} is ${a} instead of ${e}: ${Math.abs(a - e)} apart, not ${bounds[i]}`);
  }
}

/**
 * What kernels compute, with an upper bound of what float32 may lose: each operation adds half a unit of its result and
 * of what it rounded on the way (a running error analysis, Higham 2002, section 3.3).
 */
export class Bounded {
  value: number;
  bound = 0;

  constructor(value: number) {
    this.value = value;
  }

  /** value·a + b, whichever way it is rounded. */
  madd(a: number, b: number): this {
    const product = this.value * a;
    this.value = product + b;
    this.bound = this.bound * Math.abs(a) + UNIT * (Math.abs(product) + Math.abs(this.value)) * 1.001;
    return this;
  }

  /** value + a·b, whichever way it is rounded. */
  accumulate(a: number, b: number): this {
    this.value += a * b;
    this.bound += UNIT * (Math.abs(a * b) + Math.abs(this.value) + this.bound) * 1.001;
    return this;
  }

  /** value + a. */
  add(a: number): this {
    return this.accumulate(a, 1);
  }

  /** min(max(value, lo), hi): moves no two numbers apart. */
  clamp(lo: number, hi: number): this {
    this.value = Math.min(Math.max(this.value, lo), hi);
    return this;
  }
}
