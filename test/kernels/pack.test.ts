/** Kernels that order numbers: packing, binary16, layouts, padding. */

import { describe, expect, it } from 'vitest';
import { depthwise } from '../../src/ops/conv2d/depthwise.ts';
import { NO_EPILOGUE } from '../../src/ops/rules/epilogue.ts';
import { NO_SIDES } from '../../src/ops/rules/window.ts';
import { float16ToNumber, numberToFloat16 } from '../../src/tensor/dtype.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { runStep } from '../../src/wasm/step.ts';
import {
  f32_from_f16,
  f32_nchw_to_nhwc,
  f32_nhwc_to_nchw,
  f32_pack_conv2d,
  f32_pad2d,
  f32_to_f16,
} from '../../src/wasm/steps.gen.ts';
import {
  BUILDS,
  ceil4,
  ceil8,
  expectBits,
  type KernelMemory,
  loadKernels,
  Random,
  withCanaries,
} from '../support/kernels.ts';

const CHANNELS = [...Array.from({ length: 17 }, (_, i) => i + 1), 24];

/** A depthwise convolution, but for its weight. */
const ATTRS = { bias: null, stride: [1, 1], padding: NO_SIDES, dilation: [1, 1] } as const;
const SITE = {
  ...{ inputs: [], shapes: [], output: [], epilogue: NO_EPILOGUE, weightStorage: 'f32' as const },
  engine: { tileRows: 4, threads: 1, deterministic: false },
} as const;

/** 1, 2, 3, …: every element tells where it came from. */
const counted = (count: number) => Float32Array.from({ length: count }, (_, i) => i + 1);

describe.each(BUILDS)('packing (%s)', (build) => {
  const kernels = loadKernels(build);

  it('f32_pack_conv2d orders by panel, tap, input and lane, with zeros beyond the last channel', () => {
    for (const out of CHANNELS) {
      for (const channelsIn of [1, 2, 5]) {
        for (const taps of [1, 2, 9]) {
          const weight = counted(out * channelsIn * taps);
          const expected = Float32Array.from({ length: ceil8(out) * channelsIn * taps }, (_, i) => {
            const [lane, c, tap] = [i % 8, Math.floor(i / 8) % channelsIn, Math.floor(i / 8 / channelsIn) % taps];
            const o = Math.floor(i / 8 / channelsIn / taps) * 8 + lane;
            return o < out ? weight[(o * channelsIn + c) * taps + tap]! : 0;
          });
          const pack = (memory: KernelMemory) => {
            const [from, to] = [memory.input(weight), memory.output(expected.length)];
            runStep(kernels, f32_pack_conv2d({ channelsOut: out, channelsIn, taps, weight: from, out: to }));
            expectBits(memory.read(to, expected.length), expected, `${build}, [${out}, ${channelsIn}, ${taps}]`);
          };
          withCanaries(kernels, pack);
        }
      }
    }
  });

  it('f32_nchw_to_nhwc orders depthwise weights by tap and channel, with zeros beyond the last channel', () => {
    // A convolution of one channel is no depthwise one.
    for (const channels of CHANNELS.slice(1)) {
      for (const taps of [1, 2, 9]) {
        const values = counted(channels * taps);
        const step = ceil4(channels);
        const expected = Float32Array.from({ length: step * taps }, (_, i) =>
          i % step < channels ? values[(i % step) * taps + Math.floor(i / step)]! : 0,
        );
        const weight = new Parameter([channels, 1, taps, 1]);
        const attrs = { ...ATTRS, weight, groups: channels };
        const [constant] = depthwise.prepare({ ...SITE, attrs })!.constants!;
        const pack = (memory: KernelMemory) => {
          const scratch = memory.output(constant!.scratchBytes! / 4);
          const address = memory.output(expected.length);
          constant!.write({
            ...{ kernels, address, scratch },
            valuesOf: () => new Tensor(values, weight.shape),
            nameOf: () => 'weight',
          });
          expectBits(memory.read(address, expected.length), expected, `${build}, [${channels}, 1, ${taps}]`);
        };
        withCanaries(kernels, pack);
      }
    }
  });
});

