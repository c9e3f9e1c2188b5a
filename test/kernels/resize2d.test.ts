/** Resizing of feature maps. */

import { describe, expect, it } from 'vitest';
import { runStep } from '../../src/wasm/step.ts';
import { f32_resize2d_bilinear, f32_resize2d_nearest } from '../../src/wasm/steps.gen.ts';
import {
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

interface Case {
  readonly images: number;
  readonly channels: number;
  readonly size: readonly [height: number, width: number];
  readonly out: readonly [height: number, width: number];
  readonly alignCorners: boolean;
  /** 1 / factor of each axis, where factors are given. */
  readonly scales?: readonly [height: number, width: number];
}

const CHANNELS = [...Array.from({ length: 17 }, (_, i) => i + 1), 24];

const SIZES = [
  [
    [1, 1],
    [1, 1],
  ],
  [
    [1, 1],
    [4, 3],
  ],
  [
    [5, 4],
    [1, 1],
  ],
  [
    [3, 4],
    [7, 9],
  ],
  [
    [7, 9],
    [3, 4],
  ],
  [
    [4, 4],
    [8, 8],
  ],
  [
    [5, 6],
    [5, 6],
  ],
  [
    [2, 7],
    [5, 3],
  ],
] as const;

const CASES: readonly Case[] = [
  ...SIZES.flatMap(([size, out]) =>
    [false, true].map((alignCorners) => ({ images: 2, channels: 5, size, out, alignCorners })),
  ),
  ...CHANNELS.map((channels) => ({
    images: 2,
    channels,
    size: [3, 2] as const,
    out: [4, 5] as const,
    alignCorners: false,
  })),
  // Factors whose output size is the input's although they aren't 1.
  ...(
    [
      [1.3, 1.1],
      [1.3, 2.41],
      [1.9, 1.4],
    ] as const
  ).map((factors) => ({
    images: 2,
    channels: 5,
    size: [3, 2] as const,
    out: [Math.floor(3 * factors[0]), Math.floor(2 * factors[1])] as const,
    alignCorners: false,
    scales: [1 / factors[0], 1 / factors[1]] as const,
  })),
];

const scalesOf = ({ size, out, alignCorners, scales }: Case) =>
  [0, 1].map((i) => {
    const scale = alignCorners ? (out[i]! > 1 ? (size[i]! - 1) / (out[i]! - 1) : 0) : size[i]! / out[i]!;
    return Math.fround(scales?.[i] ?? scale);
  }) as [number, number];

function run(
  memory: KernelMemory,
  of: Case,
  mode: 'bilinear' | 'nearest',
  values: Float32Array,
  gap: number,
): Float32Array {
  const { images, channels, size, out: outSize, alignCorners } = of;
  const lanes = ceil4(channels);
  const x = memory.inputPixels(values, channels, { pixelBytes: (lanes + 8 * gap) * 4, lanes });
  const out = memory.outputPixels(images * outSize[0] * outSize[1], channels, {
    pixelBytes: (lanes + 4 * gap) * 4,
    lanes,
  });
  const [scaleHeight, scaleWidth] = scalesOf(of);
  const resize = {
    ...{ images, channels, height: size[0], width: size[1], outHeight: outSize[0], outWidth: outSize[1] },
    ...{ scaleHeight, scaleWidth, x: x.address, pixelBytes: x.pixelBytes, out: out.address, outBytes: out.pixelBytes },
  };
  const step =
    mode === 'nearest'
      ? f32_resize2d_nearest(resize)
      : f32_resize2d_bilinear({ ...resize, alignCorners: Number(alignCorners) });
  runStep(memory.kernels, step);
  return memory.readPixels(out, lanes);
}

const inputOf = ({ images, size, channels }: Case, seed: number) =>
  new Random(seed).floats(images * size[0] * size[1] * channels);

/** For each output, `of` its image, channel and position. */
const outputsOf = (
  { images, channels, out }: Case,
  of: (image: number, channel: number, oy: number, ox: number) => number,
) =>
  Array.from({ length: images * out[0] * out[1] * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    return of(Math.floor(pixel / out[1] / out[0]), i % channels, Math.floor(pixel / out[1]) % out[0], pixel % out[1]);
  });

describe.each(BUILDS)('resizing (%s)', (build) => {
  const kernels = loadKernels(build);

  it("f32_resize2d_bilinear weighs the four neighbours of PyTorch's source, computed in float64", () => {
    CASES.forEach((of, seed) => {
      const x = inputOf(of, seed);
      const [scaleY, scaleX] = scalesOf(of);
      const source = (i: number, scale: number, size: number, out: number) => {
        if (size === out) return { from: i, to: i, weight: 0 };
        const at = of.alignCorners ? i * scale : Math.max(0, (i + 0.5) * scale - 0.5);
        const from = Math.min(Math.floor(at), size - 1);
        return { from, to: Math.min(from + 1, size - 1), weight: Math.fround(at - from) };
      };
      const expected = outputsOf(of, (image, channel, oy, ox) => {
        const [rows, columns] = [source(oy, scaleY, of.size[0], of.out[0]), source(ox, scaleX, of.size[1], of.out[1])];
        const at = (y: number, x_: number) => x[((image * of.size[0] + y) * of.size[1] + x_) * of.channels + channel]!;
        const line = (y: number) => at(y, columns.from) * (1 - columns.weight) + at(y, columns.to) * columns.weight;
        return line(rows.from) * (1 - rows.weight) + line(rows.to) * rows.weight;
      });
      // |x| <= 1 and weights add up to 1: 1 − w, product and sum round by a unit each, in both directions.
      const bounds = expected.map(() => 8 * UNIT);
      const label = `${build}, seed ${seed}, ${JSON.stringify(of)}`;
      const compare = (gap: number) => (memory: KernelMemory) =>
        expectWithin(run(memory, of, 'bilinear', x, gap), expected, bounds, label);
      withCanaries(kernels, compare(1));
      withCanaries(kernels, compare(0));
    });
  });

  it('f32_resize2d_bilinear copies an image to its own size bit for bit', () => {
    const of: Case = { images: 1, channels: 3, size: [5, 6], out: [5, 6], alignCorners: false };
    const x = inputOf(of, 1);
    for (const alignCorners of [false, true]) {
      withCanaries(kernels, (memory) => expectBits(run(memory, { ...of, alignCorners }, 'bilinear', x, 0), x, build));
    }
  });

  it('f32_resize2d_bilinear takes nothing from beside along an axis whose size stays', () => {
    const x = new Float32Array([1, 2, Number.NaN, 4, 5, 6]);
    for (const alignCorners of [false, true]) {
      const row: Case = { images: 1, channels: 1, size: [1, 6], out: [2, 6], alignCorners, scales: [0.5, 0.7] };
      withCanaries(kernels, (memory) => expectBits(run(memory, row, 'bilinear', x, 0), [...x, ...x], build));
      const column: Case = { images: 1, channels: 1, size: [6, 1], out: [6, 2], alignCorners, scales: [0.7, 0.5] };
      const twice = [...x].flatMap((v) => [v, v]);
      withCanaries(kernels, (memory) => expectBits(run(memory, column, 'bilinear', x, 0), twice, build));
    }
  });

  it("f32_resize2d_nearest copies the pixel of PyTorch's source, NaN and infinities too", () => {
    CASES.forEach((part, seed) => {
      const of = { ...part, alignCorners: false };
      const x = inputOf(of, seed);
      x.set([Number.NaN, Infinity, -Infinity].slice(0, x.length));
      const [scaleY, scaleX] = scalesOf(of);
      const source = (i: number, scale: number, size: number) => Math.min(Math.floor(Math.fround(i * scale)), size - 1);
      const expected = outputsOf(of, (image, channel, oy, ox) => {
        const [iy, ix] = [source(oy, scaleY, of.size[0]), source(ox, scaleX, of.size[1])];
        return x[((image * of.size[0] + iy) * of.size[1] + ix) * of.channels + channel]!;
      });
      const label = `${build}, seed ${seed}, ${JSON.stringify(of)}`;
      const compare = (gap: number) => (memory: KernelMemory) =>
        expectBits(run(memory, of, 'nearest', x, gap), expected, label);
      withCanaries(kernels, compare(1));
      withCanaries(kernels, compare(0));
    });
  });
});

describe('resizing (debug)', () => {
  const kernels = loadKernels('debug');
  const sizes = { images: 1, channels: 1, height: 1, width: 1, outHeight: 1, outWidth: 1 };

  it('asserts that pixels are whole vectors', () => {
    for (const [pixelBytes, outBytes] of [
      [4, 16],
      [16, 4],
    ] as const) {
      const resize = { ...sizes, scaleHeight: 1, scaleWidth: 1, x: 64, pixelBytes, out: 128, outBytes };
      for (const step of [f32_resize2d_nearest(resize), f32_resize2d_bilinear({ ...resize, alignCorners: 0 })]) {
        expect(() => runStep(kernels, step)).toThrow('assert: pixels are whole vectors');
      }
    }
  });
});
