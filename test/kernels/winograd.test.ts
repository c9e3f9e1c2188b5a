/** The transforms of minimal filtering: tiles, weights and the way back. */

import { describe, expect, it } from 'vitest';
import { WINOGRAD_INPUT_BYTES, WINOGRAD_OUTPUT_BYTES, WINOGRAD_WEIGHT_BYTES } from '../../src/wasm/kernels.gen.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_winograd_input, f32_winograd_output, f32_winograd_weights } from '../../src/wasm/steps.gen.ts';
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
import { abs, sandwich, TRANSFORMS } from '../support/winograd-transforms.ts';

/**
 * The roundings on the longest way through both stages of a transform: in each a constant, two sums of pairs, two
 * products and two sums.
 */
const ROUNDINGS = 14;

interface Grid {
  readonly images: number;
  readonly size: readonly [height: number, width: number];
  readonly out: readonly [height: number, width: number];
  readonly padding: readonly [top: number, left: number];
  readonly dilation: number;
}

const GRIDS: readonly Grid[] = [
  { images: 1, size: [1, 1], out: [1, 1], padding: [1, 1], dilation: 1 },
  { images: 2, size: [5, 7], out: [5, 7], padding: [1, 1], dilation: 1 },
  { images: 1, size: [9, 8], out: [7, 6], padding: [0, 0], dilation: 1 },
  { images: 2, size: [4, 6], out: [5, 5], padding: [2, 0], dilation: 1 },
  { images: 2, size: [7, 9], out: [7, 9], padding: [2, 2], dilation: 2 },
  { images: 1, size: [5, 4], out: [5, 4], padding: [6, 6], dilation: 6 },
  // Sub-grids of which some have a tile more than others.
  { images: 2, size: [13, 19], out: [13, 19], padding: [3, 3], dilation: 3 },
];

const CHANNELS = [1, 3, 4, 5, 16, 17];

/** All tiles: the image and the first output pixel. */
function tilesOf({ images, out, dilation }: Grid, size: number) {
  const starts = (pixels: number) => {
    const found: number[] = [];
    for (let first = 0; first < dilation; first++) {
      for (let start = first; start < pixels; start += size * dilation) found.push(start);
    }
    return found;
  };
  const [rows, columns] = [starts(out[0]), starts(out[1])];
  return Array.from({ length: images }, (_, image) =>
    rows.flatMap((y) => columns.map((x) => ({ image, y, x }))),
  ).flat();
}

/** Tiles as the kernels read them. */
function inputTiles(memory: KernelMemory, tiles: ReturnType<typeof tilesOf>): number {
  const numbers = Int32Array.from(tiles.flatMap(({ image, y, x }) => [image, y, x]));
  return memory.input(new Float32Array(numbers.buffer));
}

