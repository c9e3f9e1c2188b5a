/**
 * Winograd's minimal filtering for 3×3 kernels of stride 1 (assembly/winograd.ts): tiles of 2×2, 3×3 or 4×4 outputs cost 4, 2.8
 * or 2.25 multiplications an output instead of 9, and two pixels by themselves 2.25 instead of 4. The products are an indirect GEMM with a group for each point of the transform; tiles go in
 * blocks, so that what is transformed stays in a cache. With dilation, each sub-grid is tiled by itself.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import type { Shape } from '../../tensor/shape.ts';
import { biasConstants, epilogueArguments, NO_EPILOGUE_ARGUMENTS, normConstants } from '../epilogue.ts';
import { gemmPhase, panelBytes, tableBytes } from '../gemm.ts';
import { type Algorithm, type Constant, channelsOf, type Phase, ranges, stepOf } from '../op.ts';
import { stage, stagedBytes, stagedChannels } from '../stage.ts';
import { type Conv2dAttrs, type Conv2dSite, imageSizes, weightSizes } from './attrs.ts';

/** Points along a side of a transform: 4, 5 or 6 of tiles of 2, 3 or 4 outputs; 3 of two outputs that have only padding around them. */
type Points = 3 | 4 | 5 | 6;

/** Points along a side where a sub-grid has one tile of at most two pixels. */
const PAIRS = 3;

/** Output pixels along a side of a tile. */
function tileSize(points: Points): number {
  return Math.max(2, points - 2);
}

/** Bytes of addresses and vectors that a thread's transforms use. */
const TRANSFORM_BYTES = 1024;

/** Input channels that are transformed and multiplied at a time: a block's rows of one point stay in a level-2 cache, a panel in level 1. */
const MAX_CHUNK = 512;

/** How many tiles there are: see f32_winograd_input. With dilation, each sub-grid has its own. */
function tilesOf(output: Conv2dSite['output'], { dilation }: Conv2dAttrs, points: Points): number {
  const size = tileSize(points);
  const { images, height, width } = imageSizes(output);
  const [step] = dilation;
  const along = (pixels: number): number => {
    let tiles = 0;
    for (let first = 0; first < step; first++) tiles += Math.ceil(Math.ceil((pixels - first) / step) / size);
    return tiles;
  };
  return images * along(height) * along(width);
}

