/**
 * The indirect GEMM that convolution and linear layers share: its constants, its table and its steps
 * (assembly/conv2d.ts).
 */

import { ValueError } from '../../errors.ts';
import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { PANEL, PARTIAL_BYTES } from '../../wasm/kernels.gen.ts';
import { type Phase, runStep, type Step, threadOf } from '../../wasm/step.ts';
import { f32_conv2d, f32_conv2d_table, f32_pack_conv2d, f32_to_f16 } from '../../wasm/steps.gen.ts';
import { type Window, windowArguments } from '../rules/window.ts';
import type { Binding, Engine, Site, WeightStorage } from './algorithm.ts';
import { biasConstant, type Constant } from './constant.ts';
import { pieces, ranges } from './cut.ts';
import { normConstant } from './epilogue.ts';
import { channelsOf, imageSizes, pixelsOf, type Slot } from './slot.ts';
import { stage, stagedBytes, stagedChannels } from './stage.ts';

/**
 * Input bytes that a block of tiles may take, so that it stays in a level-2 cache while all panels pass. Small ones
 * have 512 KiB, and panels and sums pass through them as well.
 */
const BLOCK_BYTES = 384 * 1024;

/**
 * Products of a sum that are added up one after the other. A sum of more products goes in several such runs, so that an
 * error grows with a run's length and the number of runs: see f32_conv2d for the bound. Runs twice as long would take
 * no less time.
 */
const RUN = 256;

/** The attributes that a convolution and a linear layer share. */
interface Weighted {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
}

/** What a convolution or linear layer multiplies by and adds. */
export interface GemmConstants {
  readonly weights: Constant;
  readonly bias: Constant | null;
  readonly norm: Constant | null;
}

/** A layer's constants: the weight's panels, the bias, the norm's scale and shift. */
export function gemmConstants(
  { attrs: { weight, bias }, epilogue, weightStorage }: Site<Weighted>,
  groups = 1,
): GemmConstants {
  const layout = { channels: weight.shape[0]!, groups, multiple: PANEL };
  return {
    weights: panelConstant(weight, weightStorage, groups),
    bias: biasConstant(bias, layout),
    norm: normConstant(epilogue.norm, layout),
  };
}

/** The constants as a list, for a plan. */
export function listOf({ weights, bias, norm }: GemmConstants): readonly (Constant | null)[] {
  return [weights, bias, norm];
}

/**
 * A convolution's or linear layer's weight `[out, in / groups, taps]` in panels of eight output channels, each group's
 * by themselves. Stored as f16, values that aren't binary16s are rounded to nearest, ties to even. Values that rounding
 * makes infinite are refused.
 */
export function panelConstant(weight: Parameter, storage: WeightStorage, groups: number): Constant {
  const [out, channelsIn] = weight.shape as [number, number];
  const taps = numel(weight.shape.slice(2));
  const channelsOut = out / groups;
  const row = channelsIn * taps;
  const most = stagedChannels(row);
  const staged = stagedBytes(Math.min(most, channelsOut) * row);
  const floats = panelsOf(Math.min(most, channelsOut)) * PANEL * row;
  return {
    owner: weight,
    form: `panels ${groups} ${storage}`,
    bytes: groups * panelsOf(channelsOut) * panelBytes(channelsIn, taps, storage),
    weight,
    scratchBytes: staged + (storage === 'f16' ? floats * 4 : 0),
    write({ kernels, address, scratch, valuesOf, nameOf }) {
      const values = valuesOf(weight);
      let to = address;
      for (let g = 0; g < groups; g++) {
        for (const { first, count } of pieces(channelsOut, most)) {
          const panels = panelsOf(count);
          const packed = storage === 'f16' ? scratch + staged : to;
          stage(kernels, values, { first: (g * channelsOut + first) * row, count: count * row }, scratch);
          runStep(kernels, f32_pack_conv2d({ channelsOut: count, channelsIn, taps, weight: scratch, out: packed }));
          if (storage === 'f16' && runStep(kernels, f32_to_f16({ count: panels * PANEL * row, x: packed, out: to }))) {
            throw overflow(values, nameOf(weight));
          }
          to += panels * panelBytes(channelsIn, taps, storage);
        }
      }
    },
  };
}

