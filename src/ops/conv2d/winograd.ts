/**
 * Minimal filtering for 3×3 kernels (assembly/winograd.ts, transforms.ts): fewer multiplications for more additions.
 *
 *     input ─ transform ─▶ a matrix for each point ─ products ─▶ a matrix for each point ─ transform back ─▶ output
 *                                    ▲ weights, transformed once or in each run
 *
 * A matrix has a row for each tile of the output. The products are an indirect GEMM with a group for each point, or for
 * each of the convolution's groups of each point. Tiles go in blocks, so that what is transformed stays in a cache
 * between the three stages. With dilation, each sub-grid is tiled by itself.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Shape } from '../../tensor/shape.ts';
import {
  PANEL,
  TILE_PLACE_BYTES,
  WINOGRAD_INPUT_BYTES,
  WINOGRAD_OUTPUT_BYTES,
  WINOGRAD_WEIGHT_BYTES,
} from '../../wasm/kernels.gen.ts';
import { type Phase, runStep } from '../../wasm/step.ts';
import {
  f32_conv2d_table,
  f32_pack_conv2d,
  f32_winograd_input,
  f32_winograd_output,
  f32_winograd_weights,
} from '../../wasm/steps.gen.ts';
import type { Algorithm, Binding } from '../lowering/algorithm.ts';
import type { Constant } from '../lowering/constant.ts';
import { pieces, type Range, ranges } from '../lowering/cut.ts';
import { writeEpilogue } from '../lowering/epilogue.ts';
import {
  type Gemm,
  gemmConstants,
  gemmPhase,
  gemmScratchBytes,
  listOf,
  panelBytes,
  panelsOf,
  tableBytes,
} from '../lowering/gemm.ts';
import { channelsOf, imageSizes, vectorBytes } from '../lowering/slot.ts';
import { stage, stagedBytes, stagedChannels } from '../lowering/stage.ts';
import { MOST, ONE_PIXEL, windowArguments } from '../rules/window.ts';
import { type Conv2dAttrs, type Conv2dSite, weightSizes } from './attrs.ts';
import {
  endsIn,
  type Products,
  productsOf,
  type Tiling,
  tilesOfPoint,
  tilingOf,
  weightCount,
  writeTiles,
} from './tiling.ts';
import type { Transform } from './transforms.ts';

/** Scratch bytes of one thread. Its transforms of inputs, outputs and weights use them one after the other. */
const THREAD_BYTES = Math.max(WINOGRAD_INPUT_BYTES, WINOGRAD_OUTPUT_BYTES, WINOGRAD_WEIGHT_BYTES);

/** Tiles from which on a weight is transformed in each run: see {@link isPretransformed}. */
const MANY_TILES = 256;

/**
 * Input channels of a chunk. So many make a panel of 16 KiB, which stays in a level-1 cache. With one thread, the rows
 * of one point in a block are then 384 KiB, which stay in a level-2 cache. With more threads they are as many times
 * larger: a thread reads all rows, of fewer points.
 */
const MAX_CHUNK = 512;

/**
 * Output and input channels from which on minimal filtering is considered. With 12 of both, F(4×4) costs what plain
 * products do, by the cost model's numbers; with 16 it is cheaper.
 */
const LEAST_CHANNELS = 16;

/** The algorithm that computes a convolution by a transform. */
export function winograd(transform: Transform): Algorithm<Conv2dAttrs> {
  return {
    name: transform.name,
    addsInPlace: true,

    prepare(site) {
      const { inputs, output, attrs, engine } = site;
      if (!fits(site, transform)) return null;
      const channels = channelsOf(inputs[0]!);
      const tiling = tilingOf(output, attrs.dilation[0], transform);
      const plain = gemmConstants(site, attrs.groups);
      const pretransformed = isPretransformed(site, transform, tiling);
      const constants = pretransformed ? { ...plain, weights: pointsConstant(attrs.weight, transform) } : plain;
      const places = placesOf(site, transform, tiling, pretransformed);
      let made: Schedule | null = null;
      const schedule = () => (made ??= scheduleOf(transform, tiling, places, engine.tileRows));
      return {
        work: workOf(site, transform, tiling, pretransformed),
        constants: listOf(constants),
        workspace: {
          // The schedule is made where a plan wants the algorithm, and not where the algorithm's cost is asked for.
          get tableBytes() {
            return schedule().tableBytes;
          },
          scratchBytes: places.bytes,
          zeroBytes: channels * 4,
        },
        phases(binding) {
          const bound: Bound = {
            site,
            transform,
            places,
            schedule: schedule(),
            binding,
            weights: binding.addressOf(constants.weights),
            bias: binding.addressOf(constants.bias),
            record: writeEpilogue(binding, site.epilogue, constants.norm, binding.residual),
          };
          writeTables(bound, tiling);
          return [...weightPhases(bound), ...bound.schedule.blocks.flatMap((block) => blockPhases(bound, block))];
        },
      };
    },
  };
}

