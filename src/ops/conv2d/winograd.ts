/**
 * Winograd's minimal filtering for 3×3 kernels (assembly/winograd.ts): tiles of 2×2, 3×3 or 4×4 outputs cost 4, 2.8 or 2.25
 * multiplications an output instead of 9; 2×2 outputs with only padding around them 2.25 instead of 4; 3×3 outputs with stride 2 5.4
 * instead of 9. The products are an indirect GEMM with a group for each point of the transform; tiles go in blocks, so that what is
 * transformed stays in a cache. With dilation, each sub-grid is tiled by itself.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Shape } from '../../tensor/shape.ts';
import { epilogueArguments, NO_EPILOGUE_ARGUMENTS } from '../epilogue.ts';
import { gemmConstants, gemmPhase, gemmScratchBytes, panelBytes, tableBytes } from '../gemm.ts';
import {
  type Algorithm,
  type Binding,
  type Constant,
  channelsOf,
  type Phase,
  type Range,
  ranges,
  stepOf,
} from '../op.ts';
import { stage, stagedBytes, stagedChannels } from '../stage.ts';
import { MOST } from '../window.ts';
import { type Conv2dAttrs, type Conv2dSite, imageSizes, weightSizes } from './attrs.ts';
import {
  endsIn,
  PAIRS,
  type Points,
  type Products,
  productsOf,
  STRIDED,
  TILE_BYTES,
  tilesOf,
  tilingOf,
  weightCount,
  writeTiles,
} from './tiling.ts';

/** What a schedule depends on: the layer, its shapes, how weights are stored, threads. */
type Layer = Omit<Conv2dSite, 'epilogue'>;

/** Bytes of addresses and vectors that a thread's transforms use. */
const TRANSFORM_BYTES = 3072;

/** Of those, what transforming a weight takes. */
const WEIGHT_SCRATCH_BYTES = 2304;

/** How many tiles are many: see {@link holdsPoints}. */
const MANY_TILES = 256;

/** Input channels that are transformed and multiplied at a time: a block's rows of one point stay in a level-2 cache, a panel in level 1. */
const MAX_CHUNK = 512;

/** The schedule: blocks of tiles, of each chunks of input channels; and where all that lies in the scratch memory. */
type Schedule = ReturnType<typeof scheduleOf>;

function scheduleOf(layer: Layer, side: Points) {
  const { tileRows, threads } = layer.engine;
  const points = side ** 2;
  const channelsIn = channelsOf(layer.inputs[0]!);
  const channelsOut = Math.ceil(channelsOf(layer.output) / 4) * 4;
  const panels = Math.ceil(channelsOut / 8);
  const tiling = tilingOf(layer.output, layer.attrs.dilation[0], side);
  const { count } = tiling;
  const chunk = Math.min(channelsIn, MAX_CHUNK);
  // Enough rows for each point's weights to pay for their way from memory; a thread has only some of the points.
  const most = threads * Math.max(24, Math.ceil((chunk * 3) / 8));
  const blocks = Math.ceil(count / most);
  // Whole tiles of the GEMM in all blocks but the last.
  const block = Math.min(count, Math.ceil(count / blocks / tileRows) * tileRows);
  const inputBytes = skewed(points * chunk * 4);
  const outputBytes = skewed(points * channelsOut * 4);
  const sums = threads * TRANSFORM_BYTES;
  const input = sums + gemmScratchBytes({ channelsIn: chunk, taps: 1, weightStorage: 'f32' }, layer.engine);
  const output = input + block * inputBytes;
  const isHeld = holdsPoints(layer, side);
  let tableEnd = count * TILE_BYTES;
  const withTable = (some: Products) => {
    const table = tableEnd;
    tableEnd += tableBytes(some.tiles, 1, tileRows);
    return { ...some, table };
  };
  // Most blocks lie within a part, and have their products and tables in common.
  const products = new Map<string, readonly ReturnType<typeof withTable>[]>();
  const blockOf = (tiles: Range) => {
    const ends = endsIn(tiling, tiles);
    const key = String(ends);
    if (!products.has(key)) products.set(key, productsOf(side, ends).map(withTable));
    return { tiles, products: products.get(key)! };
  };
  const weights = output + block * outputBytes;
  return {
    ...{ side, tiling, channelsIn, channelsOut, panels, sums, input, inputBytes, output, outputBytes },
    chunks: parts(channelsIn, chunk),
    blocks: parts(count, block).map(blockOf),
    products: [...products.values()].flat(),
    /** Where the tiles are, then of each of the products what f32_conv2d reads. */
    tableBytes: tableEnd,
    /** Null where the constant has been transformed. */
    weights: isHeld ? null : weights,
    bytes: weights + (isHeld ? 0 : weightCount(side) * panels * panelBytes(channelsIn, 1)),
  };
}