describe.each(BUILDS)('binary16 (%s)', (build) => {
  const kernels = loadKernels(build);
  /** Words are compared, since every NaN keeps its bits. */
  const words = (values: Float32Array) => new Uint32Array(values.buffer);
  const asFloats = (halves: Uint16Array) => new Float32Array(halves.buffer);

  /**
   * What float32's word for a half is: sign, exponent moved from bias 15 to 127, fraction; subnormal ones are normal
   * then.
   */
  function widened(half: number): number {
    const [sign, exponent, fraction] = [half >>> 15, (half >> 10) & 31, half & 1023];
    if (exponent === 31) return ((sign << 31) | 0x7f800000 | (fraction << 13)) >>> 0;
    return new Uint32Array(Float32Array.of(float16ToNumber(half)).buffer)[0]!;
  }

  it('f32_from_f16 widens all 65536 exactly', () => {
    // In runs of 1024 of one exponent, so that there are such without infinities.
    for (let first = 0; first < 65536; first += 1024) {
      const halves = Uint16Array.from({ length: 1024 }, (_, i) => first + i);
      withCanaries(kernels, (memory) => {
        const [x, out] = [memory.input(asFloats(halves)), memory.output(1024)];
        runStep(kernels, f32_from_f16({ count: 1024, x, out }));
        expect(words(memory.read(out, 1024))).toEqual(Uint32Array.from(halves, widened));
      });
    }
  });

  it('f32_from_f16 writes as many as asked for, and finds the one infinity among them', () => {
    for (const count of [8, 16, 24]) {
      for (let at = 0; at < count; at++) {
        const halves = Uint16Array.from({ length: count }, (_, i) => (i === at ? 0xfc00 : 0x3c00 + i));
        const widen = (memory: KernelMemory) => {
          const [x, out] = [memory.input(asFloats(halves)), memory.output(count)];
          runStep(kernels, f32_from_f16({ count, x, out }));
          expect(words(memory.read(out, count))).toEqual(Uint32Array.from(halves, widened));
        };
        withCanaries(kernels, widen);
      }
    }
  });

  it('f32_to_f16 rounds to nearest even: every half, every middle between two, and their neighbours', () => {
    const values: number[] = [];
    for (let half = 0; half < 65536; half++) {
      const value = float16ToNumber(half);
      const next = (half & 0x7fff) === 0x7bff ? Math.sign(value) * 65536 : float16ToNumber(half + 1);
      const middle = (value + next) / 2;
      for (const near of [value, middle]) {
        const word = new Uint32Array(Float32Array.of(near).buffer)[0]!;
        for (const step of [-1, 0, 1]) values.push(new Float32Array(Uint32Array.of(word + step).buffer)[0]!);
      }
    }
    values.push(1e-10, -1e-10, 1e-45, 3e38, -3e38, ...new Random(5).floats(999));
    for (let first = 0; first < values.length; first += 8191) {
      const part = Float32Array.from(values.slice(first, first + 8191));
      withCanaries(kernels, (memory) => {
        const x = memory.input(part);
        const out = memory.output(Math.ceil(part.length / 2));
        const overflows = runStep(kernels, f32_to_f16({ count: part.length, x, out }));
        const rounded = new Uint16Array(kernels.memory.buffer, out, part.length);
        expect(rounded).toEqual(Uint16Array.from(part, numberToFloat16));
        expect(overflows).toBe(Number(part.some((v) => Number.isFinite(v) && Math.abs(v) >= 65520)));
      });
    }
  });
});

describe.each(BUILDS)('narrowing (%s)', (build) => {
  const kernels = loadKernels(build);

  it.each([
    [65504, 0],
    [Math.fround(65519.99), 0],
    [65520, 1],
    [-65520, 1],
    [3.4e38, 1],
    [Infinity, 0],
    [-Infinity, 0],
    [Number.NaN, 0],
  ])('f32_to_f16 of %d among others tells of an overflow: %d', (value, expected) => {
    for (const at of [0, 6]) {
      withCanaries(kernels, (memory) => {
        const x = memory.input(Float32Array.from([1, 2, 3, 4, 5, 6, 7]).fill(value, at, at + 1));
        expect(runStep(kernels, f32_to_f16({ count: 7, x, out: memory.output(4) }))).toBe(expected);
      });
    }
  });
});