/**
 * True where a transform computes a convolution: 3×3, of enough channels in each group, with the transform's stride.
 * Groups are whole panels of output channels, so that what is packed lies as it does without groups.
 */
function fits({ inputs, output, attrs }: Conv2dSite, { stride, isSurrounded }: Transform): boolean {
  const { kernelHeight, kernelWidth, inGroup, out } = weightSizes(attrs);
  const { dilation, groups } = attrs;
  return (
    kernelHeight === 3 &&
    kernelWidth === 3 &&
    (groups === 1 || (out / groups) % PANEL === 0) &&
    inGroup % 4 === 0 && // f32_winograd_weights takes input channels by fours
    inGroup >= LEAST_CHANNELS &&
    out / groups >= LEAST_CHANNELS &&
    attrs.stride[0] === stride &&
    attrs.stride[1] === stride &&
    dilation[0] === dilation[1] &&
    (stride === 1 || dilation[0] === 1) &&
    // A tile reaches over less than eight dilations, and pixels are counted in 32 bits.
    dilation[0] <= MOST / 8 &&
    (!isSurrounded || hasOneTileSubGrids(inputs[0]!, output, attrs))
  );
}

/** True where each sub-grid has at most 2×2 pixels, and each output pixel lies where its input pixel does. */
function hasOneTileSubGrids(x: Shape, output: Shape, { dilation: [dilation], padding }: Conv2dAttrs): boolean {
  const input = imageSizes(x);
  const { height, width } = imageSizes(output);
  return (
    padding.top === dilation &&
    padding.left === dilation &&
    input.height === height &&
    input.width === width &&
    Math.max(height, width) <= 2 * dilation
  );
}

/**
 * True where a weight is transformed once, when it is packed, and not in each run. With MANY_TILES or more, products
 * take 14 times as long as transforming the weight, by the cost model's numbers. What the weight would grow to isn't
 * worth holding then. The weight of a Toeplitz product doesn't grow. A weight that is stored as f16 is transformed once
 * as well, since the transform reads float32.
 */
function isPretransformed({ weightStorage }: Conv2dSite, { isSurrounded }: Transform, { count }: Tiling): boolean {
  return isSurrounded || weightStorage === 'f16' || count < MANY_TILES;
}

/** What the algorithm does, for the cost model. */
function workOf({ attrs }: Conv2dSite, transform: Transform, { count, ends }: Tiling, pretransformed: boolean) {
  const { inGroup, out } = weightSizes(attrs);
  const points = transform.side ** 2;
  let rows = 0;
  for (let point = 0; point < points; point++) rows += tilesOfPoint(transform, ends, point).count;
  const transformedWeights = pretransformed ? 0 : weightCount(transform) * inGroup * out;
  return {
    macs: rows * inGroup * out,
    transformed: count * points * (inGroup * attrs.groups + out) + transformedWeights,
  };
}

/** Sizes of the matrices, and where they lie in the scratch memory. */
interface Places {
  readonly channelsIn: number;
  /** Input channels of a group. */
  readonly inGroup: number;
  /** Whole vectors. */
  readonly channelsOut: number;
  /** Tiles of a block. The GEMM has a row for each, so all blocks but the last are a multiple of its `tileRows`. */
  readonly blockSize: number;
  /** Input channels of a chunk. A convolution with groups has one chunk, of all its channels. */
  readonly chunk: number;
  /** The offset of the products' own scratch memory. */
  readonly gemmOffset: number;
  /** The offset of a block's transformed input, `inputBytes` from tile to tile: [tile][point][channel]. */
  readonly inputOffset: number;
  readonly inputBytes: number;
  /** The offset of a block's products, `productBytes` from tile to tile: [tile][point][channel]. */
  readonly productsOffset: number;
  readonly productBytes: number;
  /** The offset of the transformed weight; null where the constant is transformed. */
  readonly weightsOffset: number | null;
  /** Bytes of it all. Each thread's own scratch memory comes first. */
  readonly bytes: number;
}

