/** Max, average and adaptive average pooling. */

import { describe, expect, it } from 'vitest';
import { ONE_PIXEL, windowArguments } from '../../src/ops/rules/window.ts';
import { type KernelStep, runStep } from '../../src/wasm/step.ts';
import { f32_avgpool2d, f32_maxpool2d } from '../../src/wasm/steps.gen.ts';
import {
  Bounded,
  BUILDS,
  type Build,
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
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation: readonly [number, number];
}

const CHANNELS = [...Array.from({ length: 17 }, (_, i) => i + 1), 24];

const PLAIN: Omit<Case, 'out'> = {
  images: 2,
  channels: 5,
  size: [5, 7],
  kernel: [3, 2],
  stride: [2, 1],
  padding: [1, 1, 1, 1],
  dilation: [1, 1],
};

/** As many windows as fit, and with `ceil` one more where it starts inside. */
function withOut(part: Partial<Case>, ceil = false): Case {
  const of = { ...PLAIN, ...part };
  const { size, kernel, stride, padding, dilation } = of;
  const out = [0, 1].map((i) => {
    const room = size[i]! + padding[i]! + padding[i + 2]! - dilation[i]! * (kernel[i]! - 1) - 1;
    const windows = Math[ceil ? 'ceil' : 'floor'](room / stride[i]!) + 1;
    return ceil && (windows - 1) * stride[i]! >= size[i]! + padding[i]! ? windows - 1 : windows;
  }) as [number, number];
  return { ...of, out };
}

const WINDOWS: readonly Case[] = [
  ...CHANNELS.map((channels) => withOut({ channels })),
  withOut({ size: [1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0] }),
  withOut({ size: [1, 1], kernel: [3, 3], stride: [2, 2] }),
  withOut({ size: [1, 1], kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] }, true),
  withOut({ size: [6, 6], kernel: [3, 3], stride: [2, 2], padding: [0, 0, 0, 0] }, true),
  withOut({ size: [6, 5], kernel: [2, 2], stride: [3, 2], padding: [0, 0, 0, 0] }, true),
  withOut({ size: [7, 7], kernel: [3, 3], stride: [2, 2], padding: [0, 1, 1, 0] }),
  withOut({ size: [9, 8], kernel: [5, 4], stride: [100, 100], padding: [2, 2, 2, 2] }),
  withOut({ size: [4, 3], kernel: [4, 3], stride: [1, 1], padding: [2, 1, 2, 1] }),
  withOut({ size: [11, 37], kernel: [10, 35], stride: [1, 1], padding: [1, 2, 1, 2], channels: 21 }),
];

/** The largest number that a size may be. */
const MOST = 2 ** 31 - 1;

const DILATED: readonly Case[] = [
  withOut({ size: [4, 5], kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [MOST, MOST] }),
  withOut({
    size: [4, 4],
    kernel: [2, 2],
    stride: [3, 1],
    padding: [2, 1, MOST - 9, MOST - 9],
    dilation: [MOST - 8, MOST - 8],
  }),
  withOut({ size: [9, 9], kernel: [3, 3], stride: [2, 1], dilation: [2, 3] }),
  // Between −1 and 4 lies the whole image: a window of nothing but padding.
  withOut({ size: [4, 4], kernel: [2, 2], stride: [1, 1], dilation: [5, 5] }),
  withOut({ size: [5, 6], kernel: [2, 3], stride: [3, 1], padding: [1, 1, 0, 0], dilation: [4, 2] }),
];

/** An output's pixels of the image, row by row. */
function inWindow({ channels, size, out, kernel, stride, padding, dilation }: Case, i: number): number[] {
  const [channel, pixel] = [i % channels, Math.floor(i / channels)];
  const [ox, oy, image] = [pixel % out[1], Math.floor(pixel / out[1]) % out[0], Math.floor(pixel / out[1] / out[0])];
  const found: number[] = [];
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const [iy, ix] = [oy * stride[0] - padding[0] + ky * dilation[0], ox * stride[1] - padding[1] + kx * dilation[1]];
      if (iy < 0 || iy >= size[0] || ix < 0 || ix >= size[1]) continue;
      found.push(((image * size[0] + iy) * size[1] + ix) * channels + channel);
    }
  }
  return found;
}

const outputs = ({ images, out, channels }: Case) =>
  Array.from({ length: images * out[0] * out[1] * channels }, (_, i) => i);

