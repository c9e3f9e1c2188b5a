/** What convolution and linear layers share: the constants and the schedule of assembly/conv2d.ts. */

import { ValueError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { numel } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { biasConstants, type EpilogueArguments, epilogueArguments, normConstants } from './epilogue.ts';
import {
  type Binding,
  type Constant,
  channelsOf,
  type Engine,
  type Phase,
  pixelsOf,
  ranges,
  type Site,
  type Slot,
  stepOf,
  type WeightStorage,
} from './op.ts';
import { stage, stagedBytes, stagedChannels } from './stage.ts';
import type { Window } from './window.ts';

/** Input bytes that a block of tiles may take, so that it stays in a level-2 cache while all panels pass. */
const BLOCK_BYTES = 384 * 1024;

/**
 * Products of a sum that are added up one after the other. Sums of more have several such runs, so that an error grows with a run's length
 * and the number of runs: see f32_conv2d for the bound. Twice as many would take no less time.
 */
const RUN = 256;

/** Bytes of scratch memory of a thread for the runs before the last. */
const PARTIAL_BYTES = 3072;

/** What a convolution and a linear layer have both. */
interface Weighted {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
}

/** What {@link convolutionPhase} multiplies by: the weight's panels, the bias where there is one, the norm where there is one. */
export function gemmConstants(
  { attrs: { weight, bias }, epilogue, weightStorage }: Site<Weighted>,
  groups = 1,
): readonly Constant[] {
  const form = { channels: weight.shape[0]!, groups, panel: 8 } as const;
  return [panelConstant(weight, weightStorage, groups), ...biasConstants(bias, form), ...normConstants(epilogue, form)];
}

/**
 * A convolution's or linear layer's weight `[out, in / groups, taps]` in panels of eight output channels, each group's by
 * themselves. Stored as f16, values that aren't binary16s are rounded to nearest, ties to even, and refused
 * where that makes them infinite.
 */
function panelConstant(weight: Parameter, storage: WeightStorage, groups: number): Constant {
  const [out, channelsIn] = weight.shape as [number, number];
  const taps = numel(weight.shape.slice(2));
  const channelsOut = out / groups;
  const row = channelsIn * taps;
  const step = stagedChannels(row);
  const staged = stagedBytes(Math.min(step, channelsOut) * row);
  const floats = Math.ceil(Math.min(step, channelsOut) / 8) * 8 * row;
  return {
    owner: weight,
    form: `panels ${groups} ${storage}`,
    bytes: groups * Math.ceil(channelsOut / 8) * panelBytes(channelsIn, taps, storage),
    weight,
    scratchBytes: staged + (storage === 'f16' ? floats * 4 : 0),
    write({ kernels, address, scratch, valuesOf, nameOf }) {
      const values = valuesOf(weight);
      let to = address;
      for (let g = 0; g < groups; g++) {
        for (let n = 0; n < channelsOut; n += step) {
          const count = Math.min(step, channelsOut - n);
          const panels = Math.ceil(count / 8);
          const packed = storage === 'f16' ? scratch + staged : to;
          stage(kernels, values, (g * channelsOut + n) * row, count * row, scratch);
          kernels.f32_pack_conv2d(count, channelsIn, taps, scratch, packed);
          if (storage === 'f16' && kernels.f32_to_f16(panels * 8 * row, packed, to)) {
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
    `compile: expected weights below ${HALF_LIMIT} for weightStorage 'f16', got ${value} in ${name}; compile with weightStorage 'f32'`,
  );
}

/** Bytes of a panel of eight output channels. */
export function panelBytes(channelsIn: number, taps: number, storage: WeightStorage = 'f32'): number {
  return channelsIn * taps * (storage === 'f16' ? 16 : 32);
}

/** What a GEMM does with its sums' terms. */
interface Terms {
  readonly channelsIn: number;
  readonly taps: number;
  readonly weightStorage: WeightStorage;
}

/** Bytes of scratch memory that a GEMM takes in all threads. */
export function gemmScratchBytes(terms: Terms, { threads }: Engine): number {
  return threads * (wideBytes(terms) + partialBytes(terms));
}

/** A thread's panel of float32, where weights are stored as f16. */
function wideBytes({ channelsIn, taps, weightStorage }: Terms): number {
  return weightStorage === 'f16' ? panelBytes(channelsIn, taps) : 0;
}

/** What a thread's sums come to before their last run. */
function partialBytes({ channelsIn, taps }: Terms): number {
  return channelsIn * taps > RUN ? PARTIAL_BYTES : 0;
}

/** The schedule of the indirect GEMM for rows of so many input bytes: tiles in a block. */
export function blockTiles(rowBytes: number, tileRows: number): number {
  return Math.max(1, Math.floor(BLOCK_BYTES / (rowBytes * tileRows)));
}

/** Bytes of f32_conv2d's table. */
export function tableBytes(rows: number, taps: number, tileRows: number): number {
  return Math.ceil(rows / tileRows) * tileRows * taps * 4;
}

/** One indirect GEMM: see f32_conv2d. */
export interface Gemm {
  readonly rows: number;
  readonly groups: number;
  /** The first of them; 0 where absent. Weights, `out` and the rows' channels begin with group 0. */
  readonly firstGroup?: number;
  /** Of one group. */
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly taps: number;
  /** True to add to what is there. */
  readonly sums?: boolean;
  readonly blockTiles: number;
  readonly table: number;
  readonly weights: number;
  readonly panelBytes: number;
  readonly weightStorage: WeightStorage;
  /** {@link gemmScratchBytes} for as many threads as share it. */
  readonly scratch: number;
  readonly out: number;
  readonly outBytes: number;
  readonly bias: number;
  readonly epilogue: EpilogueArguments;
  /** What threads share: tiles, or panels where they are more, unless given. */
  readonly cut?: 'tiles' | 'panels';
}

type Part = readonly [firstTile: number, lastTile: number, firstPanel: number, lastPanel: number];

/** A GEMM shared by threads. */
export function gemmPhase(gemm: Gemm, { tileRows, threads }: Engine): Phase {
  const { rows, groups, channelsIn, channelsOut, taps, blockTiles, table, weights, panelBytes } = gemm;
  const [ofWide, ofPartial] = [wideBytes(gemm), partialBytes(gemm)];
  const tiles = Math.ceil(rows / tileRows);
  const ofGroup = Math.ceil(channelsOut / 8);
  const panels = groups * ofGroup;
  const firstPanel = (gemm.firstGroup ?? 0) * ofGroup;
  const cut = gemm.cut ?? (tiles < panels ? 'panels' : 'tiles');
  return ranges(cut === 'tiles' ? tiles : panels, threads).map(({ first, count }, i) => {
    const last = first + count;
    const wide = gemm.scratch + i * (ofWide + ofPartial);
    const part: Part =
      cut === 'tiles'
        ? [first, last, firstPanel, firstPanel + panels]
        : [0, tiles, firstPanel + first, firstPanel + last];
    return stepOf(
      'f32_conv2d',
      ...([rows, channelsIn, channelsOut, taps, tileRows, blockTiles] as const),
      ...part,
      ...([RUN, Number(gemm.sums ?? false), table, weights, panelBytes] as const),
      ...([ofWide && wide, ofPartial && wide + ofWide] as const),
      ...([gemm.out, gemm.outBytes, gemm.bias] as const),
      ...gemm.epilogue,
    );
  });
}

/**
 * A convolution of `x` by the constants of {@link gemmConstants}, as one GEMM. The table of what `window` reaches is written at once: zeros in
 * the padding, or, for sums that are added to, nothing for tiles that lie in it.
 *
 * @param differences from the plain one: dense pixels, one group, bias and epilogue as they are bound
 */
export function convolutionPhase(binding: Binding, x: Slot, window: Window, differences: Partial<Gemm> = {}): Phase {
  const { kernels, engine, weightStorage, output, constants, epilogue, scratch, zeros } = binding;
  const { kernelSize, stride, padding, dilation } = window;
  const taps = kernelSize[0] * kernelSize[1];
  const channelsIn = differences.channelsIn ?? channelsOf(x.shape);
  const hasBias = constants.length > (epilogue.norm ? 3 : 1);
  const gemm: Gemm = {
    rows: pixelsOf(output.shape),
    groups: 1,
    channelsIn,
    channelsOut: channelsOf(output.shape),
    taps,
    sums: false,
    blockTiles: blockTiles(x.pixelBytes, engine.tileRows),
    table: binding.table,
    weights: constants[0]!,
    panelBytes: panelBytes(channelsIn, taps, weightStorage),
    weightStorage,
    scratch,
    out: output.address,
    outBytes: output.pixelBytes,
    bias: hasBias ? constants[1]! : 0,
    epilogue: epilogueArguments(binding),
    ...differences,
  };
  const [images, , height = 1, width = 1] = x.shape as [number, number, number?, number?];
  const [, , outHeight = 1, outWidth = 1] = output.shape;
  kernels.f32_conv2d_table(
    ...([images, height, width, outHeight, outWidth, ...kernelSize, ...stride] as const),
    ...([padding.top, padding.left, ...dilation, engine.tileRows, Number(gemm.sums)] as const),
    ...([x.address, x.pixelBytes, zeros, gemm.table] as const),
  );
  return gemmPhase(gemm, engine);
}
