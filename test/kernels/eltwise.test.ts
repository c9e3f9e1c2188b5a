/** Kernels that work element by element: f32_affine with its activations, f32_copy, f32_channel_shuffle, f32_mul. */

import { describe, expect, it } from 'vitest';
import { referenceActivation } from '../../src/ops/rules/epilogue.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_affine, f32_channel_shuffle, f32_copy, f32_mul } from '../../src/wasm/steps.gen.ts';
import {
  Bounded,
  BUILDS,
  ceil4,
  expectBits,
  expectWithin,
  type KernelMemory,
  loadKernels,
  Random,
  UNIT,
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

  interface Data {
    readonly x: Float32Array;
    readonly scale: Float32Array;
    readonly shift: Float32Array;
    readonly residual: Float32Array;
  }

  function run(memory: KernelMemory, of: Case, { x, scale, shift, residual }: Data) {
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
    const epilogue = memory.epilogue({ scale: s!, shift: t!, residual: added, residualBytes, lo, hi });
    const affine = f32_affine({
      firstPixel: 0,
      pixels,
      channels,
      x: from.address,
      pixelBytes: xBytes,
      out: out.address,
      outBytes,
      epilogue,
    });
    runStep(kernels, affine);
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
        expectWithin(run(memory, of, { x, scale, shift, residual }), values, bounds, label);
      withCanaries(kernels, compare);
    });
  });

  it('keeps NaN and infinities, which the clamp alone bounds', () => {
    const of: Case = { pixels: 1, channels: 4, norm: false, residual: false, lo: -Infinity, hi: Infinity, gap: 0 };
    const x = Float32Array.of(Number.NaN, Infinity, -Infinity, -0);
    const data = { x, scale: x, shift: x, residual: x };
    withCanaries(kernels, (memory) => expectBits(run(memory, of, data), x, build));
    const clamped = Float32Array.of(Number.NaN, 6, 0, -0);
    withCanaries(kernels, (memory) => expectBits(run(memory, { ...of, lo: 0, hi: 6 }, data), clamped, build));
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
          const copied = f32_copy({
            pixels: 3,
            channels,
            x: from.address,
            pixelBytes: from.pixelBytes,
            out: out.address,
            outBytes: out.pixelBytes,
          });
          runStep(kernels, copied);
          expectBits(memory.readPixels(out), x, `${build}, ${channels} channels, gaps ${gapIn} and ${gapOut}`);
        };
        withCanaries(kernels, copy);
      }
    }
  });
});

describe.each(BUILDS)('f32_channel_shuffle (%s)', (build) => {
  const kernels = loadKernels(build);

  it('writes the channels of the groups in turn, whatever lies between pixels', () => {
    for (const groups of [1, 2, 3, 4, 8]) {
      for (const run of [1, 2, 3, 4, 5, 7, 8, 29]) {
        for (const [gapIn, gapOut] of [
          [0, 0],
          [1, 3],
          [4, 0],
        ] as const) {
          const channels = groups * run;
          const x = new Random(channels).floats(3 * channels);
          const shuffled = x.map((_, i) => {
            const [pixel, c] = [Math.floor(i / channels), i % channels];
            return x[pixel * channels + (c % groups) * run + Math.floor(c / groups)]!;
          });
          const shuffle = (memory: KernelMemory) => {
            const from = memory.inputPixels(x, channels, { pixelBytes: (channels + gapIn) * 4 });
            const out = memory.outputPixels(3, channels, { pixelBytes: (channels + gapOut) * 4 });
            const step = f32_channel_shuffle({
              pixels: 3,
              channels,
              groups,
              x: from.address,
              pixelBytes: from.pixelBytes,
              out: out.address,
              outBytes: out.pixelBytes,
            });
            runStep(kernels, step);
            const what = `${build}, ${groups} groups of ${run}, gaps ${gapIn} and ${gapOut}`;
            expectBits(memory.readPixels(out), shuffled, what);
          };
          withCanaries(kernels, shuffle);
        }
      }
    }
  });
});

describe.each(BUILDS)('f32_mul (%s)', (build) => {
  const kernels = loadKernels(build);

  it('multiplies by one pixel for each image, or element by element, and writes whole vectors only', () => {
    for (const channels of CHANNELS) {
      for (const isPerChannel of [true, false]) {
        const [images, pixels, lanes] = [2, 3, ceil4(channels)];
        const random = new Random(channels);
        const x = random.floats(images * pixels * channels);
        const factors = random.floats(isPerChannel ? images * channels : x.length);
        const expected = x.map((value, i) => {
          const image = Math.floor(i / channels / pixels);
          return value * factors[isPerChannel ? image * channels + (i % channels) : i]!;
        });
        for (const gap of [0, 16]) {
          const multiply = (memory: KernelMemory) => {
            const a = memory.inputPixels(x, channels, { pixelBytes: lanes * 4 + gap, lanes });
            const b = memory.inputPixels(factors, channels, { pixelBytes: lanes * 4 + 2 * gap, lanes });
            const out = memory.outputPixels(images * pixels, channels, { pixelBytes: lanes * 4 + gap, lanes });
            const product = f32_mul({
              images,
              pixels,
              channels,
              x: a.address,
              pixelBytes: a.pixelBytes,
              scale: b.address,
              scaleBytes: isPerChannel ? 0 : b.pixelBytes,
              scaleImageBytes: isPerChannel ? b.pixelBytes : pixels * b.pixelBytes,
              out: out.address,
              outBytes: out.pixelBytes,
            });
            runStep(kernels, product);
            expectBits(memory.readPixels(out, lanes), expected, `${build}, ${channels} channels, gap ${gap}`);
          };
          withCanaries(kernels, multiply);
        }
      }
    }
  });
});

