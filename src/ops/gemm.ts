/** What convolution and linear layers share: the constants and the schedule of assembly/conv2d.ts. */

import { ValueError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
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

/** What a convolution and a linear layer have both. */
interface Weighted {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
}

/**
 * What {@link convolutionPhase} multiplies by: the weight's panels, the bias where there is one, the norm where there is one.
 *
 * @param merged groups that are packed as one, with zeros between them
 */
export function gemmConstants(
  { attrs: { weight, bias }, epilogue, weightStorage }: Site<Weighted>,
  groups = 1,
  merged = 1,
): readonly Constant[] {
  const form = { channels: weight.shape[0]!, groups: groups / merged, panel: 8 } as const;
  return [
    panelConstant(weight, weightStorage, groups, merged),
    ...biasConstants(bias, form),
    ...normConstants(epilogue, form),
  ];
}

/**
 * A convolution's or linear layer's weight `[out, in / groups, taps]` in panels of eight output channels, each group's by
 * themselves. Stored as f16, values that aren't binary16s are rounded to nearest, ties to even, and refused
 * where that makes them infinite.
 */
function panelConstant(weight: Parameter, storage: WeightStorage, groups: number, merged: number): Constant {
  const [out, inGroup] = weight.shape as [number, number];
  const taps = numel(weight.shape.slice(2));
  const outGroup = out / groups;
  const channelsIn = inGroup * merged;
  const channelsOut = outGroup * merged;
  const row = channelsIn * taps;
  const step = stagedChannels(row);
  const staged = stagedBytes(Math.min(step, channelsOut) * row);
  const floats = Math.ceil(Math.min(step, channelsOut) / 8) * 8 * row;
  return {
    owner: weight,
    form: `panels ${groups}/${merged} ${storage}`,
    bytes: (groups / merged) * Math.ceil(channelsOut / 8) * panelBytes(channelsIn, taps, storage),
    weight,
    scratchBytes: staged + (storage === 'f16' ? floats * 4 : 0),
    write({ kernels, address, scratch, valuesOf, nameOf }) {
      const values = merged === 1 ? valuesOf(weight) : blockDiagonal(valuesOf(weight), groups, merged);
      let to = address;
      for (let g = 0; g < groups / merged; g++) {
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

/** Bytes of scratch memory that a GEMM takes: for each thread a panel of float32 where weights are stored as f16. */
export function wideBytes(channelsIn: number, taps: number, storage: WeightStorage, { threads }: Engine): number {
  return storage === 'f16' ? threads * panelBytes(channelsIn, taps) : 0;
}

/** `[out, merged · in / groups, taps]`: each group's weight in its own input channels, zeros in its neighbours'. */
function blockDiagonal(weight: Tensor, groups: number, merged: number): Tensor {
  const values = weight.float().data;
  const [out] = weight.shape as [number];
  const run = values.length / out;
  const outGroup = out / groups;
  const dense = new Float32Array(values.length * merged);
  for (let n = 0; n < out; n++) {
    const block = Math.floor(n / outGroup) % merged;
    dense.set(values.subarray(n * run, (n + 1) * run), (n * merged + block) * run);
  }
  return new Tensor(dense, [dense.length]);
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
  /** Where panels of f16 are widened: {@link wideBytes}; absent where they are float32. */
  readonly wide?: number | undefined;
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
  const tiles = Math.ceil(rows / tileRows);
  const ofGroup = Math.ceil(channelsOut / 8);
  const panels = groups * ofGroup;
  const firstPanel = (gemm.firstGroup ?? 0) * ofGroup;
  const cut = gemm.cut ?? (tiles < panels ? 'panels' : 'tiles');
  return ranges(cut === 'tiles' ? tiles : panels, threads).map(({ first, count }, i) => {
    const last = first + count;
    const wide = gemm.wide === undefined ? 0 : gemm.wide + i * taps * channelsIn * 32;
    const part: Part =
      cut === 'tiles'
        ? [first, last, firstPanel, firstPanel + panels]
        : [0, tiles, firstPanel + first, firstPanel + last];
    return stepOf(
      'f32_conv2d',
      ...([rows, channelsIn, channelsOut, taps, tileRows, blockTiles] as const),
      ...part,
      ...([Number(gemm.sums ?? false), table, weights, panelBytes, wide] as const),
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
    wide: weightStorage === 'f16' ? scratch : undefined,
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
