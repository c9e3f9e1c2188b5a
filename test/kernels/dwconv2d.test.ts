/** Depthwise convolution. */

import { describe, expect, it } from 'vitest';
import { ONE_PIXEL, windowArguments } from '../../src/ops/rules/window.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_affine, f32_dwconv2d } from '../../src/wasm/steps.gen.ts';
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

/** A depthwise convolution of as much of an image as its windows reach, but `padding` rows and columns on each side. */
interface Case {
  readonly images: number;
  readonly channels: number;
  readonly out: readonly [height: number, width: number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  readonly norm: boolean;
  readonly residual: boolean;
  readonly lo: number;
  readonly hi: number;
  /** Vectors between a pixel's channels and the next pixel. */
  readonly gap: number;
}

const PLAIN: Case = {
  images: 1,
  channels: 5,
  out: [2, 5],
  kernel: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: [0, 0, 0, 0],
  norm: false,
  residual: false,
  lo: -Infinity,
  hi: Infinity,
  gap: 1,
};

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const CASES: readonly Partial<Case>[] = [
  // Rows of pixels one by one, of one block, of blocks that overlap.
  ...range(1, 15).flatMap((width) => [1, 2].map((images) => ({ out: [2, width] as const, images }))),
  ...[...range(1, 17), 24].map((channels) => ({ channels })),
  ...range(1, 3).flatMap((height) => range(1, 3).map((width) => ({ kernel: [height, width] as const }))),
  { stride: [2, 2] },
  { stride: [1, 3], out: [3, 6], images: 2 },
  { dilation: [2, 3], kernel: [2, 3] },
  { stride: [3, 2], dilation: [1, 2], out: [3, 3] },
  // Padding on all sides: wide rows, rows of one block, both sides in one block, windows without a pixel.
  ...range(3, 15).flatMap((width) =>
    [3, 5].flatMap((k) =>
      [1, 2].map((s) => ({
        ...{ out: [4, width] as const, kernel: [k, k] as const, stride: [s, s] as const },
        ...{ padding: [k >> 1, k >> 1, k >> 1, s === 1 ? k >> 1 : 0] as const, images: 2, channels: 70 },
      })),
    ),
  ),
  // How far a block's window may reach beyond a side, and one column or row more.
  ...[3, 5].flatMap((k) =>
    [1, 2].flatMap((s) =>
      range(0, (k >> 1) + 1).flatMap((before) =>
        range(0, (k >> 1) + 1).map((after) => ({
          ...{ out: [5, 8] as const, kernel: [k, k] as const, stride: [s, s] as const },
          padding: [after, before, before, after] as const,
        })),
      ),
    ),
  ),
  // Blocks of every second or third pixel: too few pixels, one block for each, blocks that overlap, and strides.
  ...[2, 3].flatMap((d) =>
    range(7 * d - 1, 8 * d + 1).flatMap((width) =>
      [3, 5].map((k) => ({
        ...{ out: [5, width] as const, kernel: [k, k] as const, dilation: [d, d] as const },
        ...{ padding: [(k >> 1) * d, (k >> 1) * d, (k >> 1) * d, (k >> 1) * d] as const, images: 2, channels: 70 },
        ...{ residual: width % 2 === 0, norm: width % 3 === 0 },
      })),
    ),
  ),
  ...[3, 5].flatMap((k) =>
    range(0, 2 * (k >> 1) + 1).flatMap((before) =>
      range(0, 2 * (k >> 1) + 1).map((after) => ({
        ...{ out: [5, 15] as const, kernel: [k, k] as const, dilation: [2, 2] as const },
        ...{ padding: [after, before, before, after] as const, residual: before === after },
      })),
    ),
  ),
  ...[
    [1, 2],
    [2, 1],
    [2, 2],
  ].flatMap(([h, w]) =>
    [1, 2].map((d) => ({
      ...{ out: [5, 16] as const, kernel: [3, 3] as const, stride: [h!, w!] as const, dilation: [d, d] as const },
      padding: [d, d, d, d] as const,
    })),
  ),
  { padding: [1, 4, 0, 4], out: [3, 17], kernel: [2, 3], dilation: [2, 3], stride: [1, 1] },
  { padding: [4, 0, 4, 0], out: [7, 5], kernel: [3, 3] },
  { padding: [4, 2, 4, 2], out: [9, 8], kernel: [3, 3], dilation: [2, 1] },
  ...range(0, 15).map((bits) => ({
    norm: (bits & 1) > 0,
    residual: (bits & 2) > 0,
    lo: bits & 4 ? 0 : -Infinity,
    hi: bits & 8 ? 0.5 : Infinity,
    out: [2, bits % 3 === 0 ? 3 : 8] as const,
  })),
];

const sizeOf = ({ out, kernel, stride, dilation, padding }: Case) =>
  [0, 1].map(
    (i) => (out[i]! - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - padding[i]! - padding[i + 2]!,
  ) as [number, number];

interface Data {
  readonly x: Float32Array;
  /** [channels, taps] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly scale: Float32Array;
  readonly shift: Float32Array;
  readonly residual: Float32Array;
}

function dataOf(of: Case, seed: number): Data {
  const random = new Random(seed);
  const [height, width] = sizeOf(of);
  return {
    x: random.floats(of.images * height * width * of.channels),
    weight: random.floats(of.channels * of.kernel[0] * of.kernel[1]),
    bias: random.floats(of.channels),
    scale: random.floats(of.channels),
    shift: random.floats(of.channels),
    residual: random.floats(of.images * of.out[0] * of.out[1] * of.channels),
  };
}

/** Rows of `channels` floats, each filled up to whole vectors with NaN. */
function inVectors(values: Float32Array, channels: number): Float32Array {
  const step = ceil4(channels);
  const out = new Float32Array((values.length / channels) * step).fill(Number.NaN);
  for (let i = 0; i < values.length; i++) out[Math.floor(i / channels) * step + (i % channels)] = values[i]!;
  return out;
}

/** Runs the kernel, the last row by itself, and returns pixels of `channels` floats. */
function run(memory: KernelMemory, of: Case, data: Data, activation = 0): Float32Array {
  const { images, channels, out: size, kernel, stride, dilation, padding, lo, hi, gap } = of;
  const [height, width] = sizeOf(of);
  const lanes = ceil4(channels);
  const pixelBytes = lanes * 4 + gap * 16;
  const x = memory.inputPixels(data.x, channels, { pixelBytes, lanes });
  const taps = kernel[0] * kernel[1];
  const byTap = Float32Array.from(
    data.weight,
    (_, i) => data.weight[(i % channels) * taps + Math.floor(i / channels)]!,
  );
  const weights = memory.input(inVectors(byTap, channels));
  const bias = memory.input(inVectors(data.bias, channels));
  const scale = of.norm ? memory.input(inVectors(data.scale, channels)) : 0;
  const shift = of.norm ? memory.input(inVectors(data.shift, channels)) : 0;
  const residual = of.residual ? memory.inputPixels(data.residual, channels, { pixelBytes, lanes }) : null;
  const added = { residual: residual?.address ?? 0, residualBytes: pixelBytes };
  const epilogue = memory.epilogue({ scale, shift, ...added, activation, lo, hi });
  const out = memory.outputPixels(images * size[0] * size[1], channels, { pixelBytes, lanes });
  const [top, left, bottom, right] = padding;
  for (const [first, last] of [
    [size[0] - 1, size[0]],
    [0, size[0] - 1],
  ] as const) {
    const conv = f32_dwconv2d({
      ...{ firstImage: 0, lastImage: images, channels, height, width, outHeight: size[0], outWidth: size[1] },
      ...windowArguments({ kernelSize: kernel, stride, dilation, padding: { top, left, bottom, right } }),
      firstRow: first,
      lastRow: last,
      ...{
        x: x.address,
        pixelBytes: x.pixelBytes,
        weights,
        out: out.address,
        outBytes: out.pixelBytes,
        bias,
        epilogue,
      },
    });
    runStep(memory.kernels, conv);
  }
  return memory.readPixels(out, lanes);
}

/** Calls `visit` with an output's products in the kernel's order. */
function eachProduct(of: Case, data: Data, i: number, visit: (x: number, w: number) => void): void {
  const { channels, out, kernel, stride, dilation, padding } = of;
  const [height, width] = sizeOf(of);
  const channel = i % channels;
  const pixel = Math.floor(i / channels);
  const [ox, oy, image] = [pixel % out[1], Math.floor(pixel / out[1]) % out[0], Math.floor(pixel / out[1] / out[0])];
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const iy = oy * stride[0] + ky * dilation[0] - padding[0];
      const ix = ox * stride[1] + kx * dilation[1] - padding[1];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      const x = data.x[((image * height + iy) * width + ix) * channels + channel]!;
      visit(x, data.weight[(channel * kernel[0] + ky) * kernel[1] + kx]!);
    }
  }
}

function reference(of: Case, data: Data): { values: number[]; bounds: number[] } {
  const all = Array.from(data.residual, (_, i) => {
    const c = i % of.channels;
    const sum = new Bounded(data.bias[c]!);
    eachProduct(of, data, i, (x, w) => sum.accumulate(x, w));
    if (of.norm) sum.madd(data.scale[c]!, data.shift[c]!);
    if (of.residual) sum.add(data.residual[i]!);
    return sum.clamp(of.lo, of.hi);
  });
  return { values: all.map(({ value }) => value), bounds: all.map(({ bound }) => bound) };
}

/** The outputs with each operation rounded to float32, tap after tap. */
function rounded(of: Case, data: Data): Float32Array {
  return data.residual.map((residual, i) => {
    const c = i % of.channels;
    let v = data.bias[c]!;
    const madd = (sum: number, a: number, b: number) => Math.fround(sum + Math.fround(a * b));
    eachProduct(of, data, i, (x, w) => {
      v = madd(v, x, w);
    });
    if (of.norm) v = madd(data.shift[c]!, v, data.scale[c]!);
    if (of.residual) v = Math.fround(v + residual);
    return Math.min(Math.max(v, of.lo), of.hi);
  });
}

describe.each(BUILDS)('f32_dwconv2d (%s)', (build) => {
  const kernels = loadKernels(build);
  const named = (seed: number, of: Case) => `${build}, seed ${seed}, ${JSON.stringify(of)}`;

  it('equals the sum of products within float32, and writes whole vectors only', () => {
    CASES.forEach((part, seed) => {
      const of = { ...PLAIN, ...part };
      const data = dataOf(of, seed);
      const { values, bounds } = reference(of, data);
      withCanaries(kernels, (memory) => expectWithin(run(memory, of, data), values, bounds, named(seed, of)));
    });
  });

  it('gives a pixel the same bits alone, in a block, and where blocks overlap', () => {
    const of: Case = { ...PLAIN, out: [1, 9], norm: true, residual: true };
    const data = dataOf(of, 9);
    const [height, width] = sizeOf(of);
    let whole: Float32Array = new Float32Array();
    withCanaries(kernels, (memory) => {
      whole = run(memory, of, data);
    });
    for (let ox = 0; ox < 9; ox++) {
      for (const count of range(1, 9 - ox)) {
        const part: Case = { ...of, out: [1, count] };
        const columns = sizeOf(part)[1];
        const rows = range(0, height - 1).map((y) => [
          ...data.x.subarray((y * width + ox) * 5, (y * width + ox + columns) * 5),
        ]);
        const cut: Data = {
          ...data,
          x: Float32Array.from(rows.flat()),
          residual: data.residual.slice(ox * 5, (ox + count) * 5),
        };
        withCanaries(kernels, (memory) => {
          expectBits(
            run(memory, part, cut),
            whole.slice(ox * 5, (ox + count) * 5),
            `${build}, ${count} pixels from ${ox}`,
          );
        });
      }
    }
  });

  it('reads nothing beyond its operands', () => {
    for (const channels of [1, 4, 7]) {
      for (const [width, side] of [
        [3, 0],
        [8, 0],
        [8, 1],
      ] as const) {
        const padding = [side, side, side, side] as const;
        const of: Case = { ...PLAIN, channels, out: [3, width], padding, norm: true, residual: true, gap: 0 };
        const data = dataOf(of, channels);
        const { values, bounds } = reference(of, data);
        const compare = (memory: KernelMemory) =>
          expectWithin(run(memory, of, data), values, bounds, named(channels, of));
        withCanaries(kernels, compare);
      }
    }
  });

  it('lets a pixel into its own windows alone', () => {
    for (const k of [3, 5]) {
      for (const s of [1, 2]) {
        const side = k >> 1;
        const padding = [side, side, side, s === 1 ? side : side - 1] as const;
        const of: Case = { ...PLAIN, channels: 4, out: [2, 8], kernel: [k, k], stride: [s, s], padding };
        const [height, width] = sizeOf(of);
        for (let pixel = 0; pixel < height * width; pixel++) {
          const data = dataOf(of, pixel);
          data.x.fill(Number.NaN, pixel * 4, pixel * 4 + 4);
          withCanaries(kernels, (memory) => {
            const isNaNAt = (values: ArrayLike<number>) => Array.from(values, Number.isNaN);
            expect(isNaNAt(run(memory, of, data)), named(pixel, of)).toEqual(isNaNAt(rounded(of, data)));
          });
        }
      }
    }
  });

  it('applies an activation with the bits of f32_affine', () => {
    for (const width of [3, 8]) {
      for (const residual of [false, true]) {
        const of: Case = { ...PLAIN, channels: 70, out: [2, width], norm: true, residual, gap: 0 };
        const data = dataOf(of, width);
        for (const activation of [1, 2, 3, 4]) {
          withCanaries(kernels, (memory) => {
            const sums = memory.input(inVectors(run(memory, of, data), of.channels));
            const out = memory.outputPixels(2 * width, of.channels, { pixelBytes: 288, lanes: 72 });
            const affine = f32_affine({
              ...{ firstPixel: 0, pixels: 2 * width, channels: of.channels, x: sums, pixelBytes: 288 },
              ...{ out: out.address, outBytes: 288, epilogue: memory.epilogue({ activation }) },
            });
            runStep(kernels, affine);
            expectBits(run(memory, of, data, activation), memory.readPixels(out, 72), named(activation, of));
          });
        }
      }
    }
  });

  it('keeps a NaN through the clamp, and infinities up to it', () => {
    for (const width of [3, 8]) {
      const of: Case = { ...PLAIN, channels: 4, out: [1, width], kernel: [1, 1], lo: 0, hi: 6 };
      const data = dataOf(of, 1);
      data.weight.fill(1);
      for (let i = 0; i < data.x.length; i++) data.x[i] = [Number.NaN, Infinity, -Infinity][i % 3]!;
      const expected = data.x.map((x) => (x === Infinity ? 6 : x === -Infinity ? 0 : x));
      withCanaries(kernels, (memory) => expectBits(run(memory, of, data), expected, named(1, of)));
    }
  });
});

describe('f32_dwconv2d (debug)', () => {
  it('asserts that pixels are whole vectors, and rows there', () => {
    const kernels = loadKernels('debug');
    const call = (pixelBytes: number, outBytes: number, lastRow = 1) => {
      const conv = f32_dwconv2d({
        ...{ firstImage: 0, lastImage: 1, channels: 1, height: 1, width: 1, outHeight: 1, outWidth: 1 },
        ...{ ...windowArguments(ONE_PIXEL), firstRow: 0, lastRow, x: 64, pixelBytes, weights: 64 },
        // Zeros are an epilogue that clamps to 0.
        ...{ out: 64, outBytes, bias: 64, epilogue: 32_768 },
      });
      runStep(kernels, conv);
    };
    expect(() => call(20, 16)).toThrow('assert: pixels are whole vectors');
    expect(() => call(16, 4)).toThrow('assert: pixels are whole vectors');
    call(16, 16);
    expect(() => call(16, 16, 2)).toThrow('assert: rows are there');
  });
});

// The relaxed binary rounds once where the others round twice.
describe.each(['simd', 'debug'] as const)('f32_dwconv2d (%s)', (build) => {
  const kernels = loadKernels(build);
  const named = (seed: number, of: Case) => `${build}, seed ${seed}, ${JSON.stringify(of)}`;

  it('rounds each operation, tap after tap, in one order', () => {
    CASES.forEach((part, seed) => {
      const of = { ...PLAIN, ...part };
      const data = dataOf(of, seed);
      withCanaries(kernels, (memory) => expectBits(run(memory, of, data), rounded(of, data), named(seed, of)));
    });
  });
});