/** PyTorch's activations by the numbers that kernels know them by. */
const CURVES: readonly [name: string, of: (v: number) => number, roundings: number][] = [
  // A sum, a sixth that is rounded, and a product or two.
  ['hardswish', (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6, 4],
  ['hardsigmoid', (v) => Math.min(Math.max(v + 3, 0), 6) / 6, 3],
  // An exponential is within 2 ulp, which are 4 units; then a sum and a quotient.
  ['sigmoid', (v) => 1 / (1 + Math.exp(-v)), 6],
  ['silu', (v) => v / (1 + Math.exp(-v)), 6],
  // Φ is within 7.5e-8, which are 1.26 units, but not of its own size where it is small.
  ['gelu', (v) => referenceActivation({ kind: 'gelu' }, v), 8],
];

describe.each(BUILDS)('activations (%s)', (build) => {
  const kernels = loadKernels(build);
  const values = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 20);

  const activated = (x: Float32Array, activation: number): Float32Array => {
    let out = new Float32Array() as Float32Array;
    withCanaries(kernels, (memory) => {
      const from = memory.input(x);
      const to = memory.output(ceil4(x.length));
      const affine = f32_affine({
        firstPixel: 0,
        pixels: 1,
        channels: x.length,
        x: from,
        pixelBytes: 16,
        out: to,
        outBytes: 16,
        epilogue: memory.epilogue({ activation }),
      });
      runStep(kernels, affine);
      out = memory.read(to, x.length);
    });
    return out;
  };

  it.each(CURVES.map(([name], i) => [name, i + 1] as const))(
    "%s is PyTorch's within its roundings",
    (_, activation) => {
      const [name, of, roundings] = CURVES[activation - 1]!;
      const x = values.slice(0, 4000);
      const expected = Float64Array.from(x, of);
      // v + 3 rounds by up to a unit of v + 3; where e⁻ᵛ passes 2¹²⁸, 0 comes out, in PyTorch too: |v| is 100 at most.
      const bounds = expected.map((value, i) => {
        const sum = name.startsWith('hard') && Math.abs(x[i]!) < 4 ? UNIT * 7 * Math.max(1, Math.abs(x[i]!)) : 0;
        const ofPhi = name === 'gelu' ? 2 * UNIT * Math.abs(x[i]!) : 0;
        return roundings * UNIT * Math.abs(value) + sum + ofPhi + 100 * 2 ** -128;
      });
      expectWithin(activated(x, activation), expected, bounds, `${build}, ${name}`);
    },
  );

  it('leave what hardswish lets pass as it is', () => {
    const x = Float32Array.from({ length: 400 }, (_, i) => 3 + i * 1.37);
    expectBits(activated(x, 1), x, build);
  });

  it('keep NaN, and take infinities to their limits', () => {
    const x = Float32Array.of(Number.NaN, Infinity, -Infinity, 0);
    const limits = [
      [Number.NaN, Infinity, Number.NaN, 0],
      [Number.NaN, 1, 0, 0.5],
      [Number.NaN, 1, 0, 0.5],
      [Number.NaN, Infinity, Number.NaN, 0],
      [Number.NaN, Infinity, Number.NaN, 0],
    ];
    limits.forEach((expected, i) => {
      const bounds = [0, 0, 0, UNIT];
      expectWithin(activated(x, i + 1), expected, bounds, `${build}, ${CURVES[i]![0]}`);
    });
  });

  it('keep NaN of any bits', () => {
    const words = [0x7fc00001, 0x7fc000ff, 0xffc00180, 0x7fffffff, 0xffffffff, 0x7f800001, 0x7fc12345, 0x7fc00080];
    const x = new Float32Array(Uint32Array.from(words).buffer);
    CURVES.forEach(([name], i) => {
      expect([...activated(x, i + 1)].map(Number.isNaN), `${build}, ${name}`).toEqual(words.map(() => true));
    });
  });
});

describe('f32_affine (debug)', () => {
  it('asserts that pixels are whole vectors', () => {
    const kernels = loadKernels('debug');
    const call = (bytes: { readonly pixelBytes: number; readonly outBytes: number }) =>
      runStep(kernels, f32_affine({ firstPixel: 0, pixels: 1, channels: 1, x: 64, out: 64, epilogue: 64, ...bytes }));
    expect(() => call({ pixelBytes: 4, outBytes: 16 })).toThrow('assert: pixels are whole vectors');
    expect(() => call({ pixelBytes: 16, outBytes: 8 })).toThrow('assert: pixels are whole vectors');
  });
});