/** `count` in parts of `size`, of which the last may be smaller. */
function parts(count: number, size: number): readonly Range[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, count - i * size),
  }));
}

/** Rows a multiple of 4 KiB apart would meet in the same sets of a cache. */
function skewed(bytes: number): number {
  return bytes % 4096 === 0 ? bytes + 64 : bytes;
}

function winograd(name: string, side: Points): Algorithm<Conv2dAttrs> {
  return {
    name,
    addsInPlace: true,

    fits({ inputs, output, attrs }) {
      const { kernelHeight, kernelWidth, out } = weightSizes(attrs);
      const { stride, dilation, groups } = attrs;
      const channels = channelsOf(inputs[0]!);
      const step = side === STRIDED ? 2 : 1;
      const isSquare = kernelHeight === 3 && kernelWidth === 3 && dilation[0] === dilation[1];
      return (
        isSquare &&
        (side !== PAIRS || isPairs(inputs[0]!, output, attrs)) &&
        stride[0] === step &&
        stride[1] === step &&
        (step === 1 || dilation[0] === 1) &&
        // A tile reaches over up to seven dilations, whose pixels are counted in 32 bits.
        dilation[0] <= MOST / 8 &&
        groups === 1 &&
        channels % 4 === 0 &&
        channels >= 16 &&
        out >= 16
      );
    },

    work(site) {
      const { inputs, output, attrs } = site;
      const tiling = tilingOf(output, attrs.dilation[0], side);
      let products = 0;
      for (let point = 0; point < side ** 2; point++) products += tilesOf(side, tiling.ends, point).count;
      const [channelsIn, channelsOut] = [channelsOf(inputs[0]!), channelsOf(output)];
      const weights = holdsPoints(site, side) ? 0 : weightCount(side) * channelsIn * channelsOut;
      return {
        macs: products * channelsIn * channelsOut,
        transformed: tiling.count * side ** 2 * (channelsIn + channelsOut) + weights,
      };
    },

    constants(site) {
      const [panels, ...vectors] = gemmConstants(site);
      return [holdsPoints(site, side) ? pointsConstant(site.attrs.weight, side) : panels!, ...vectors];
    },

    workspace(site) {
      const schedule = scheduleOf(site, side);
      return {
        tableBytes: schedule.tableBytes,
        scratchBytes: schedule.bytes,
        zeroBytes: channelsOf(site.inputs[0]!) * 4,
      };
    },

    bind(binding, attrs) {
      const { inputs, output } = binding;
      const schedule = scheduleOf({ ...binding, inputs: [inputs[0]!.shape], output: output.shape, attrs }, side);
      const { chunks, blocks } = schedule;
      writeTables(binding, schedule);
      const phases = weightPhases(binding, schedule);
      for (const { tiles, products } of blocks) {
        for (const channels of chunks) {
          phases.push(
            inputPhase(binding, attrs, schedule, channels, tiles),
            products.flatMap((some) => productSteps(binding, schedule, channels, some)),
          );
        }
        phases.push(outputPhase(binding, attrs, schedule, tiles));
      }
      return phases;
    },
  };
}