/** Finite weights from here on would be infinite as binary16s. */
const HALF_LIMIT = 65520;

/** The error that says which weight has values that no binary16 stands for. */
function overflow(values: Tensor, name: string): ValueError {
  const value = values.float().data.find((v) => Number.isFinite(v) && Math.abs(v) >= HALF_LIMIT);
  return new ValueError(
    `compile: expected weights below ${HALF_LIMIT} for weightStorage 'f16', got ${value} in ${name}; compile with 'f32'`,
  );
}

/** Panels of so many output channels. */
export function panelsOf(channelsOut: number): number {
  return Math.ceil(channelsOut / PANEL);
}

/** Bytes of a panel of eight output channels. */
export function panelBytes(channelsIn: number, taps: number, storage: WeightStorage = 'f32'): number {
  return channelsIn * taps * PANEL * (storage === 'f16' ? 2 : 4);
}

/** How many products a sum of a GEMM has, and how the weights are stored. */
interface SumSizes {
  readonly channelsIn: number;
  readonly taps: number;
  readonly weightStorage: WeightStorage;
}

/** Bytes of scratch memory that a GEMM takes in all threads. */
export function gemmScratchBytes(sizes: SumSizes, { threads }: Engine): number {
  return threads * (wideBytes(sizes) + partialBytes(sizes));
}

/** Bytes for a thread's panel of float32 where weights are stored as f16; none where they are float32 already. */
function wideBytes({ channelsIn, taps, weightStorage }: SumSizes): number {
  return weightStorage === 'f16' ? panelBytes(channelsIn, taps) : 0;
}

/** Bytes for a thread's sums between their runs; none where a sum is one run. */
function partialBytes({ channelsIn, taps }: SumSizes): number {
  return channelsIn * taps > RUN ? PARTIAL_BYTES : 0;
}

/**
 * Tiles of a block.
 *
 * @param rowBytes input bytes that a block grows by with each row: those of one pixel, since neighbours share the rest
 */
export function blockTilesOf(rowBytes: number, tileRows: number): number {
  return Math.max(1, Math.floor(BLOCK_BYTES / (rowBytes * tileRows)));
}

/** Tiles of so many rows. */
function tileCount(rows: number, tileRows: number): number {
  return Math.ceil(rows / tileRows);
}

/** Bytes of f32_conv2d's table: an address for each tap of each row, of whole tiles. */
export function tableBytes(rows: number, taps: number, tileRows: number): number {
  return tileCount(rows, tileRows) * tileRows * taps * 4;
}

/** One indirect GEMM: see f32_conv2d. */
export interface Gemm {
  /** Output pixels, of all images. */
  readonly rows: number;
  /** How many groups are computed. */
  readonly groups: number;
  /** The first group that is computed; 0 where absent. Weights, `out` and the rows' channels begin with group 0. */
  readonly firstGroup?: number;
  /** Of one group. */
  readonly channelsIn: number;
  readonly channelsOut: number;
  /** Addresses in the table for each row. */
  readonly taps: number;
  /** True to add to what `out` holds; its values are the first terms. */
  readonly adds?: boolean;
  /** Tiles that all panels pass before the next ones: see {@link blockTilesOf}. */
  readonly blockTiles: number;
  /** The address of the table: {@link tableBytes}. */
  readonly table: number;
  /** The address of the first panel of group 0, and bytes from panel to panel. */
  readonly weights: number;
  readonly panelBytes: number;
  readonly weightStorage: WeightStorage;
  /** {@link gemmScratchBytes} for as many threads as share it. */
  readonly scratch: number;
  /** The address of the first pixel's first channel of group 0, and bytes from pixel to pixel. */
  readonly out: number;
  readonly outBytes: number;
  /** The address of the bias; 0 for none. */
  readonly bias: number;
  /** The address of the epilogue's record; 0 for none. */
  readonly record: number;
  /** What threads share: tiles, or panels where they are more, unless given. */
  readonly cut?: 'tiles' | 'panels';
}

/**
 * GEMMs shared by threads, of which none reads what another one writes. They may have the same scratch memory, since a
 * thread runs its steps one after the other.
 */
