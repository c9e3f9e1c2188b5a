/** What convolution and linear layers share: the constants and the schedule of assembly/conv2d.ts. */

import type { Parameter } from '../tensor/parameter.ts';
import { numel } from '../tensor/shape.ts';
import { vectorConstant, type VectorForm } from './epilogue.ts';
import type { Constant } from './op.ts';

/** Input bytes that a block of tiles may take, so that it stays in a level-2 cache while all panels pass. */
const BLOCK_BYTES = 384 * 1024;

/** Floats that are packed at a time, so that staging a weight takes little memory beside the packed one. */
const STAGED_FLOATS = 1 << 18;

/** A convolution's or linear layer's weight `[out, in, taps]` of each group in panels of eight output channels. */
export function panelConstant(weight: Parameter, groups: number): Constant {
  const [out, channelsIn] = weight.shape as [number, number];
  const taps = numel(weight.shape.slice(2));
  const channelsOut = out / groups;
  const row = channelsIn * taps;
  return {
    owner: weight,
    form: `panels ${groups}`,
    bytes: groups * Math.ceil(channelsOut / 8) * 8 * row * 4,
    write({ kernels, address, stage }) {
      const values = weight.values();
      const step = Math.max(8, Math.floor(STAGED_FLOATS / row / 8) * 8);
      let to = address;
      for (let g = 0; g < groups; g++) {
        for (let n = 0; n < channelsOut; n += step) {
          const count = Math.min(step, channelsOut - n);
          const first = (g * channelsOut + n) * row;
          const staged = stage(values.subarray(first, first + count * row));
          kernels.f32_pack_conv2d(count, channelsIn, taps, staged, to);
          to += Math.ceil(count / 8) * 8 * row * 4;
        }
      }
    },
  };
}

/** A bias in its form, or zeros that all layers of the form share. */
export function biasConstant(bias: Parameter | null, form: VectorForm): Constant {
  if (bias) return vectorConstant(bias, 'bias', form, () => bias.values());
  return vectorConstant(NO_BIAS, `zeros ${form.channels}`, form, () => new Float32Array(form.channels));
}

const NO_BIAS = {};

/** The schedule of the indirect GEMM for rows of `bytes`: tiles in a block. */
export function blockTiles(rowBytes: number, tileRows: number): number {
  return Math.max(1, Math.floor(BLOCK_BYTES / (rowBytes * tileRows)));
}

/** Bytes of f32_conv2d's table. */
export function tableBytes(rows: number, taps: number, tileRows: number): number {
  return Math.ceil(rows / tileRows) * tileRows * taps * 4;
}