const named = (build: Build, seed: number, of: object) => `${build}, seed ${seed}, ${JSON.stringify(of)}`;

/** Where a pooling's input and output lie. */
interface Addresses {
  readonly x: number;
  readonly pixelBytes: number;
  readonly out: number;
  readonly outBytes: number;
}

/** A case's sizes and window by the kernels' names. */
function argumentsOf({ images, channels, size, out, kernel, stride, padding, dilation }: Case) {
  const [top, left, bottom, right] = padding;
  const window = { kernelSize: kernel, stride, dilation, padding: { top, left, bottom, right } };
  const sizes = { images, channels, height: size[0], width: size[1], outHeight: out[0], outWidth: out[1] };
  return { ...sizes, ...windowArguments(window) };
}

/** Runs `pool` on pixels of whole vectors with one more vector between them. */
function run(
  memory: KernelMemory,
  { channels, images, out: size }: Pick<Case, 'channels' | 'images' | 'out'>,
  values: Float32Array,
  pool: (addresses: Addresses) => KernelStep,
  gap = 1,
): Float32Array {
  const lanes = ceil4(channels);
  const x = memory.inputPixels(values, channels, { pixelBytes: (lanes + 4 * gap) * 4, lanes });
  const out = memory.outputPixels(images * size[0] * size[1], channels, { pixelBytes: (lanes + 8 * gap) * 4, lanes });
  const { pixelBytes } = x;
  runStep(memory.kernels, pool({ x: x.address, pixelBytes, out: out.address, outBytes: out.pixelBytes }));
  return memory.readPixels(out, lanes);
}

const inputOf = ({ images, size, channels }: Case, seed: number) =>
  new Random(seed).floats(images * size[0] * size[1] * channels);

describe.each(BUILDS)('f32_maxpool2d (%s)', (build) => {
  const kernels = loadKernels(build);

  const pooled = (memory: KernelMemory, of: Case, x: Float32Array, gap = 1) => {
    return run(memory, of, x, (addresses) => f32_maxpool2d({ ...argumentsOf(of), ...addresses }), gap);
  };
  const maxima = (of: Case, x: Float32Array) =>
    outputs(of).map((i) => Math.max(...inWindow(of, i).map((at) => x[at]!)));

  it('is the maximum of each window, −∞ where it holds padding alone', () => {
    [...WINDOWS, ...DILATED].forEach((of, seed) => {
      const x = inputOf(of, seed);
      const compare = (gap: number) => (memory: KernelMemory) =>
        expectBits(pooled(memory, of, x, gap), maxima(of, x), named(build, seed, of));
      withCanaries(kernels, compare(1));
      withCanaries(kernels, compare(0));
    });
  });

  it('is NaN wherever a window holds one, in whichever place', () => {
    // Sixteen channels go together, and what is left by fours.
    const of = withOut({ images: 1, channels: 21, size: [5, 5], kernel: [3, 3], stride: [1, 1] });
    for (let at = 0; at < 25; at++) {
      const x = inputOf(of, at);
      for (const channel of [0, 6, 13, 15, 17, 20]) x[at * 21 + channel] = Number.NaN;
      withCanaries(kernels, (memory) => expectBits(pooled(memory, of, x), maxima(of, x), named(build, at, of)));
    }
  });

  it('takes infinities as numbers, those of both signs in one window too', () => {
    for (const channels of [1, 16]) {
      const of = withOut({ images: 1, channels, size: [2, 2], kernel: [1, 2], stride: [1, 1], padding: [0, 0, 0, 0] });
      for (const pixels of [
        [-Infinity, -Infinity, 1, Infinity],
        [-Infinity, Infinity, -Infinity, 2],
      ]) {
        const x = Float32Array.from(pixels.flatMap((pixel) => Array<number>(channels).fill(pixel)));
        withCanaries(kernels, (memory) => expectBits(pooled(memory, of, x), maxima(of, x), named(build, 0, of)));
      }
    }
  });
});

/** Elements that are added up in float32, before their sum joins the window's in float64. */
const RUN = 16;

const runsOf = (found: readonly number[]): number[][] =>
  Array.from({ length: Math.ceil(found.length / RUN) }, (_, i) => found.slice(i * RUN, (i + 1) * RUN));

