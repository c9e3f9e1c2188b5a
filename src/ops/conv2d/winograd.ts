/**
 * Winograd's minimal filtering for 3×3 kernels of stride 1 (assembly/winograd.ts): tiles of 2×2, 3×3 or 4×4 outputs cost 4, 2.8
 * or 2.25 multiplications an output instead of 9; 2×2 outputs with only padding around them 2.25 instead of 4. The products are an
 * indirect GEMM with a group for each point of the transform; tiles go in blocks, so that what is transformed stays in a cache. With
 * dilation, each sub-grid is tiled by itself. A tile that reaches beyond its last row or column isn't multiplied for the points that
 * go into those alone.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Shape } from '../../tensor/shape.ts';
import { epilogueArguments, NO_EPILOGUE_ARGUMENTS } from '../epilogue.ts';
import { gemmConstants, gemmPhase, panelBytes, tableBytes } from '../gemm.ts';
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
import { type Conv2dAttrs, type Conv2dSite, imageSizes, weightSizes } from './attrs.ts';

/** Points along a side of a transform: 4, 5 or 6 of tiles of 2, 3 or 4 outputs; 3 of two outputs that have only padding around them. */
type Points = 3 | 4 | 5 | 6;

/** Points along a side where a sub-grid has one tile of at most two pixels. */
const PAIRS = 3;

/** What a schedule depends on: the layer, its shapes, how weights are stored, threads. */
type Layer = Omit<Conv2dSite, 'epilogue'>;

/** Output pixels along a side of a tile. */
function tileSize(points: Points): number {
  return Math.max(2, points - 2);
}

/** Bytes of addresses and vectors that a thread's transforms use. */
const TRANSFORM_BYTES = 3072;

/** Of those, what transforming a weight takes. */
const WEIGHT_SCRATCH_BYTES = 2304;

/** How many tiles are many: see {@link holdsPoints}. */
const MANY_TILES = 256;

/** Input channels that are transformed and multiplied at a time: a block's rows of one point stay in a level-2 cache, a panel in level 1. */
const MAX_CHUNK = 512;

/** Bytes that say where a tile is: see f32_winograd_input. */
const TILE_BYTES = 12;

/** A layer's tiles. With dilation, each sub-grid has its own. */
interface Tiling {
  readonly images: number;
  /**
   * First output pixels of tiles' rows and columns. The parts of the tiling come in this order, each [image][row][column]: whole but for their
   * columns, whole, whole but for their rows, whole in neither. So tiles that have all of their rows are neighbours, as are those that have all of
   * their columns.
   */
  readonly parts: readonly { readonly rows: readonly number[]; readonly columns: readonly number[] }[];
  /** Tiles of each part and those before it. */
  readonly ends: readonly number[];
  /** Tiles of all parts. */
  readonly count: number;
}

function tilingOf(output: Conv2dSite['output'], { dilation }: Conv2dAttrs, side: Points): Tiling {
  const { images, height, width } = imageSizes(output);
  const rows = tilesAlong(height, tileSize(side), dilation[0]);
  const columns = tilesAlong(width, tileSize(side), dilation[0]);
  const parts = [
    { rows: rows.whole, columns: columns.cut },
    { rows: rows.whole, columns: columns.whole },
    { rows: rows.cut, columns: columns.whole },
    { rows: rows.cut, columns: columns.cut },
  ];
  let count = 0;
  const ends = parts.map((part) => (count += images * part.rows.length * part.columns.length));
  return { images, parts, ends, count };
}

/** Where tiles begin along a side: those that have all of their pixels, and those that don't. */
function tilesAlong(pixels: number, size: number, step: number): { readonly whole: number[]; readonly cut: number[] } {
  const whole: number[] = [];
  const cut: number[] = [];
  for (let grid = 0; grid < Math.min(step, pixels); grid++) {
    for (let start = grid; start < pixels; start += size * step) {
      (start + (size - 1) * step < pixels ? whole : cut).push(start);
    }
  }
  return { whole, cut };
}

/** The tiles that a point is multiplied for. */
function tilesOf({ ends }: Tiling, side: Points, point: number): Range {
  const isLast = (i: number): boolean => (side === PAIRS ? i > 0 : i === side - 1);
  const hasRows = isLast(Math.floor(point / side));
  const hasColumns = isLast(point % side);
  const first = hasColumns ? ends[0]! : 0;
  return { first, count: ends[hasRows ? 1 : hasColumns ? 2 : 3]! - first };
}

/** Neighbouring points that are multiplied for the same of a block's tiles, which are counted from its first. */
interface Products {
  readonly tiles: Range;
  readonly points: Range;
}

function productsOf(tiling: Tiling, side: Points, block: Range): Products[] {
  const found: Products[] = [];
  let last: Products | undefined;
  for (let point = 0; point < side ** 2; point++) {
    const all = tilesOf(tiling, side, point);
    const first = Math.max(all.first - block.first, 0);
    const count = Math.min(all.first + all.count - block.first, block.count) - first;
    if (last && last.tiles.first === first && last.tiles.count === count) found.pop();
    else last = undefined;
    const points: Range = { first: last?.points.first ?? point, count: (last?.points.count ?? 0) + 1 };
    last = { tiles: { first, count }, points };
    found.push(last);
  }
  return found.filter(({ tiles }) => tiles.count > 0);
}

/** Rows of a block that are multiplied together, and where in the layer's tables what f32_conv2d reads of them lies. */
interface Rows extends Range {
  readonly table: number;
}

/** The schedule: blocks of tiles, of each chunks of input channels; and where all that lies in the scratch memory. */
type Schedule = ReturnType<typeof scheduleOf>;

