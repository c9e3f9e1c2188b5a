/**
 * Weights on their way into WASM memory: some at a time, as float32 whatever dtype they came in, before a kernel packs
 * them. So packing takes little memory beside the packed weight, and leaves no garbage.
 */

import { Tensor } from '../../tensor/tensor.ts';
import { type Kernels, PANEL } from '../../wasm/kernels.gen.ts';
import { runStep } from '../../wasm/step.ts';
import { f32_from_f16 } from '../../wasm/steps.gen.ts';
import type { Range } from './cut.ts';

/** Floats that are staged at a time, where a panel of weights isn't more: 128 KiB, which a level-2 cache holds. */
const STAGED_FLOATS = 32768;

/** Output channels of `row` floats that are staged at a time: whole panels. */
export function stagedChannels(row: number): number {
  return Math.max(PANEL, Math.floor(STAGED_FLOATS / row / PANEL) * PANEL);
}

/** What f32_from_f16 takes at a time. */
const HALVES = 8;

/** Bytes that {@link stage} uses for `count` elements: as float32, and behind these as binary16 where they came so. */
export function stagedBytes(count: number): number {
  return Math.ceil(count / HALVES) * HALVES * (4 + 2);
}

/** Writes a range of a tensor's elements to an address, as float32. It uses {@link stagedBytes} from there on. */
export function stage(kernels: Kernels, { data, dtype }: Tensor, { first, count }: Range, to: number): void {
  const part = data.subarray(first, first + count);
  const { buffer } = kernels.memory;
  if (dtype === 'float16') {
    const padded = Math.ceil(count / HALVES) * HALVES;
    const from = to + padded * 4;
    new Uint16Array(buffer, from, count).set(part as Uint16Array);
    runStep(kernels, f32_from_f16({ count: padded, x: from, out: to }));
  } else new Float32Array(buffer, to, count).set(new Tensor(part, [count], dtype).float().data);
}