/** The mean of the found elements, and the bound of a run's sums and the last rounding. */
function mean(x: Float32Array, found: readonly number[], divisor: number): Bounded {
  const exact = new Bounded(found.reduce((sum, at) => sum + x[at]!, 0));
  exact.bound = Math.min(found.length, RUN) * UNIT * found.reduce((sum, at) => sum + Math.abs(x[at]!), 0);
  return exact.madd(1 / divisor, 0);
}

/** The means with each operation rounded to float32, but the sum of runs. */
function roundedMean(x: Float32Array, found: readonly number[], divisor: number): number {
  const runs = runsOf(found).map((run) => run.reduce((sum, at) => Math.fround(sum + x[at]!), 0));
  return Math.fround(runs.reduce((sum, v) => sum + v, 0) / divisor);
}

/** Strides and kernels in whole pixels. */
const WHOLE = { partsHeight: 1, partsWidth: 1 };

/** The arguments with which average pooling is PyTorch's adaptive one. */
function adaptive([height, width]: readonly [number, number], [outHeight, outWidth]: readonly [number, number]) {
  return {
    ...{ kernelHeight: height + outHeight - 1, strideHeight: height, partsHeight: outHeight },
    ...{ kernelWidth: width + outWidth - 1, strideWidth: width, partsWidth: outWidth },
    ...{ top: 0, left: 0, bottom: 0, right: 0, countIncludePad: 0, divisorOverride: 0 },
  };
}

describe.each(BUILDS)('f32_avgpool2d (%s)', (build) => {
  const kernels = loadKernels(build);

  const pooled = (
    memory: KernelMemory,
    of: Case,
    x: Float32Array,
    { countIncludePad, divisor }: { readonly countIncludePad: boolean; readonly divisor: number },
    gap = 1,
  ) => {
    const divisors = { ...WHOLE, countIncludePad: Number(countIncludePad), divisorOverride: divisor };
    const pool = (addresses: Addresses) => f32_avgpool2d({ ...argumentsOf(of), ...divisors, ...addresses });
    return run(memory, of, x, pool, gap);
  };

  /** PyTorch's divisor: the window's size, clipped to the padded image or to the image. */
  function divisorOf(
    { channels, size, out, kernel, stride, padding }: Case,
    i: number,
    countIncludePad: boolean,
  ): number {
    const pixel = Math.floor(i / channels);
    const at = [Math.floor(pixel / out[1]) % out[0], pixel % out[1]];
    const extents = [0, 1].map((axis) => {
      const start = at[axis]! * stride[axis]! - padding[axis]!;
      const end = Math.min(start + kernel[axis]!, size[axis]! + padding[axis + 2]!);
      return countIncludePad ? end - start : Math.min(end, size[axis]!) - Math.max(start, 0);
    });
    return extents[0]! * extents[1]!;
  }

  it("divides each window's sum by its size with or without padding, or by a given divisor", () => {
    WINDOWS.forEach((of, seed) => {
      const x = inputOf(of, seed);
      for (const [includes, override] of [
        [true, 0],
        [false, 0],
        [true, 7],
        [true, -(2 ** 33)],
      ] as const) {
        const divisors = outputs(of).map((i) => override || divisorOf(of, i, includes));
        const means = divisors.map((divisor, i) => mean(x, inWindow(of, i), divisor));
        const exact = divisors.map((divisor, i) => roundedMean(x, inWindow(of, i), divisor));
        const [values, bounds] = [means.map(({ value }) => value), means.map(({ bound }) => bound)];
        const label = named(build, seed, { ...of, includes, override });
        const compare = (gap: number) => (memory: KernelMemory) => {
          const out = pooled(memory, of, x, { countIncludePad: includes, divisor: override }, gap);
          expectWithin(out, values, bounds, label);
          expectBits(out, exact, label);
        };
        withCanaries(kernels, compare(1));
        if (includes) withCanaries(kernels, compare(0));
      }
    });
  });

  it('lets NaN and infinities through, each into its windows alone', () => {
    const of = withOut({ images: 1, channels: 2, size: [1, 4], kernel: [1, 2], stride: [1, 2], padding: [0, 0, 0, 0] });
    const x = Float32Array.of(Number.NaN, 1, 2, Infinity, 3, -Infinity, 5, Infinity);
    withCanaries(kernels, (memory) => {
      expectBits(
        pooled(memory, of, x, { countIncludePad: true, divisor: 0 }),
        [Number.NaN, Infinity, 4, Number.NaN],
        build,
      );
    });
  });
});

