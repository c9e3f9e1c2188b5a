/** The indirect GEMM, and the table that it reads. */

import { describe, expect, it } from 'vitest';
import { NO_SIDES, ONE_PIXEL, windowArguments } from '../../src/ops/rules/window.ts';
import { float16ToNumber, numberToFloat16 } from '../../src/tensor/dtype.ts';
import { MAX_TILE_ROWS, PARTIAL_BYTES } from '../../src/wasm/kernels.gen.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_affine, f32_conv2d, f32_conv2d_table } from '../../src/wasm/steps.gen.ts';
import {
  Bounded,
  BUILDS,
  type Build,
  ceil8,
  expectBits,
  expectWithin,
  type KernelMemory,
  loadKernels,
  Random,
  UNIT,
  withCanaries,
} from '../support/kernels.ts';

/** The first and last of the tiles to compute, then of the panels; the last excluded. */
type Part = readonly [firstTile: number, lastTile: number, firstPanel: number, lastPanel: number];

/** A convolution whose table names pixels at random: what a table may hold is the table's own test. */
interface Case {
  readonly rows: number;
  readonly groups: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly taps: number;
  readonly tileRows: number;
  readonly blockTiles: number;
  readonly norm: boolean;
  readonly residual: boolean;
  readonly lo: number;
  readonly hi: number;
  /** Floats between a pixel's channels and the next pixel. */
  readonly gap: number;
  /** True where weights lie in memory as binary16s. */
  readonly half: boolean;
  /** Products that are added up one after the other, at most. */
  readonly run: number;
}

const PLAIN: Case = {
  rows: 7,
  groups: 1,
  channelsIn: 3,
  channelsOut: 9,
  taps: 2,
  tileRows: 4,
  blockTiles: 2,
  norm: false,
  residual: false,
  lo: -Infinity,
  hi: Infinity,
  gap: 3,
  half: false,
  run: 256,
};

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const CASES: readonly Partial<Case>[] = [
  ...range(1, 13).flatMap((rows) => range(1, 6).map((tileRows) => ({ rows, tileRows }))),
  ...[...range(1, 17), 24].flatMap((channelsOut) => range(1, 3).map((groups) => ({ channelsOut, groups }))),
  ...range(1, 9).flatMap((taps) => range(1, 5).map((channelsIn) => ({ taps, channelsIn, rows: 5 }))),
  ...range(1, 6).map((blockTiles) => ({ blockTiles, rows: 23, tileRows: 4, channelsOut: 17 })),
  ...range(0, 15).map((bits) => ({
    norm: (bits & 1) > 0,
    residual: (bits & 2) > 0,
    lo: bits & 4 ? 0 : -Infinity,
    hi: bits & 8 ? 0.5 : Infinity,
    groups: 2,
    channelsOut: 11,
  })),
  // A filter row as one tap: kernel height 3, kernel width 3 of 3 channels.
  ...[5, 6].map((tileRows) => ({ taps: 3, channelsIn: 9, rows: 13, tileRows, channelsOut: 24, norm: true, lo: 0 })),
  // Sums of several runs: of some taps, of one, of parts of one.
  ...[1, 2, 3, 5, 7, 12, 20].flatMap((run) =>
    [1, 3, 6].map((taps) => ({
      run,
      taps,
      channelsIn: 7 - (taps % 2),
      rows: 41,
      groups: 2,
      norm: true,
      residual: true,
    })),
  ),
  ...[1, 2, 4, 5, 17].map((run) => ({ run, rows: 1, taps: 1, channelsIn: 18, channelsOut: 41 })),
  // One pixel, as linear layers have it, and enough panels for several abreast.
  ...[1, 2, 3, 18].flatMap((channelsIn) =>
    [31, 32, 41, 72].flatMap((channelsOut) =>
      [false, true].map((norm) => ({ rows: 1, taps: 1, channelsIn, channelsOut, norm, residual: channelsOut === 41 })),
    ),
  ),
];

const ALL: readonly Case[] = CASES.map((part) => ({ ...PLAIN, ...part }));