/** Writes where the tiles are, and the rows of the products. */
function writeTables({ kernels, engine, scratch, table }: Binding, schedule: Schedule): void {
  const { tiling, products, input, inputBytes } = schedule;
  writeTiles(tiling, kernels.memory, table);
  for (const { tile, tiles, table: offset } of products) {
    kernels.f32_conv2d_table(
      ...([1, 1, tiles, 1, tiles, 1, 1, 1, 1, 0, 0, 1, 1, engine.tileRows, 0] as const),
      ...([scratch + input + tile * inputBytes, inputBytes, 0, table + offset] as const),
    );
  }
}

/** Where the constant isn't transformed, it is. */
function weightPhases({ engine, constants, scratch }: Binding, schedule: Schedule): Phase[] {
  const { side, channelsIn, panels, weights } = schedule;
  if (weights === null) return [];
  const transform = ranges(panels, engine.threads).map(({ first, count }, i) =>
    stepOf(
      'f32_winograd_weights',
      ...([side, channelsIn, panels, count, constants[0]! + first * panelBytes(channelsIn, 9)] as const),
      ...([scratch + i * TRANSFORM_BYTES, scratch + weights + first * panelBytes(channelsIn, 1)] as const),
    ),
  );
  return [transform];
}

/** Some tiles as the threads share them, with what each has of the scratch memory. */
function partsOf({ engine, scratch, table }: Binding, tiles: Range) {
  return ranges(tiles.count, engine.threads).map(({ first, count }, i) => {
    const part = [count, table + (tiles.first + first) * TILE_BYTES] as const;
    return { tiles: part, at: first, own: scratch + i * TRANSFORM_BYTES };
  });
}

/** The transforms of some channels of a block's input. */
function inputPhase(binding: Binding, attrs: Conv2dAttrs, schedule: Schedule, channels: Range, tiles: Range): Phase {
  const { scratch, zeros } = binding;
  const { side, input, inputBytes } = schedule;
  const x = binding.inputs[0]!;
  const { height, width } = imageSizes(x.shape);
  const [dilation] = attrs.dilation;
  // Of pairs nothing around is read.
  const around = side === PAIRS ? dilation : 0;
  return partsOf(binding, tiles).map(({ tiles, at, own }) =>
    stepOf(
      'f32_winograd_input',
      ...([side, channels.count, height, width] as const),
      ...([attrs.padding.top - around, attrs.padding.left - around, dilation, ...tiles] as const),
      ...([x.address + channels.first * 4, x.pixelBytes, zeros, own] as const),
      ...([scratch + input + at * inputBytes, inputBytes] as const),
    ),
  );
}

/** Products of a block, a group for each point, which add to those of the channels before. */
function productSteps(binding: Binding, schedule: Schedule, channels: Range, products: Schedule['products'][0]): Phase {
  const { engine, constants, scratch } = binding;
  const { channelsIn, channelsOut, panels, weights, outputBytes } = schedule;
  // f32_conv2d takes each group's weights to lie where those of the groups before end.
  const skipped = (products.weight - products.point) * panels * panelBytes(channelsIn, 1);
  return gemmPhase(
    {
      rows: products.tiles,
      firstGroup: products.point,
      groups: products.points,
      channelsIn: channels.count,
      channelsOut,
      taps: 1,
      sums: channels.first > 0,
      blockTiles: products.tiles,
      table: binding.table + products.table,
      weights: (weights === null ? constants[0]! : scratch + weights) + channels.first * panelBytes(1, 1) + skipped,
      panelBytes: panelBytes(channelsIn, 1),
      weightStorage: 'f32',
      scratch: scratch + schedule.sums,
      out: scratch + schedule.output + products.tile * outputBytes,
      outBytes: outputBytes,
      bias: 0,
      epilogue: NO_EPILOGUE_ARGUMENTS,
      cut: 'panels',
    },
    engine,
  );
}