describe.each(BUILDS)('Winograd (%s)', (build) => {
  const kernels = loadKernels(build);

  describe.each(TRANSFORMS)(
    'of $tile×$tile outputs at $side×$side points',
    ({ side, tile: size, edge, stride, weightSide, lastPoints, input, weight, output }) => {
      const points = side ** 2;

      it('f32_winograd_weights transforms panels, all at once or some of them', () => {
        const weights = weight.slice(0, weightSide);
        for (const panels of [1, 3]) {
          for (const channels of [4, 20]) {
            const values = new Random(panels).floats(panels * 9 * channels * 8);
            const expected = new Float64Array(weightSide ** 2 * panels * channels * 8);
            const bounds = new Float64Array(expected.length);
            for (let panel = 0; panel < panels; panel++) {
              for (let c = 0; c < channels; c++) {
                for (let lane = 0; lane < 8; lane++) {
                  const filter = Array.from({ length: 9 }, (_, tap) => {
                    return values[((panel * 9 + tap) * channels + c) * 8 + lane]!;
                  });
                  const magnitudes = sandwich(abs(weights), filter.map(Math.abs));
                  sandwich(weights, filter).forEach((value, point) => {
                    const at = ((point * panels + panel) * channels + c) * 8 + lane;
                    expected[at] = value;
                    bounds[at] = ROUNDINGS * UNIT * magnitudes[point]!;
                  });
                }
              }
            }
            for (const cut of new Set([0, panels - 1])) {
              withCanaries(kernels, (memory) => {
                const [packed, scratch] = [memory.input(values), memory.output(WINOGRAD_WEIGHT_BYTES / 4)];
                const out = memory.output(expected.length);
                const transform = (first: number, count: number) => {
                  const [from, to] = [packed + first * 9 * channels * 32, out + first * channels * 32];
                  const step = f32_winograd_weights({
                    ...{ side, channels, panels, count, weight: from, scratch, out: to },
                  });
                  runStep(kernels, step);
                };
                if (cut > 0) transform(0, cut);
                transform(cut, panels - cut);
                const label = `${build}, ${panels} panels of ${channels} channels, cut at ${cut}`;
                expectWithin(memory.read(out, expected.length), expected, bounds, label);
              });
            }
          }
        }
      });

      it('f32_winograd_input transforms each tile, with zeros in the padding, and writes its own points only', () => {
        GRIDS.forEach((grid, seed) => {
          for (const channels of CHANNELS) {
            const lanes = ceil4(channels);
            const values = new Random(seed).floats(grid.images * grid.size[0] * grid.size[1] * channels);
            const tiles = tilesOf(grid, size);
            const pixel = (image: number, y: number, x: number, c: number) => {
              const inside = y >= 0 && y < grid.size[0] && x >= 0 && x < grid.size[1];
              return inside ? values[((image * grid.size[0] + y) * grid.size[1] + x) * channels + c]! : 0;
            };
            const patch = ({ image, y, x }: (typeof tiles)[0], c: number) =>
              Array.from({ length: edge ** 2 }, (_, i) => {
                const [dy, dx] = [Math.floor(i / edge) * grid.dilation, (i % edge) * grid.dilation];
                return pixel(image, y * stride + dy - grid.padding[0], x * stride + dx - grid.padding[1], c);
              });
            const some = tiles.slice(Math.min(1, tiles.length - 1));
            const expected = new Float64Array(some.length * points * channels);
            const bounds = new Float64Array(expected.length);
            some.forEach((tile, t) => {
              for (let c = 0; c < channels; c++) {
                const d = patch(tile, c);
                const magnitudes = sandwich(abs(input), d.map(Math.abs));
                sandwich(input, d).forEach((value, point) => {
                  expected[(t * points + point) * channels + c] = value;
                  bounds[(t * points + point) * channels + c] = ROUNDINGS * UNIT * magnitudes[point]!;
                });
              }
            });
            withCanaries(kernels, (memory) => {
              const x = memory.inputPixels(values, channels, { pixelBytes: lanes * 4 + 16, lanes });
              const zeros = memory.input(new Float32Array(lanes));
              const scratch = memory.output(WINOGRAD_INPUT_BYTES / 4);
              const tileFloats = points * lanes + 16;
              const out = memory.output((some.length - 1) * tileFloats + points * lanes);
              const step = f32_winograd_input({
                ...{ side, channels, height: grid.size[0], width: grid.size[1] },
                ...{ top: grid.padding[0], left: grid.padding[1], dilation: grid.dilation },
                ...{ count: some.length, tiles: inputTiles(memory, some) },
                ...{ x: x.address, pixelBytes: x.pixelBytes, zeros, scratch, out, tileBytes: tileFloats * 4 },
              });
              runStep(kernels, step);
              const got = some.flatMap((_, t) => {
                const tile = { address: out + t * tileFloats * 4, count: points, channels, pixelBytes: lanes * 4 };
                return [...memory.readPixels(tile, lanes)];
              });
              expectWithin(
                got,
                expected,
                bounds,
                `${build}, seed ${seed}, ${channels} channels, ${JSON.stringify(grid)}`,
              );
              const gaps = { address: out, count: some.length, channels: 1, pixelBytes: tileFloats * 4 };
              memory.readPixels(gaps, points * lanes);
            });
          }
        });
      });

      it("f32_winograd_output transforms back, applies the epilogue, and writes the image's pixels only", () => {
        GRIDS.forEach((grid, seed) => {
          for (const channels of CHANNELS) {
            const lanes = ceil4(channels);
            const tiles = tilesOf(grid, size);
            const random = new Random(seed);
            const products = random.floats(tiles.length * points * channels);
            /** Whether a point has to be there: some go into a tile's last row or column alone. */
            const counts = ({ y, x }: (typeof tiles)[0], point: number) => {
              const isLast = (i: number) => lastPoints.includes(i);
              const reach = (size - 1) * grid.dilation;
              const [hasLastRow, hasLastColumn] = [y + reach < grid.out[0], x + reach < grid.out[1]];
              return (hasLastRow || !isLast(Math.floor(point / side))) && (hasLastColumn || !isLast(point % side));
            };
            const given = products.slice();
            tiles.forEach((tile, t) => {
              for (let point = 0; point < points; point++) {
                if (counts(tile, point)) continue;
                const at = (t * points + point) * channels;
                products.fill(0, at, at + channels);
                given.fill(Number.NaN, at, at + channels);
              }
            });
            const [bias, scale, shift] = [0, 0, 0].map(() => random.floats(channels)) as Float32Array[];
            const pixels = grid.images * grid.out[0] * grid.out[1];
            const residual = random.floats(pixels * channels);
            const [hasBias, hasNorm, hasResidual] = [seed % 2 === 0, channels % 2 === 1, seed % 3 === 0];
            const expected = new Float64Array(pixels * channels);
            const bounds = new Float64Array(expected.length);
            tiles.forEach(({ image, y, x }, t) => {
              for (let c = 0; c < channels; c++) {
                const m = Array.from({ length: points }, (_, p) => products[(t * points + p) * channels + c]!);
                const magnitudes = sandwich(abs(output), m.map(Math.abs));
                sandwich(output, m).forEach((value, i) => {
                  const [oy, ox] = [y + Math.floor(i / size) * grid.dilation, x + (i % size) * grid.dilation];
                  if (oy >= grid.out[0] || ox >= grid.out[1]) return;
                  const at = ((image * grid.out[0] + oy) * grid.out[1] + ox) * channels + c;
                  const [s, h] = hasNorm ? [scale![c]!, shift![c]!] : [1, 0];
                  const r = hasResidual ? residual[at]! : 0;
                  const b = hasBias ? bias![c]! : 0;
                  expected[at] = Math.max(-0.5, (value + b) * s + h + r);
                  // The transform's roundings, and one for each part of the epilogue.
                  bounds[at] =
                    (ROUNDINGS + 5) * UNIT * ((magnitudes[i]! + Math.abs(b)) * Math.abs(s) + Math.abs(h) + Math.abs(r));
                });
              }
            });
            const vector = (memory: KernelMemory, values: Float32Array) =>
              memory.input([...values, ...Array(lanes - channels).fill(Number.NaN)]);
            withCanaries(kernels, (memory) => {
              // A tile is as many pixels as it has points.
              const m = memory.inputPixels(given, channels, { pixelBytes: lanes * 4, lanes });
              const scratch = memory.output(WINOGRAD_OUTPUT_BYTES / 4);
              const [b, s, h] = [hasBias, hasNorm, hasNorm].map((has, i) =>
                has ? vector(memory, [bias!, scale!, shift!][i]!) : 0,
              );
              const r = hasResidual
                ? memory.inputPixels(residual, channels, { pixelBytes: lanes * 4 + 32, lanes })
                : null;
              const out = memory.outputPixels(pixels, channels, { pixelBytes: lanes * 4 + 16, lanes });
              const added = { residual: r?.address ?? 0, residualBytes: lanes * 4 + 32 };
              const step = f32_winograd_output({
                ...{ side, tile: size, channels, outHeight: grid.out[0], outWidth: grid.out[1] },
                ...{ dilation: grid.dilation, count: tiles.length, tiles: inputTiles(memory, tiles) },
                ...{ m: m.address, tileBytes: points * lanes * 4, scratch, out: out.address },
                ...{ outBytes: out.pixelBytes, bias: b! },
                epilogue: memory.epilogue({ scale: s!, shift: h!, ...added, lo: -0.5 }),
              });
              runStep(kernels, step);
              const label = `${build}, seed ${seed}, ${channels} channels, ${JSON.stringify(grid)}`;
              expectWithin(memory.readPixels(out, lanes), expected, bounds, label);
            });
          }
        });
      });

      it('gives a tile the same bits whichever tiles go with it', () => {
        const [channels, grid] = [8, GRIDS[1]!];
        const tiles = tilesOf(grid, size);
        const values = new Random(1).floats(grid.images * grid.size[0] * grid.size[1] * channels);
        const transformed = (memory: KernelMemory, first: number, last: number) => {
          const x = memory.inputPixels(values, channels);
          const [zeros, scratch] = [memory.input(new Float32Array(channels)), memory.output(WINOGRAD_INPUT_BYTES / 4)];
          const out = memory.output((last - first) * points * channels);
          const step = f32_winograd_input({
            ...{ side, channels, height: grid.size[0], width: grid.size[1] },
            ...{ top: grid.padding[0], left: grid.padding[1], dilation: 1, count: last - first },
            tiles: inputTiles(memory, tiles.slice(first, last)),
            ...{ x: x.address, pixelBytes: x.pixelBytes, zeros, scratch, out, tileBytes: points * channels * 4 },
          });
          runStep(kernels, step);
          return memory.read(out, (last - first) * points * channels);
        };
        withCanaries(kernels, (memory) => {
          const all = transformed(memory, 0, tiles.length);
          tiles.forEach((_, t) => {
            const one = all.slice(t * points * channels, (t + 1) * points * channels);
            expectBits(transformed(memory, t, t + 1), one, `${build}, tile ${t}`);
          });
        });
      });
    },
  );
});

describe('Winograd (debug)', () => {
  const kernels = loadKernels('debug');

  it('asserts that channels come in fours and pixels are whole', () => {
    const weights = f32_winograd_weights({
      ...{ side: 6, channels: 6, panels: 1, count: 1, weight: 64, scratch: 64, out: 64 },
    });
    const shared = { side: 6, channels: 4, dilation: 1, count: 1, tiles: 64, scratch: 64, out: 64, tileBytes: 576 };
    const input = f32_winograd_input({
      ...{ ...shared, height: 1, width: 1, top: 1, left: 1, x: 64, pixelBytes: 20, zeros: 64 },
    });
    const output = f32_winograd_output({
      ...{ ...shared, tile: 4, outHeight: 1, outWidth: 1, m: 64, outBytes: 20, bias: 0, epilogue: 64 },
    });
    expect(() => runStep(kernels, weights)).toThrow('assert: channels come in fours');
    for (const step of [input, output]) {
      expect(() => runStep(kernels, step)).toThrow('assert: pixels are whole vectors');
    }
  });
});