/** The sizes of tiles: as many as needed, differing by at most one. */
function tileSizes(rows: number, tileRows: number): number[] {
  const tiles = Math.ceil(rows / tileRows);
  return range(0, tiles - 1).map((i) => Math.floor(rows / tiles) + (i < rows % tiles ? 1 : 0));
}

interface Data {
  /** Dense pixels of groups·channelsIn floats. */
  readonly x: Float32Array;
  /** For each row and tap a pixel of x, or -1 for padding. */
  readonly pixels: readonly number[];
  /** [groups·channelsOut, channelsIn, taps] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly scale: Float32Array;
  readonly shift: Float32Array;
  readonly residual: Float32Array;
}

const PIXELS = 9;

function dataOf({ rows, groups, channelsIn, channelsOut, taps, half }: Case, seed: number): Data {
  const random = new Random(seed);
  const channels = groups * channelsOut;
  return {
    x: random.floats(PIXELS * groups * channelsIn),
    pixels: range(1, rows * taps).map(() => random.whole(-1, PIXELS - 1)),
    weight: random.floats(channels * channelsIn * taps).map((v) => (half ? float16ToNumber(numberToFloat16(v)) : v)),
    bias: random.floats(channels),
    scale: random.floats(channels),
    shift: random.floats(channels),
    residual: random.floats(rows * channels),
  };
}

/** Each group's vector in whole panels, filled up with NaN: no kernel may let it into a result. */
function inPanels(values: Float32Array, groups: number): Float32Array {
  const channels = values.length / groups;
  const out = new Float32Array(groups * ceil8(channels)).fill(Number.NaN);
  for (let c = 0; c < values.length; c++) out[Math.floor(c / channels) * ceil8(channels) + (c % channels)] = values[c]!;
  return out;
}

/** The packed weight, by the formula in f32_pack_conv2d's docstring. */
function packed(weight: Float32Array, { groups, channelsIn, channelsOut, taps }: Case): Float32Array {
  const out: number[] = [];
  for (let g = 0; g < groups; g++) {
    for (let panel = 0; panel < channelsOut; panel += 8) {
      for (let tap = 0; tap < taps; tap++) {
        for (let c = 0; c < channelsIn; c++) {
          for (let o = panel; o < panel + 8; o++) {
            out.push(o < channelsOut ? weight[((g * channelsOut + o) * channelsIn + c) * taps + tap]! : 0);
          }
        }
      }
    }
  }
  return Float32Array.from(out);
}

/** All tiles and panels. */
const wholeOf = ({ rows, tileRows, groups, channelsOut }: Case): Part => [
  ...([0, Math.ceil(rows / tileRows)] as const),
  ...([0, groups * Math.ceil(channelsOut / 8)] as const),
];

/** Floats as binary16s, two in each float's place. */
function asHalves(values: Float32Array): Float32Array {
  return new Float32Array(Uint16Array.from(values, numberToFloat16).buffer);
}

/**
 * Runs the kernel, once for each part, and returns rows of groups·channelsOut floats.
 *
 * @param within more taps, of whose packed weight one is multiplied by
 */
function run(
  memory: KernelMemory,
  of: Case,
  data: Data,
  parts: readonly Part[] = [wholeOf(of)],
  within: { readonly taps: number; readonly tap: number; readonly weight: Float32Array } | null = null,
): Float32Array {
  const { rows, groups, channelsIn, channelsOut, taps, tileRows, blockTiles, lo, hi, gap } = of;
  const channels = groups * channelsOut;
  const pixelBytes = (channels + gap) * 4;
  const x = memory.inputPixels(data.x, groups * channelsIn, { pixelBytes: (groups * channelsIn + gap) * 4 });
  const zeros = memory.input(new Float32Array(groups * channelsIn));
  const table: number[] = [];
  let first = 0;
  for (const size of tileSizes(rows, tileRows)) {
    for (let tap = 0; tap < taps; tap++) {
      for (let i = 0; i < tileRows; i++) {
        const pixel = i < size ? data.pixels[(first + i) * taps + tap]! : 0;
        // Nothing may read what lies beyond a tile's own rows: address 2³² − 4 traps.
        table.push(i >= size ? 2 ** 32 - 4 : pixel < 0 ? zeros : x.address + pixel * x.pixelBytes);
      }
    }
    first += size;
  }
  const panels = within?.weight ?? packed(data.weight, of);
  const panelBytes = channelsIn * (within?.taps ?? taps) * (of.half ? 16 : 32);
  const weights = memory.input(of.half ? asHalves(panels) : panels) + (within?.tap ?? 0) * channelsIn * 32;
  const wide = of.half ? memory.output(channelsIn * taps * 8) : 0;
  const bias = memory.input(inPanels(data.bias, groups));
  const scale = of.norm ? memory.input(inPanels(data.scale, groups)) : 0;
  const shift = of.norm ? memory.input(inPanels(data.shift, groups)) : 0;
  const residual = of.residual ? memory.inputPixels(data.residual, channels, { pixelBytes, overread: 28 }) : null;
  const out = memory.outputPixels(rows, channels, { pixelBytes });
  const words = memory.words(table);
  const added = { residual: residual?.address ?? 0, residualBytes: pixelBytes };
  const epilogue = memory.epilogue({ scale, shift, ...added, lo, hi });
  const partial = channelsIn * taps > of.run ? memory.output(PARTIAL_BYTES / 4) : 0;
  for (const part of parts) {
    const [firstTile, lastTile, firstPanel, lastPanel] = part;
    const conv = f32_conv2d({
      ...{ rows, channelsIn, channelsOut, taps, tileRows, blockTiles, firstTile, lastTile, firstPanel, lastPanel },
      ...{ run: of.run, adds: 0, table: words, weights, panelBytes, wide, partial, bias, epilogue },
      out: out.address,
      outBytes: out.pixelBytes,
    });
    runStep(memory.kernels, conv);
  }
  return memory.readPixels(out);
}

/** An output's products in the kernel's order, taps before channels, in the runs whose sums are added up. */
function runsOf(of: Case, data: Data, row: number, channel: number): [x: number, w: number][][] {
  const { groups, channelsIn, channelsOut, taps, run } = of;
  const group = Math.floor(channel / channelsOut);
  const parts = Math.ceil(channelsIn / run);
  const [runTaps, runChannels] = [parts > 1 ? 1 : Math.floor(run / channelsIn), Math.ceil(channelsIn / parts)];
  const runs = new Map<string, [number, number][]>();
  for (let tap = 0; tap < taps; tap++) {
    const pixel = data.pixels[row * taps + tap]!;
    for (let c = 0; c < channelsIn; c++) {
      const x = pixel < 0 ? 0 : data.x[(pixel * groups + group) * channelsIn + c]!;
      const key = `${Math.floor(tap / runTaps)} ${Math.floor(c / runChannels)}`;
      if (!runs.has(key)) runs.set(key, []);
      runs.get(key)!.push([x, data.weight[(channel * channelsIn + c) * taps + tap]!]);
    }
  }
  return [...runs.values()];
}

/** The outputs in float64, with the bounds of what float32 may lose. */
function reference(of: Case, data: Data): { values: number[]; bounds: number[] } {
  const channels = of.groups * of.channelsOut;
  const values: number[] = [];
  const bounds: number[] = [];
  for (let i = 0; i < of.rows * channels; i++) {
    const channel = i % channels;
    const sum = new Bounded(0);
    runsOf(of, data, Math.floor(i / channels), channel).forEach((products, n) => {
      const part = new Bounded(n === 0 ? data.bias[channel]! : 0);
      for (const [x, w] of products) part.accumulate(x, w);
      sum.bound += part.bound;
      sum.add(part.value);
    });
    if (of.norm) sum.madd(data.scale[channel]!, data.shift[channel]!);
    if (of.residual) sum.add(data.residual[i]!);
    sum.clamp(of.lo, of.hi);
    values.push(sum.value);
    bounds.push(sum.bound);
  }
  return { values, bounds };
}

/** The outputs with each operation rounded to float32, in the order that the kernel states. */
function rounded(of: Case, data: Data): Float32Array {
  const channels = of.groups * of.channelsOut;
  return Float32Array.from({ length: of.rows * channels }, (_, i) => {
    const channel = i % channels;
    let v = 0;
    const madd = (c: number, a: number, b: number) => Math.fround(c + Math.fround(a * b));
    runsOf(of, data, Math.floor(i / channels), channel).forEach((products, n) => {
      v = Math.fround(v + products.reduce((sum, [x, w]) => madd(sum, x, w), n === 0 ? data.bias[channel]! : 0));
    });
    if (of.norm) v = madd(data.shift[channel]!, v, data.scale[channel]!);
    if (of.residual) v = Math.fround(v + data.residual[i]!);
    return Math.min(Math.max(v, of.lo), of.hi);
  });
}

const named = (build: Build, seed: number, of: Case) => `${build}, seed ${seed}, ${JSON.stringify(of)}`;

describe.each(BUILDS)('f32_conv2d (%s)', (build) => {
  const kernels = loadKernels(build);

  it('equals the sum of products within float32, and writes its channels only', () => {
    ALL.forEach((of, seed) => {
      const data = dataOf(of, seed);
      const { values, bounds } = reference(of, data);
      withCanaries(kernels, (memory) => expectWithin(run(memory, of, data), values, bounds, named(build, seed, of)));
    });
  });

  it('gives the same bits for weights that are binary16s as for the same numbers in float32', () => {
    ALL.forEach((plain, seed) => {
      const of = { ...plain, half: true };
      const data = dataOf(of, seed);
      withCanaries(kernels, (memory) => {
        const expected = run(memory, { ...of, half: false }, data);
        expectBits(run(memory, of, data), expected, named(build, seed, of));
      });
    });
  });

  it('gives the same bits for every tileRows and blockTiles', () => {
    for (const rows of [1, 6, 13, 29]) {
      const of = { ...PLAIN, rows, groups: 2, channelsOut: 13, taps: 4, norm: true, residual: true };
      const data = dataOf(of, rows);
      let first: Float32Array | null = null;
      for (const tileRows of range(1, MAX_TILE_ROWS)) {
        for (const blockTiles of [1, 2, 3, 100]) {
          withCanaries(kernels, (memory) => {
            const out = run(memory, { ...of, tileRows, blockTiles }, data);
            first ??= out;
            expectBits(out, first, named(build, rows, { ...of, tileRows, blockTiles }));
          });
        }
      }
    }
  });

  it('gives a pixel by itself the same bits as among others, all panels at once or in parts', () => {
    for (const channelsOut of [41, 72]) {
      const of = { ...PLAIN, rows: 5, taps: 1, channelsIn: 19, channelsOut, norm: true, lo: 0 };
      const data = dataOf(of, channelsOut);
      const panels = Math.ceil(channelsOut / 8);
      let among: Float32Array = new Float32Array();
      withCanaries(kernels, (memory) => {
        among = run(memory, of, data).slice(0, channelsOut);
      });
      for (const panel of range(0, panels - 1)) {
        const parts: Part[] = [[0, 1, panel, panels], ...(panel > 0 ? [[0, 1, 0, panel] as const] : [])];
        withCanaries(kernels, (memory) => {
          const alone = run(memory, { ...of, rows: 1 }, data, parts);
          expectBits(alone, among, `${build}, ${channelsOut} channels, cut at panel ${panel}`);
        });
      }
    }
  });

  it('gives the same bits in parts: some tiles of some panels at a time', () => {
    const of = { ...PLAIN, rows: 29, groups: 3, channelsOut: 13, norm: true, residual: true };
    const data = dataOf(of, 1);
    const [, tiles, , panels] = wholeOf(of);
    let whole: Float32Array = new Float32Array();
    withCanaries(kernels, (memory) => {
      whole = run(memory, of, data);
    });
    for (const tile of range(1, tiles - 1)) {
      for (const panel of range(1, panels - 1)) {
        const parts: Part[] = [
          [tile, tiles, 0, panel],
          [0, tile, 0, panel],
          [0, tiles, panel, panels],
        ];
        withCanaries(kernels, (memory) => {
          expectBits(run(memory, of, data, parts), whole, `${build}, cut at tile ${tile}, panel ${panel}`);
        });
      }
    }
  });

  it('reads nothing beyond its operands, but 28 bytes of the residual, where pixels are dense', () => {
    for (const [channelsOut, groups] of [
      [1, 1],
      [8, 1],
      [9, 2],
      [15, 1],
    ] as const) {
      for (const products of [256, 2]) {
        const of = { ...PLAIN, channelsOut, groups, run: products, norm: true, residual: true, lo: 0, gap: 0 };
        const data = dataOf(of, channelsOut);
        const { values, bounds } = reference(of, data);
        withCanaries(kernels, (memory) => expectWithin(run(memory, of, data), values, bounds, named(build, 0, of)));
      }
    }
  });

  it('asks for nothing beyond the panels, of which each has only some of its taps', () => {
    // The third of five taps, by itself, as where a kernel goes tap by tap: what follows the last panel's is not read.
    for (const channelsOut of [1, 8, 20]) {
      for (const tap of [0, 2, 4]) {
        const of = { ...PLAIN, rows: 40, channelsIn: 64, channelsOut, taps: 5, run: 256, blockTiles: 3 };
        const data = dataOf(of, channelsOut);
        const one = { ...of, taps: 1 };
        const alone: Data = {
          ...data,
          pixels: data.pixels.filter((_, i) => i % 5 === tap),
          weight: data.weight.filter((_, i) => i % 5 === tap),
        };
        const { values, bounds } = reference(one, alone);
        withCanaries(kernels, (memory) => {
          const out = run(memory, one, alone, [wholeOf(one)], { taps: 5, tap, weight: packed(data.weight, of) });
          expectWithin(out, values, bounds, `${named(build, channelsOut, of)}, tap ${tap}`);
        });
      }
    }
  });

  it('keeps a NaN through the clamp, and infinities up to it', () => {
    const of = { ...PLAIN, rows: 3, channelsIn: 1, channelsOut: 5, taps: 1, lo: 0, hi: 6 };
    const data = {
      ...dataOf(of, 1),
      x: Float32Array.of(Number.NaN, Infinity, -Infinity, ...new Float32Array(6)),
      pixels: [0, 1, 2],
    };
    data.weight.fill(1);
    withCanaries(kernels, (memory) => {
      const nans = Array(5).fill(Number.NaN);
      expectBits(run(memory, of, data), [...nans, ...Array(5).fill(6), ...Array(5).fill(0)], named(build, 1, of));
    });
  });
});

describe.each(BUILDS)('f32_conv2d (%s), beside the bias', (build) => {
  const kernels = loadKernels(build);
  // Two pixels of two channels, times a filter of one tap and nine output channels.
  const [x, weight, bias] = [[1, 2, 3, 4], new Random(1).floats(18), new Random(2).floats(9)] as const;
  const of: Case = { ...PLAIN, rows: 2, channelsIn: 2, channelsOut: 9, taps: 1, tileRows: 1 };

  function call(
    memory: KernelMemory,
    part: { adds?: number; before?: ArrayLike<number>; skips?: boolean; bias?: boolean; activation?: number },
  ) {
    const { adds = 0, before = [], skips = false, bias: hasBias = true, activation = 0 } = part;
    const pixels = memory.input(x);
    const table = memory.words([pixels, skips ? 0 : pixels + 8]);
    const weights = memory.input(packed(weight, of));
    const vector = hasBias ? memory.input(inPanels(bias, 1)) : 0;
    const out = memory.outputPixels(2, 9, { pixelBytes: 48, overread: 28 });
    for (let i = 0; i < before.length; i++) {
      new Float32Array(kernels.memory.buffer, out.address + Math.floor(i / 9) * 48)[i % 9] = before[i]!;
    }
    const conv = f32_conv2d({
      ...{ rows: 2, channelsIn: 2, channelsOut: 9, taps: 1, tileRows: 1, blockTiles: 1 },
      ...{ firstTile: 0, lastTile: 2, firstPanel: 0, lastPanel: 2, run: 256, adds },
      ...{ table, weights, panelBytes: 64, wide: 0, partial: 0 },
      out: out.address,
      outBytes: out.pixelBytes,
      bias: vector,
      epilogue: activation === 0 ? 0 : memory.epilogue({ activation }),
    });
    runStep(kernels, conv);
    return memory.readPixels(out);
  }

  it('goes on from the sums in out', () => {
    withCanaries(kernels, (memory) => {
      const before = new Random(3).floats(18);
      const expected = Float64Array.from(before, (sum, i) => {
        const [row, o] = [Math.floor(i / 9), i % 9];
        return sum + x[row * 2]! * weight[o * 2]! + x[row * 2 + 1]! * weight[o * 2 + 1]!;
      });
      const bounds = expected.map(() => 8 * UNIT * 8);
      expectWithin(call(memory, { adds: 1, before, bias: false }), expected, bounds, build);
    });
  });

  it('starts from zero where there is no bias', () => {
    withCanaries(kernels, (memory) => {
      const without = call(memory, { bias: false });
      expect(without.every((v) => Number.isFinite(v))).toBe(true);
      expectBits(without, call(memory, { adds: 1, before: new Float32Array(18), bias: false }), build);
    });
  });

  it('leaves out a tile whose table begins with 0', () => {
    withCanaries(kernels, (memory) => {
      const before = new Random(4).floats(18);
      const out = call(memory, { adds: 1, before, skips: true, bias: false });
      expectBits(out.slice(9), before.slice(9), build);
      expectBits(out.slice(0, 9), call(memory, { adds: 1, before, bias: false }).slice(0, 9), build);
    });
  });

  it('applies an activation with the bits of f32_affine', () => {
    for (const activation of [1, 2, 3, 4]) {
      withCanaries(kernels, (memory) => {
        const plain = memory.inputPixels(call(memory, {}), 9, { pixelBytes: 48, lanes: 12 });
        const out = memory.outputPixels(2, 9, { pixelBytes: 48, lanes: 12 });
        const affine = f32_affine({
          firstPixel: 0,
          pixels: 2,
          channels: 9,
          x: plain.address,
          pixelBytes: 48,
          out: out.address,
          outBytes: 48,
          epilogue: memory.epilogue({ activation }),
        });
        runStep(kernels, affine);
        expectBits(call(memory, { activation }), memory.readPixels(out, 12), `${build}, activation ${activation}`);
      });
    }
  });
});

describe('f32_conv2d (debug)', () => {
  const kernels = loadKernels('debug');
  const call = ({ rows = 1, taps = 1, tileRows = 4, blockTiles = 1, part = [0, 1, 0, 1] as Part, run = 256 }) => {
    const [firstTile, lastTile, firstPanel, lastPanel] = part;
    const conv = f32_conv2d({
      ...{
        rows,
        channelsIn: 1,
        channelsOut: 1,
        taps,
        tileRows,
        blockTiles,
        firstTile,
        lastTile,
        firstPanel,
        lastPanel,
      },
      ...{ run, adds: 0, table: 64, weights: 64, panelBytes: 32, wide: 0, partial: 0 },
      ...{ out: 64, outBytes: 4, bias: 64, epilogue: 0 },
    });
    runStep(kernels, conv);
  };

  it('asserts that sizes are positive', () => {
    expect(() => call({ rows: 0 })).toThrow('assert: sizes are positive');
    expect(() => call({ taps: 0 })).toThrow('assert: sizes are positive');
  });

  it('asserts that the schedule is in range', () => {
    for (const tileRows of [0, MAX_TILE_ROWS + 1])
      expect(() => call({ tileRows })).toThrow('assert: the schedule is in range');
    expect(() => call({ blockTiles: 0 })).toThrow('assert: the schedule is in range');
    expect(() => call({ run: 0 })).toThrow('assert: the schedule is in range');
  });

  it('asserts that runs before the last have a place', () => {
    expect(() => call({ taps: 2, run: 1 })).toThrow('assert: runs before the last have a place');
  });

  it('asserts that tiles and panels are there', () => {
    for (const part of [
      [-1, 1, 0, 1],
      [0, 2, 0, 1],
      [0, 1, -1, 1],
    ] as const) {
      expect(() => call({ part })).toThrow('assert: tiles and panels are there');
    }
  });
});

interface Geometry {
  readonly images: number;
  readonly size: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation: readonly [number, number];
}

const GEOMETRIES: readonly Geometry[] = [
  { images: 1, size: [1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1] },
  { images: 1, size: [1, 1], kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] },
  { images: 2, size: [5, 7], kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] },
  { images: 3, size: [7, 4], kernel: [3, 2], stride: [2, 3], padding: [1, 0, 2, 1], dilation: [1, 2] },
  { images: 1, size: [9, 9], kernel: [2, 3], stride: [1, 2], padding: [4, 4, 4, 4], dilation: [3, 4] },
  { images: 2, size: [6, 5], kernel: [1, 1], stride: [100, 100], padding: [0, 0, 0, 0], dilation: [1, 1] },
];