/** The way back of a block's products to output pixels. */
function outputPhase(binding: Binding, attrs: Conv2dAttrs, schedule: Schedule, tiles: Range): Phase {
  const { output, constants, scratch } = binding;
  const { side, outputBytes } = schedule;
  const { height, width } = imageSizes(output.shape);
  return partsOf(binding, tiles).map(({ tiles, at, own }) =>
    stepOf(
      'f32_winograd_output',
      ...([side, channelsOf(output.shape), height, width, attrs.dilation[0], ...tiles] as const),
      ...([scratch + schedule.output + at * outputBytes, outputBytes, own, output.address, output.pixelBytes] as const),
      attrs.bias ? constants[1]! : 0,
      ...epilogueArguments(binding),
    ),
  );
}

/** True where each sub-grid has at most 2×2 pixels, each in its place. */
function isPairs(x: Shape, output: Shape, { dilation: [dilation], padding }: Conv2dAttrs): boolean {
  const [input, { height, width }] = [imageSizes(x), imageSizes(output)];
  return (
    padding.top === dilation &&
    padding.left === dilation &&
    input.height === height &&
    input.width === width &&
    Math.max(height, width) <= 2 * dilation
  );
}

/**
 * True where a weight is held in the transform's points, and not transformed in each run. With many tiles their products take so long that
 * transforming the weight takes a tenth of it at most, and what it would grow to isn't worth holding. A Toeplitz product's doesn't grow.
 */
function holdsPoints({ output, attrs, weightStorage }: Layer, side: Points): boolean {
  return side === PAIRS || weightStorage === 'f16' || tilingOf(output, attrs.dilation[0], side).count < MANY_TILES;
}

/** A weight in the transform's points, packed for the products. */
function pointsConstant(weight: Parameter, side: Points): Constant {
  const [channelsOut, channelsIn] = weight.shape as [number, number];
  const row = channelsIn * 9;
  const step = stagedChannels(row);
  const staged = stagedBytes(Math.min(step, channelsOut) * row);
  const panels = Math.ceil(channelsOut / 8);
  const panel = panelBytes(channelsIn, 1);
  const mostPanels = Math.ceil(Math.min(step, channelsOut) / 8);
  return {
    owner: weight,
    form: `winograd ${side}`,
    bytes: weightCount(side) * panels * panel,
    weight,
    scratchBytes: staged + mostPanels * panel * 9 + WEIGHT_SCRATCH_BYTES,
    write({ kernels, address, scratch, valuesOf }) {
      const values = valuesOf(weight);
      const packed = scratch + staged;
      for (let n = 0; n < channelsOut; n += step) {
        const count = Math.min(step, channelsOut - n);
        stage(kernels, values, n * row, count * row, scratch);
        kernels.f32_pack_conv2d(count, channelsIn, 9, scratch, packed);
        kernels.f32_winograd_weights(
          ...([side, channelsIn, panels, Math.ceil(count / 8), packed] as const),
          ...([packed + mostPanels * panel * 9, address + (n / 8) * panel] as const),
        );
      }
    },
  };
}

/** F(2×2, 3×3): 2.25 times fewer multiplications. */
export const winograd2 = winograd('winograd-2x2', 4);

/** F(3×3, 3×3): 3.24 times fewer multiplications. */
export const winograd3 = winograd('winograd-3x3', 5);

/** F(4×4, 3×3): 4 times fewer multiplications. */
export const winograd4 = winograd('winograd-4x4', 6);

/** Stride 2 by tiles of 3×3 outputs: 1.65 times fewer multiplications. */
export const winogradStrided = winograd('winograd-3x3-s2', STRIDED);

/** Sub-grids of at most 2×2 pixels, as dilations of half an image have them: 9 multiplications where 16 taps aren't padding. */
export const toeplitz2 = winograd('toeplitz-2x2', PAIRS);