describe.each(BUILDS)('f32_avgpool2d (%s) by parts of a pixel', (build) => {
  const kernels = loadKernels(build);

  it("averages the windows of PyTorch's formula, which may overlap", () => {
    const sizes = [
      [
        [1, 1],
        [1, 1],
      ],
      [
        [1, 1],
        [3, 2],
      ],
      [
        [7, 7],
        [1, 1],
      ],
      [
        [7, 5],
        [3, 3],
      ],
      [
        [9, 41],
        [2, 2],
      ],
      [
        [4, 6],
        [6, 6],
      ],
      [
        [6, 6],
        [6, 6],
      ],
    ] as const;
    const cases = [
      ...sizes.map(([size, out]): Case => ({ ...PLAIN, size, out, channels: 6 })),
      ...CHANNELS.map((channels): Case => ({ ...PLAIN, size: [5, 4], out: [2, 3], channels })),
    ];
    cases.forEach((of, seed) => {
      const x = inputOf(of, seed);
      const window = (i: number) => {
        const pixel = Math.floor(i / of.channels);
        const at = [Math.floor(pixel / of.out[1]) % of.out[0], pixel % of.out[1]] as const;
        const first = [0, 1].map((axis) => Math.floor((at[axis]! * of.size[axis]!) / of.out[axis]!)) as [
          number,
          number,
        ];
        const end = [0, 1].map((axis) => Math.ceil(((at[axis]! + 1) * of.size[axis]!) / of.out[axis]!)) as [
          number,
          number,
        ];
        const kernel = [end[0] - first[0], end[1] - first[1]] as const;
        const image = Math.floor(pixel / of.out[1] / of.out[0]);
        const one: Case = { ...of, out: [1, 1], kernel, stride: [1, 1], padding: [-first[0], -first[1], 0, 0] };
        return inWindow(one, image * of.channels + (i % of.channels));
      };
      const expected = outputs(of).map((i) => roundedMean(x, window(i), window(i).length));
      const means = outputs(of).map((i) => mean(x, window(i), window(i).length));
      const compare = (gap: number) => (memory: KernelMemory) => {
        const pool = (addresses: Addresses) =>
          f32_avgpool2d({ ...argumentsOf(of), ...adaptive(of.size, of.out), ...addresses });
        const out = run(memory, of, x, pool, gap);
        expectBits(out, expected, named(build, seed, of));
        expectWithin(
          out,
          means.map(({ value }) => value),
          means.map(({ bound }) => bound),
          named(build, seed, of),
        );
      };
      withCanaries(kernels, compare(1));
      withCanaries(kernels, compare(0));
    });
  });
});

describe.each(BUILDS)('f32_avgpool2d (%s) of a long side', (build) => {
  it('copies a side that stays, whose windows end beyond 2³¹ / size', () => {
    const kernels = loadKernels(build);
    const x = new Random(3).floats(50_000);
    withCanaries(kernels, (memory) => {
      const pixels = memory.inputPixels(x, 1, { pixelBytes: 16, lanes: 4 });
      const out = memory.outputPixels(x.length, 1, { pixelBytes: 16, lanes: 4 });
      const step = f32_avgpool2d({
        ...adaptive([1, x.length], [1, x.length]),
        ...{ images: 1, channels: 1, height: 1, width: x.length, outHeight: 1, outWidth: x.length },
        ...{ x: pixels.address, pixelBytes: 16, out: out.address, outBytes: 16 },
      });
      runStep(kernels, step);
      expectBits(memory.readPixels(out, 4), x, build);
    });
  });
});

describe('pooling (debug)', () => {
  const kernels = loadKernels('debug');
  const sizes = { images: 1, channels: 1, height: 1, width: 1, outHeight: 1, outWidth: 1 };

  it('asserts that pixels are whole vectors', () => {
    for (const [pixelBytes, outBytes] of [
      [4, 16],
      [16, 4],
    ] as const) {
      const addresses = { x: 64, pixelBytes, out: 128, outBytes };
      const pool = { ...sizes, ...windowArguments(ONE_PIXEL), ...addresses };
      const steps = [f32_maxpool2d(pool), f32_avgpool2d({ ...pool, ...WHOLE, countIncludePad: 1, divisorOverride: 0 })];
      for (const step of steps) expect(() => runStep(kernels, step)).toThrow('assert: pixels are whole vectors');
    }
  });
});