/** Where a site's matrices lie. */
function placesOf(
  { inputs, output, attrs, engine }: Conv2dSite,
  transform: Transform,
  { count }: Tiling,
  pretransformed: boolean,
): Places {
  const { threads, tileRows } = engine;
  const points = transform.side ** 2;
  const channelsIn = channelsOf(inputs[0]!);
  const channelsOut = vectorBytes(channelsOf(output)) / 4;
  const { groups } = attrs;
  const inGroup = channelsIn / groups;
  const chunk = groups > 1 ? channelsIn : Math.min(channelsIn, MAX_CHUNK);
  // A block has enough tiles to pay for fetching each point's weights from memory, and more where a row has more
  // channels: 192 for a chunk of 512, which are MAX_CHUNK's 384 KiB, and 24 at least. It has more for more threads,
  // since a thread multiplies only some of the points.
  const mostTiles = threads * Math.max(24, Math.ceil((chunk * 3) / 8));
  const blocks = Math.ceil(count / mostTiles);
  const blockSize = Math.min(count, Math.ceil(count / blocks / tileRows) * tileRows);
  const inputBytes = skewed(points * chunk * 4);
  const productBytes = skewed(points * channelsOut * 4);
  const gemmOffset = threads * THREAD_BYTES;
  const gemmBytes = gemmScratchBytes({ channelsIn: chunk / groups, taps: 1, weightStorage: 'f32' }, engine);
  const inputOffset = gemmOffset + gemmBytes;
  const productsOffset = inputOffset + blockSize * inputBytes;
  const weightsOffset = productsOffset + blockSize * productBytes;
  const weightBytes = weightCount(transform) * panelsOf(channelsOut) * panelBytes(inGroup, 1);
  return {
    channelsIn,
    inGroup,
    channelsOut,
    blockSize,
    chunk,
    gemmOffset,
    inputOffset,
    inputBytes,
    productsOffset,
    productBytes,
    weightsOffset: pretransformed ? null : weightsOffset,
    bytes: pretransformed ? weightsOffset : weightsOffset + weightBytes,
  };
}

/** Bytes from row to row. Rows that are a multiple of 4 KiB apart would meet in the same sets of a cache. */
function skewed(bytes: number): number {
  return bytes % 4096 === 0 ? bytes + 64 : bytes;
}

/** Products, and where in the table the addresses of their rows begin. */
interface PlacedProducts extends Products {
  readonly tableOffset: number;
}

/** Tiles that go through all three stages together. */
interface Block {
  readonly tiles: Range;
  readonly products: readonly PlacedProducts[];
}

/** What is computed in which order: block by block of tiles, and in each block chunk by chunk of input channels. */
interface Schedule {
  readonly chunks: readonly Range[];
  readonly blocks: readonly Block[];
  /** The products of all blocks; blocks that have equal ones share them. */
  readonly products: readonly PlacedProducts[];
  /** Bytes for where the tiles are, and behind that for the addresses that f32_conv2d reads for the products. */
  readonly tableBytes: number;
}

/** A site's schedule. Most blocks lie within one grid of tiles. Those have equal products, which are kept once. */
function scheduleOf(
  transform: Transform,
  tiling: Tiling,
  { channelsIn, chunk, blockSize }: Places,
  tileRows: number,
): Schedule {
  let end = tiling.count * TILE_PLACE_BYTES;
  const known = new Map<string, readonly PlacedProducts[]>();
  const blocks = pieces(tiling.count, blockSize).map((tiles) => {
    const ends = endsIn(tiling, tiles);
    const key = String(ends);
    let products = known.get(key);
    if (!products) {
      products = productsOf(transform, ends).map((one) => {
        const tableOffset = end;
        end += tableBytes(one.tiles, 1, tileRows);
        return { ...one, tableOffset };
      });
      known.set(key, products);
    }
    return { tiles, products };
  });
  return { chunks: pieces(channelsIn, chunk), blocks, products: [...known.values()].flat(), tableBytes: end };
}