export function gemmPhase(gemms: readonly Gemm[], engine: Engine): Phase {
  const steps: Step[] = [];
  for (const gemm of gemms) for (const step of gemmSteps(gemm, engine, steps.length)) steps.push(step);
  return steps;
}

/** A GEMM's steps, which come after `before` others in their phase. */
function gemmSteps(gemm: Gemm, { tileRows, threads }: Engine, before: number): Phase {
  const { rows, groups, channelsIn, channelsOut, taps, adds = false, firstGroup = 0 } = gemm;
  const { blockTiles, table, weights, panelBytes: bytes, out, outBytes, bias, record } = gemm;
  const ofWide = wideBytes(gemm);
  const ofPartial = partialBytes(gemm);
  const tiles = tileCount(rows, tileRows);
  const panels = groups * panelsOf(channelsOut);
  const firstPanel = firstGroup * panelsOf(channelsOut);
  const cut = gemm.cut ?? (tiles < panels ? 'panels' : 'tiles');
  return ranges(cut === 'tiles' ? tiles : panels, threads).map(({ first, count }, step) => {
    const last = first + count;
    const scratch = gemm.scratch + threadOf(before + step, threads) * (ofWide + ofPartial);
    const share =
      cut === 'tiles'
        ? { firstTile: first, lastTile: last, firstPanel, lastPanel: firstPanel + panels }
        : { firstTile: 0, lastTile: tiles, firstPanel: firstPanel + first, lastPanel: firstPanel + last };
    return f32_conv2d({
      rows,
      channelsIn,
      channelsOut,
      taps,
      tileRows,
      blockTiles,
      ...share,
      run: RUN,
      adds: Number(adds),
      table,
      weights,
      panelBytes: bytes,
      wide: ofWide > 0 ? scratch : 0,
      partial: ofPartial > 0 ? scratch + ofWide : 0,
      out,
      outBytes,
      bias,
      epilogue: record,
    });
  });
}

/** A convolution as one GEMM over the pixels that its window reaches. */
export interface Convolution {
  /** What the window slides over. */
  readonly x: Slot;
  readonly window: Window;
  readonly engine: Engine;
  readonly weightStorage: WeightStorage;
  readonly constants: GemmConstants;
  /** The address of the epilogue's record; 0 for none. */
  readonly record: number;
}

/**
 * A convolution's GEMM, whose table is written at once.
 *
 * @param differences from the plain one: dense pixels, one group, the constants as they are
 */
export function convolutionPhase(binding: Binding, convolution: Convolution, differences: Partial<Gemm> = {}): Phase {
  const { x, window, engine, weightStorage, constants, record } = convolution;
  const { output, scratch } = binding;
  const taps = window.kernelSize[0] * window.kernelSize[1];
  const channelsIn = differences.channelsIn ?? channelsOf(x.shape);
  const gemm: Gemm = {
    rows: pixelsOf(output.shape),
    groups: 1,
    channelsIn,
    channelsOut: channelsOf(output.shape),
    taps,
    blockTiles: blockTilesOf(x.pixelBytes, engine.tileRows),
    table: binding.table,
    weights: binding.addressOf(constants.weights),
    panelBytes: panelBytes(channelsIn, taps, weightStorage),
    weightStorage,
    scratch,
    out: output.address,
    outBytes: output.pixelBytes,
    bias: binding.addressOf(constants.bias),
    record,
    ...differences,
  };
  writeTable(binding, convolution, gemm);
  return gemmPhase([gemm], engine);
}

/**
 * Writes the addresses of what a convolution's window reaches: zeros in the padding. Tiles that lie in the padding are
 * left out where the GEMM adds to sums, since they would add nothing.
 */
function writeTable({ kernels, output, zeros }: Binding, { x, window, engine }: Convolution, gemm: Gemm): void {
  const { images, height, width } = imageSizes(x.shape);
  const out = imageSizes(output.shape);
  const table = f32_conv2d_table({
    images,
    height,
    width,
    outHeight: out.height,
    outWidth: out.width,
    ...windowArguments(window),
    tileRows: engine.tileRows,
    skipsPadding: Number(gemm.adds ?? false),
    x: x.address,
    pixelBytes: x.pixelBytes,
    zeros,
    table: gemm.table,
  });
  runStep(kernels, table);
}