/** The schedule: tiles of a block and where a block's floats lie in the scratch memory. */
function blocksOf(site: Pick<Conv2dSite, 'inputs' | 'output' | 'attrs' | 'engine'>, side: Points) {
  const { tileRows, threads } = site.engine;
  const points = side ** 2;
  const channelsIn = channelsOf(site.inputs[0]!);
  const channelsOut = Math.ceil(channelsOf(site.output) / 4) * 4;
  const count = tilesOf(site.output, site.attrs, side);
  const chunk = Math.min(channelsIn, MAX_CHUNK);
  // Enough rows for each point's weights to pay for their way from memory; a thread has only some of the points.
  const most = threads * Math.max(24, Math.ceil((chunk * 3) / 8));
  const blocks = Math.ceil(count / most);
  const block = Math.ceil(count / blocks);
  const inputBytes = skewed(points * chunk * 4);
  const outputBytes = skewed(points * channelsOut * 4);
  const table = threads * TRANSFORM_BYTES;
  const input = table + Math.ceil((2 * tableBytes(block, 1, tileRows)) / 64) * 64;
  const output = input + block * inputBytes;
  return {
    count,
    points,
    channelsIn,
    channelsOut,
    chunk,
    block,
    inputBytes,
    outputBytes,
    table,
    input,
    output,
    bytes: output + block * outputBytes,
  };
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

    work({ inputs, output, attrs }) {
      const products = tilesOf(output, attrs, side) * side ** 2;
      const [channelsIn, channelsOut] = [channelsOf(inputs[0]!), channelsOf(output)];
      return { macs: products * channelsIn * channelsOut, transformed: products * (channelsIn + channelsOut) };
    },

    constants({ attrs, epilogue }) {
      const form = { channels: attrs.weight.shape[0]!, groups: 1, panel: 8 } as const;
      return [weightConstant(attrs.weight, side), ...biasConstants(attrs.bias, form), ...normConstants(epilogue, form)];
    },

    workspace(site) {
      return {
        tableBytes: 0,
        scratchBytes: blocksOf(site, side).bytes,
        zeroBytes: channelsOf(site.inputs[0]!) * 4,
      };
    },

    bind(binding, attrs) {
      const { engine, output, constants, scratch, zeros } = binding;
      const x = binding.inputs[0]!;
      const { padding, bias } = attrs;
      const [dilation] = attrs.dilation;
      // Of pairs nothing around is read.
      const around = side === PAIRS ? dilation : 0;
      const { height, width } = imageSizes(x.shape);
      const { height: outHeight, width: outWidth } = imageSizes(output.shape);
      const blocks = blocksOf({ inputs: [x.shape], output: output.shape, attrs, engine }, side);
      const { count, points, channelsIn, channelsOut, chunk, block, inputBytes, outputBytes } = blocks;
      const [input, products] = [scratch + blocks.input, scratch + blocks.output];

      // All blocks share one table; the last, which may be smaller, has the other.
      const rest = count % block;
      const otherTable = tableBytes(block, 1, engine.tileRows);
      const tables = [block, ...(rest > 0 ? [rest] : [])].map((rows, i) =>
        stepOf(
          'f32_conv2d_table',
          ...([1, 1, rows, 1, rows, 1, 1, 1, 1, 0, 0, 1, 1, engine.tileRows, 0] as const),
          ...([input, inputBytes, 0, scratch + blocks.table + i * otherTable] as const),
        ),
      );
      const phases: Phase[] = [tables];
      for (let first = 0; first < count; first += block) {
        const rows = Math.min(block, count - first);
        const parts = ranges(rows, engine.threads).map((part, i) => {
          const tiles = [first + part.first, first + part.first + part.count] as const;
          return { tiles, at: part.first, own: scratch + i * TRANSFORM_BYTES };
        });
        for (let channel = 0; channel < channelsIn; channel += chunk) {
          const channels = Math.min(chunk, channelsIn - channel);
          phases.push(
            parts.map(({ tiles, at, own }) =>
              stepOf(
                'f32_winograd_input',
                ...([side, channels, height, width, outHeight, outWidth] as const),
                ...([padding.top - around, padding.left - around, dilation] as const),
                ...tiles,
                ...([x.address + channel * 4, x.pixelBytes, zeros, own, input + at * inputBytes, inputBytes] as const),
              ),
            ),
            gemmPhase(
              {
                rows,
                groups: points,
                channelsIn: channels,
                channelsOut,
                taps: 1,
                sums: channel > 0,
                blockTiles: rows,
                table: scratch + blocks.table + (rows === block ? 0 : otherTable),
                weights: constants[0]! + channel * panelBytes(1, 1),
                panelBytes: panelBytes(channelsIn, 1),
                out: products,
                outBytes: outputBytes,
                bias: 0,
                epilogue: NO_EPILOGUE_ARGUMENTS,
                cut: 'panels',
              },
              engine,
            ),
          );
        }
        phases.push(
          parts.map(({ tiles, at, own }) =>
            stepOf(
              'f32_winograd_output',
              ...([side, channelsOf(output.shape), outHeight, outWidth, dilation, ...tiles] as const),
              ...([products + at * outputBytes, outputBytes, own, output.address, output.pixelBytes] as const),
              bias ? constants[1]! : 0,
              ...epilogueArguments(binding),
            ),
          ),
        );
      }
      return phases;
    },
  };
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

/** A weight in the transform's points, packed for the products. */
function weightConstant(weight: Parameter, side: Points): Constant {
  const [channelsOut, channelsIn] = weight.shape as [number, number];
  const row = channelsIn * 9;
  const step = stagedChannels(row);
  return {
    owner: weight,
    form: `winograd ${side}`,
    bytes: side ** 2 * Math.ceil(channelsOut / 8) * panelBytes(channelsIn, 1),
    weight,
    scratchBytes: stagedBytes(Math.min(step, channelsOut) * row),
    write({ kernels, address, scratch, valuesOf }) {
      const values = valuesOf(weight);
      for (let n = 0; n < channelsOut; n += step) {
        const count = Math.min(step, channelsOut - n);
        stage(kernels, values, n * row, count * row, scratch);
        kernels.f32_winograd_pack(side, channelsOut, channelsIn, n, count, scratch, address);
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