/** One bound convolution: what the phases below are made of. */
interface Bound {
  readonly site: Conv2dSite;
  readonly transform: Transform;
  readonly places: Places;
  readonly schedule: Schedule;
  readonly binding: Binding;
  /** Addresses of the constants, and of the epilogue's record. */
  readonly weights: number;
  readonly bias: number;
  readonly record: number;
}

/** Writes where the tiles are, and the addresses of the products' rows. */
function writeTables({ site, places, schedule, binding }: Bound, tiling: Tiling): void {
  const { kernels, scratch, table } = binding;
  writeTiles(tiling, kernels.memory, table);
  for (const { tile, tiles, tableOffset } of schedule.products) {
    // The table is that of a 1×1 window over an image of one row, whose pixels are the tiles, `inputBytes` apart.
    const rows = f32_conv2d_table({
      images: 1,
      height: 1,
      width: tiles,
      outHeight: 1,
      outWidth: tiles,
      ...windowArguments(ONE_PIXEL),
      tileRows: site.engine.tileRows,
      skipsPadding: 0,
      x: scratch + places.inputOffset + tile * places.inputBytes,
      pixelBytes: places.inputBytes,
      zeros: 0,
      table: table + tableOffset,
    });
    runStep(kernels, rows);
  }
}

/** The transform of the weight, where the constant isn't transformed: the threads share its panels. */
function weightPhases({ site, transform, places, binding, weights }: Bound): readonly Phase[] {
  const { inGroup, weightsOffset } = places;
  if (weightsOffset === null) return [];
  const panels = panelsOf(places.channelsOut);
  const phase = ranges(panels, site.engine.threads).map(({ first, count }, thread) =>
    f32_winograd_weights({
      side: transform.side,
      channels: inGroup,
      panels,
      count,
      weight: weights + first * panelBytes(inGroup, 9),
      scratch: binding.scratch + thread * THREAD_BYTES,
      out: binding.scratch + weightsOffset + first * panelBytes(inGroup, 1),
    }),
  );
  return [phase];
}

/** All phases of a block: for each chunk of channels the transforms of the input, then products; and the way back. */
function blockPhases(bound: Bound, { tiles, products }: Block): readonly Phase[] {
  const chunks = bound.schedule.chunks.flatMap((channels) => [
    inputPhase(bound, tiles, channels),
    productPhase(bound, products, channels),
  ]);
  return [...chunks, outputPhase(bound, tiles)];
}

/** A block's tiles, cut for the threads: what each thread's transform takes. */
function sharesOf({ site, binding }: Bound, block: Range) {
  return ranges(block.count, site.engine.threads).map(({ first, count }, thread) => ({
    /** The share's first tile, counted from the block's first tile. */
    first,
    /** Tiles of the share. */
    count,
    /** The address at which the places of the share's tiles begin: TILE_PLACE_BYTES for each. */
    tiles: binding.table + (block.first + first) * TILE_PLACE_BYTES,
    /** The thread's own scratch memory. */
    scratch: binding.scratch + thread * THREAD_BYTES,
  }));
}

/** The transforms of some channels of a block's input. */
function inputPhase(bound: Bound, tiles: Range, channels: Range): Phase {
  const { site, transform, places, binding } = bound;
  const { padding, dilation } = site.attrs;
  const x = binding.inputs[0]!;
  const { height, width } = imageSizes(x.shape);
  // A tile of a Toeplitz product reads nothing of the padding around it, so it begins a dilation later.
  const surrounding = transform.isSurrounded ? dilation[0] : 0;
  return sharesOf(bound, tiles).map(({ first, ...share }) =>
    f32_winograd_input({
      side: transform.side,
      channels: channels.count,
      height,
      width,
      top: padding.top - surrounding,
      left: padding.left - surrounding,
      dilation: dilation[0],
      ...share,
      x: x.address + channels.first * 4,
      pixelBytes: x.pixelBytes,
      zeros: binding.zeros,
      out: binding.scratch + places.inputOffset + first * places.inputBytes,
      tileBytes: places.inputBytes,
    }),
  );
}