function scheduleOf(layer: Layer, side: Points) {
  const { tileRows, threads } = layer.engine;
  const points = side ** 2;
  const channelsIn = channelsOf(layer.inputs[0]!);
  const channelsOut = Math.ceil(channelsOf(layer.output) / 4) * 4;
  const panels = Math.ceil(channelsOut / 8);
  const tiling = tilingOf(layer.output, layer.attrs, side);
  const { count } = tiling;
  const chunk = Math.min(channelsIn, MAX_CHUNK);
  // Enough rows for each point's weights to pay for their way from memory; a thread has only some of the points.
  const most = threads * Math.max(24, Math.ceil((chunk * 3) / 8));
  const blocks = Math.ceil(count / most);
  // Whole tiles of the GEMM in all blocks but the last.
  const block = Math.min(count, Math.ceil(count / blocks / tileRows) * tileRows);
  const inputBytes = skewed(points * chunk * 4);
  const outputBytes = skewed(points * channelsOut * 4);
  const input = threads * TRANSFORM_BYTES;
  const output = input + block * inputBytes;
  const isHeld = holdsPoints(layer, side);
  // Blocks share what they can.
  const rows = new Map<string, Rows>();
  let tableEnd = count * TILE_BYTES;
  const rowsOf = (tiles: Range): Rows => {
    const key = `${tiles.first} ${tiles.count}`;
    const found = rows.get(key) ?? { ...tiles, table: tableEnd };
    if (!rows.has(key)) tableEnd += tableBytes(tiles.count, 1, tileRows);
    rows.set(key, found);
    return found;
  };
  const blockOf = (tiles: Range) => {
    const products = productsOf(tiling, side, tiles);
    return { tiles, products: products.map((one) => ({ points: one.points, rows: rowsOf(one.tiles) })) };
  };
  const weights = output + block * outputBytes;
  return {
    ...{ side, tiling, channelsIn, channelsOut, panels, input, inputBytes, output, outputBytes },
    chunks: parts(channelsIn, chunk),
    blocks: parts(count, block).map(blockOf),
    rows: [...rows.values()],
    tableBytes: tableEnd,
    /** Null where the constant has been transformed. */
    weights: isHeld ? null : weights,
    bytes: weights + (isHeld ? 0 : points * panels * panelBytes(channelsIn, 1)),
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
      const isSquare = kernelHeight === 3 && kernelWidth === 3 && dilation[0] === dilation[1];
      return (
        isSquare &&
        (side !== PAIRS || isPairs(inputs[0]!, output, attrs)) &&
        stride[0] === 1 &&
        stride[1] === 1 &&
        groups === 1 &&
        channels % 4 === 0 &&
        channels >= 16 &&
        out >= 16
      );
    },

    work(site) {
      const { inputs, output, attrs } = site;
      const tiling = tilingOf(output, attrs, side);
      const points = Array.from({ length: side ** 2 }, (_, point) => tilesOf(tiling, side, point));
      const products = points.reduce((sum, { count }) => sum + count, 0);
      const [channelsIn, channelsOut] = [channelsOf(inputs[0]!), channelsOf(output)];
      const weights = holdsPoints(site, side) ? 0 : side ** 2 * channelsIn * channelsOut;
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
            products.flatMap(({ points, rows }) => productSteps(binding, schedule, channels, points, rows)),
          );
        }
        phases.push(outputPhase(binding, attrs, schedule, tiles));
      }
      return phases;
    },
  };
}

/** Writes where the tiles are, and the rows of the blocks' products. */
function writeTables(
  { kernels, engine, scratch, table }: Binding,
  { tiling, rows, input, inputBytes }: Schedule,
): void {
  const { images, parts, count } = tiling;
  const tiles = new Int32Array(kernels.memory.buffer, table, count * (TILE_BYTES / 4));
  let at = 0;
  for (const part of parts) {
    for (let image = 0; image < images; image++) {
      for (const row of part.rows)
        for (const column of part.columns) for (const n of [image, row, column]) tiles[at++] = n;
    }
  }
  for (const { first, count, table: offset } of rows) {
    kernels.f32_conv2d_table(
      ...([1, 1, count, 1, count, 1, 1, 1, 1, 0, 0, 1, 1, engine.tileRows, 0] as const),
      ...([scratch + input + first * inputBytes, inputBytes, 0, table + offset] as const),
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

/** The products of some points, a group for each, which add to those of the channels before. */
function productSteps(binding: Binding, schedule: Schedule, channels: Range, points: Range, rows: Rows): Phase {
  const { engine, constants, scratch, table } = binding;
  const { channelsIn, channelsOut, weights, outputBytes } = schedule;
  return gemmPhase(
    {
      rows: rows.count,
      firstGroup: points.first,
      groups: points.count,
      channelsIn: channels.count,
      channelsOut,
      taps: 1,
      sums: channels.first > 0,
      blockTiles: rows.count,
      table: table + rows.table,
      weights: (weights === null ? constants[0]! : scratch + weights) + channels.first * panelBytes(1, 1),
      panelBytes: panelBytes(channelsIn, 1),
      out: scratch + schedule.output + rows.first * outputBytes,
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
 * transforming the weight takes less than a twentieth of it, and what it would grow to isn't worth holding. A Toeplitz product's doesn't grow.
 */
function holdsPoints({ output, attrs, weightStorage }: Layer, side: Points): boolean {
  return side === PAIRS || weightStorage === 'f16' || tilingOf(output, attrs, side).count < MANY_TILES;
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
    bytes: side ** 2 * panels * panel,
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

/** Sub-grids of at most 2×2 pixels, as dilations of half an image have them: 9 multiplications where 16 taps aren't padding. */
export const toeplitz2 = winograd('toeplitz-2x2', PAIRS);