describe.each(BUILDS)('f32_conv2d_table (%s)', (build) => {
  const kernels = loadKernels(build);

  it("holds each tap's pixel, or zeros in the padding, tile by tile", () => {
    for (const geometry of GEOMETRIES) {
      for (const tileRows of range(1, 6)) {
        const { images, size, kernel, stride, padding, dilation } = geometry;
        const [outHeight, outWidth] = [0, 1].map(
          (i) =>
            Math.floor((size[i]! + padding[i]! + padding[i + 2]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) +
            1,
        ) as [number, number];
        const rows = images * outHeight * outWidth;
        const taps = kernel[0] * kernel[1];
        const [x, pixelBytes, zeros] = [40_000, 48, 400];
        const expected: (number | null)[] = [];
        let first = 0;
        for (const count of tileSizes(rows, tileRows)) {
          for (let tap = 0; tap < taps; tap++) {
            for (let i = 0; i < tileRows; i++) {
              const row = first + i;
              const image = Math.floor(row / (outHeight * outWidth));
              const iy =
                (Math.floor(row / outWidth) % outHeight) * stride[0] -
                padding[0] +
                Math.floor(tap / kernel[1]) * dilation[0];
              const ix = (row % outWidth) * stride[1] - padding[1] + (tap % kernel[1]) * dilation[1];
              const inside = iy >= 0 && iy < size[0] && ix >= 0 && ix < size[1];
              const pixel = (image * size[0] + iy) * size[1] + ix;
              expected.push(i >= count ? null : inside ? x + pixel * pixelBytes : zeros);
            }
          }
          first += count;
        }
        withCanaries(kernels, (memory) => {
          const table = memory.output(Math.ceil(rows / tileRows) * tileRows * taps);
          const [top, left, bottom, right] = padding;
          const window = { kernelSize: kernel, stride, dilation, padding: { top, left, bottom, right } };
          const step = f32_conv2d_table({
            ...{ images, height: size[0], width: size[1], outHeight, outWidth, ...windowArguments(window) },
            ...{ tileRows, skipsPadding: 0, x, pixelBytes, zeros, table },
          });
          runStep(kernels, step);
          const words = new Uint32Array(kernels.memory.buffer, table, expected.length);
          expect([...words].map((word, i) => (expected[i] === null ? null : word))).toEqual(expected);
        });
      }
    }
  });
});

// The relaxed binary rounds once where the others round twice.
describe.each(['simd', 'debug'] as const)('f32_conv2d (%s)', (build) => {
  const kernels = loadKernels(build);

  it('rounds each operation, taps before channels, in one order', () => {
    ALL.forEach((of, seed) => {
      const data = dataOf(of, seed);
      withCanaries(kernels, (memory) => expectBits(run(memory, of, data), rounded(of, data), named(build, seed, of)));
    });
  });

  it('begins with 0 a tile that lies in the padding altogether, where told to', () => {
    // One tap, four to the left of each of six pixels: rows 0 to 3 are padding.
    withCanaries(kernels, (memory) => {
      const table = memory.output(6);
      const window = { ...ONE_PIXEL, padding: { ...NO_SIDES, left: 4 } };
      const step = f32_conv2d_table({
        ...{ images: 1, height: 1, width: 6, outHeight: 1, outWidth: 6, ...windowArguments(window) },
        ...{ tileRows: 2, skipsPadding: 1, x: 4096, pixelBytes: 16, zeros: 400, table },
      });
      runStep(kernels, step);
      const words = [...new Uint32Array(kernels.memory.buffer, table, 6)];
      expect([words[0], words[2], ...words.slice(4)]).toEqual([0, 0, 4096, 4112]);
    });
  });
});