/** The products of a block over some channels. None reads what another one writes, so one phase has all of them. */
function productPhase(bound: Bound, products: readonly PlacedProducts[], channels: Range): Phase {
  const gemms = products.map((one) => productGemm(bound, one, channels));
  return gemmPhase(gemms, bound.site.engine);
}

/** Products of a block: each point has the convolution's groups. They add to the products of the channels before. */
function productGemm({ site, places, binding, weights }: Bound, products: PlacedProducts, channels: Range): Gemm {
  const { inGroup, channelsOut, productBytes } = places;
  const { scratch, table } = binding;
  const { groups } = site.attrs;
  const weightsAt = places.weightsOffset === null ? weights : scratch + places.weightsOffset;
  // f32_conv2d finds the weights of group g at g times a group's bytes, and a point is `groups` groups. Points may
  // share a weight, whose number is then smaller than the point's. So the address moves back by the difference.
  const shift = (products.weight - products.point) * panelsOf(channelsOut) * panelBytes(inGroup, 1);
  return {
    rows: products.tiles,
    firstGroup: products.point * groups,
    groups: products.points * groups,
    channelsIn: channels.count / groups,
    channelsOut: channelsOut / groups,
    taps: 1,
    adds: channels.first > 0,
    // As many as rows, so at least as many as the GEMM has tiles: all of them are one block.
    blockTiles: products.tiles,
    table: table + products.tableOffset,
    weights: weightsAt + channels.first * panelBytes(1, 1) + shift,
    panelBytes: panelBytes(inGroup, 1),
    weightStorage: 'f32',
    scratch: scratch + places.gemmOffset,
    out: scratch + places.productsOffset + products.tile * productBytes,
    outBytes: productBytes,
    bias: 0,
    record: 0,
    cut: 'panels',
  };
}

/** The way back of a block's products to output pixels. */
function outputPhase(bound: Bound, tiles: Range): Phase {
  const { site, transform, places, binding, bias, record } = bound;
  const { output } = binding;
  const { height, width } = imageSizes(output.shape);
  return sharesOf(bound, tiles).map(({ first, ...share }) =>
    f32_winograd_output({
      side: transform.side,
      tile: transform.tile,
      channels: channelsOf(output.shape),
      outHeight: height,
      outWidth: width,
      dilation: site.attrs.dilation[0],
      ...share,
      m: binding.scratch + places.productsOffset + first * places.productBytes,
      tileBytes: places.productBytes,
      out: output.address,
      outBytes: output.pixelBytes,
      bias,
      epilogue: record,
    }),
  );
}

/** A weight in the transform's points, packed for the products. */
function pointsConstant(weight: Parameter, transform: Transform): Constant {
  const [channelsOut, channelsIn] = weight.shape as [number, number];
  const filterFloats = channelsIn * 9;
  const atATime = stagedChannels(filterFloats);
  const staged = stagedBytes(Math.min(atATime, channelsOut) * filterFloats);
  const panels = panelsOf(channelsOut);
  const packedBytes = panelsOf(Math.min(atATime, channelsOut)) * panelBytes(channelsIn, 9);
  return {
    owner: weight,
    form: transform.name,
    bytes: weightCount(transform) * panels * panelBytes(channelsIn, 1),
    weight,
    scratchBytes: staged + packedBytes + WINOGRAD_WEIGHT_BYTES,
    write({ kernels, address, scratch, valuesOf }) {
      const values = valuesOf(weight);
      const packed = scratch + staged;
      for (const { first, count } of pieces(channelsOut, atATime)) {
        stage(kernels, values, { first: first * filterFloats, count: count * filterFloats }, scratch);
        runStep(kernels, f32_pack_conv2d({ channelsOut: count, channelsIn, taps: 9, weight: scratch, out: packed }));
        const points = f32_winograd_weights({
          side: transform.side,
          channels: channelsIn,
          panels,
          count: panelsOf(count),
          weight: packed,
          scratch: packed + packedBytes,
          out: address + (first / PANEL) * panelBytes(channelsIn, 1),
        });
        runStep(kernels, points);
      }
    },
  };
}
