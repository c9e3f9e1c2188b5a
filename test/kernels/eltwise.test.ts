import { describe, expect, it } from 'vitest';
import {
  Bounded,
  BUILDS,
  ceil4,
  expectBits,
  expectWithin,
  type KernelMemory,
  loadKernels,
  Random,
  withCanaries,
} from '../support/kernels.ts';

const CHANNELS = [...Array.from({ length: 17 }, (_, i) => i + 1), 24];

interface Case {
  readonly pixels: number;
  readonly channels: number;
  readonly norm: boolean;
  readonly residual: boolean;
  readonly lo: number;
  readonly hi: number;
  readonly gap: number;
}

const CASES: readonly Case[] = CHANNELS.flatMap((channels) =>
  Array.from({ length: 8 }, (_, bits) => ({
    pixels: 1 + ((channels + bits) % 5),
    channels,
    norm: (bits & 1) > 0,
    residual: (bits & 2) > 0,
    lo: bits & 4 ? -0.25 : -Infinity,
    hi: bits & 4 ? 0.5 : Infinity,
    gap: bits % 3,
  })),
);

describe.each(BUILDS)('f32_affine (%s)', (build) => {
  const kernels = loadKernels(build);

  function run(
    memory: KernelMemory,
    of: Case,
    x: Float32Array,
    scale: Float32Array,
    shift: Float32Array,
    residual: Float32Array,
  ) {
    const { pixels, channels, lo, hi, gap } = of;
    const lanes = ceil4(channels);
    const [xBytes, outBytes, residualBytes] = [(lanes + 4 * gap) * 4, lanes * 4 + 16, (lanes + 8) * 4];
    const vector = (values: Float32Array) => memory.input([...values, ...Array(lanes - channels).fill(Number.NaN)]);
    const from = memory.inputPixels(x, channels, { pixelBytes: xBytes, lanes });
    const added = of.residual
      ? memory.inputPixels(residual, channels, { pixelBytes: residualBytes, lanes }).address
      : 0;
    const [s, t] = of.norm ? [vector(scale), vector(shift)] : [0, 0];
    const out = memory.outputPixels(pixels, channels, { pixelBytes: outBytes, lanes });
    kernels.f32_affine(
      pixels,
      channels,
      from.address,
      xBytes,
      out.address,
      outBytes,
      s,
      t,
      added,
      residualBytes,
      0,
      lo,
      hi,
    );
    return memory.readPixels(out, lanes);
  }

  it('computes clamp(x·scale + shift + residual), and writes whole vectors only', () => {
    CASES.forEach((of, seed) => {
      const random = new Random(seed);
      const count = of.pixels * of.channels;
      const [x, residual] = [random.floats(count), random.floats(count)];
      const [scale, shift] = [random.floats(of.channels), random.floats(of.channels)];
      const all = Array.from(x, (value, i) => {
        const out = new Bounded(value);
        if (of.norm) out.madd(scale[i % of.channels]!, shift[i % of.channels]!);
        if (of.residual) out.add(residual[i]!);
        return out.clamp(of.lo, of.hi);
      });
      const [values, bounds] = [all.map(({ value }) => value), all.map(({ bound }) => bound)];
      const label = `${build}, seed ${seed}, ${JSON.stringify(of)}`;
      const compare = (memory: KernelMemory) =>
        expectWithin(run(memory, of, x, scale, shift, residual), values, bounds, label);
      withCanaries(kernels, compare, { edges: of.gap === 0 });
    });
  });

  it('keeps NaN and infinities, which the clamp alone bounds', () => {
    const of: Case = { pixels: 1, channels: 4, norm: false, residual: false, lo: -Infinity, hi: Infinity, gap: 0 };
    const x = Float32Array.of(Number.NaN, Infinity, -Infinity, -0);
    withCanaries(kernels, (memory) => expectBits(run(memory, of, x, x, x, x), x, build));
    const clamped = Float32Array.of(Number.NaN, 6, 0, -0);
    withCanaries(kernels, (memory) => expectBits(run(memory, { ...of, lo: 0, hi: 6 }, x, x, x, x), clamped, build));
  });
});

describe.each(BUILDS)('f32_copy (%s)', (build) => {
  const kernels = loadKernels(build);

  it('copies exactly the channels of each pixel, whatever lies between', () => {
    for (const channels of CHANNELS) {
      for (const [gapIn, gapOut] of [
        [0, 0],
        [1, 3],
        [4, 0],
      ] as const) {
        const x = new Random(channels).floats(3 * channels);
        const copy = (memory: KernelMemory) => {
          const from = memory.inputPixels(x, channels, { pixelBytes: (channels + gapIn) * 4 });
          const out = memory.outputPixels(3, channels, { pixelBytes: (channels + gapOut) * 4 });
          kernels.f32_copy(3, channels, from.address, from.pixelBytes, out.address, out.pixelBytes);
          expectBits(memory.readPixels(out), x, `${build}, ${channels} channels, gaps ${gapIn} and ${gapOut}`);
        };
        withCanaries(kernels, copy, { edges: true });
      }
    }
  });
});

describe('f32_affine (debug)', () => {
  it('asserts that pixels are whole vectors', () => {
    const { f32_affine } = loadKernels('debug');
    expect(() => f32_affine(1, 1, 64, 4, 64, 16, 0, 0, 0, 0, 0, 0, 0)).toThrow('assert: pixels are whole vectors');
    expect(() => f32_affine(1, 1, 64, 16, 64, 8, 0, 0, 0, 0, 0, 0, 0)).toThrow('assert: pixels are whole vectors');
  });
});