describe.each(BUILDS)('layouts (%s)', (build) => {
  const kernels = loadKernels(build);

  /** Values with every kind of number, and a copy of them in the other layout. */
  function planesAndPixels(channels: number, count: number) {
    const planes = new Random(channels).floats(channels * count);
    planes.set([Number.NaN, Infinity, -Infinity, -0].slice(0, planes.length));
    const pixels = planes.map((_, i) => planes[(i % channels) * count + Math.floor(i / channels)]!);
    return { planes, pixels };
  }

  it('f32_nchw_to_nhwc writes exactly the channels of each pixel', () => {
    for (const channels of CHANNELS) {
      for (const [count, gap] of [
        [1, 0],
        [2, 0],
        [5, 3],
        [9, 1],
      ] as const) {
        const { planes, pixels } = planesAndPixels(channels, count);
        const transpose = (memory: KernelMemory) => {
          const x = memory.input(planes);
          const out = memory.outputPixels(count, channels, { pixelBytes: (channels + gap) * 4 });
          runStep(
            kernels,
            f32_nchw_to_nhwc({ channels, pixels: count, x, out: out.address, pixelBytes: out.pixelBytes }),
          );
          expectBits(memory.readPixels(out), pixels, `${build}, ${count} pixels of ${channels} channels`);
        };
        withCanaries(kernels, transpose);
      }
    }
  });

  it('f32_nhwc_to_nchw writes exactly the planes', () => {
    for (const channels of CHANNELS) {
      for (const [count, gap] of [
        [1, 0],
        [2, 0],
        [5, 3],
        [9, 1],
      ] as const) {
        const { planes, pixels } = planesAndPixels(channels, count);
        const transpose = (memory: KernelMemory) => {
          const x = memory.inputPixels(pixels, channels, { pixelBytes: (channels + gap) * 4 });
          const out = memory.output(planes.length);
          runStep(kernels, f32_nhwc_to_nchw({ channels, pixels: count, x: x.address, pixelBytes: x.pixelBytes, out }));
          expectBits(memory.read(out, planes.length), planes, `${build}, ${count} pixels of ${channels} channels`);
        };
        withCanaries(kernels, transpose);
      }
    }
  });

  it('f32_pad2d puts images densely into zeros, and writes nothing beyond them', () => {
    for (const channels of CHANNELS) {
      for (const [top, left, bottom, right] of [
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [2, 0, 0, 3],
        [0, 1, 4, 0],
      ] as const) {
        for (const gap of [0, 3]) {
          const [images, height, width] = [2, 2, 3];
          const [outHeight, outWidth] = [height + top + bottom, width + left + right];
          const x = counted(images * height * width * channels);
          const expected = Float32Array.from({ length: images * outHeight * outWidth * channels }, (_, i) => {
            const [c, pixel] = [i % channels, Math.floor(i / channels)];
            const [ix, iy] = [(pixel % outWidth) - left, (Math.floor(pixel / outWidth) % outHeight) - top];
            const image = Math.floor(pixel / outWidth / outHeight);
            const inside = ix >= 0 && ix < width && iy >= 0 && iy < height;
            return inside ? x[((image * height + iy) * width + ix) * channels + c]! : 0;
          });
          const pad = (memory: KernelMemory) => {
            const from = memory.inputPixels(x, channels, { pixelBytes: (ceil4(channels) + gap) * 4 });
            const out = memory.output(expected.length);
            const step = f32_pad2d({
              ...{ images, channels, height, width, outHeight, outWidth, top, left },
              ...{ x: from.address, pixelBytes: from.pixelBytes, out },
            });
            runStep(kernels, step);
            expectBits(
              memory.read(out, expected.length),
              expected,
              `${build}, ${channels} channels, padding ${[top, left, bottom, right]}`,
            );
          };
          withCanaries(kernels, pad);
        }
      }
    }
  });
});
