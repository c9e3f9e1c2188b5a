/**
 * Weights on their way into WASM memory: some at a time, as float32 whatever dtype they came in, before a kernel packs
 * them. So packing takes little memory beside the packed weight, and leaves no garbage.
 */

import { Tensor } from '../../tensor/tensor.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';
import { runStep } from '../../wasm/step.ts';
import { f32_from_f16 } from '../../wasm/steps.gen.ts';
import type { Range } from './cut.ts';

/** Floats that are staged at a time, where a panel of eight rows isn't more. */
const STAGED_FLOATS = 1 << 15;

/** Output channels of `row` floats that are staged at a time: whole panels. */
export function stagedChannels(row: number): number {
  return Math.max(8, Math.floor(STAGED_FLOATS / row / 8) * 8);
}

/** Bytes that {@link stage} needs for `count` elements: as float32, and before that as binary16. */
export function stagedBytes(count: number): number {
  return Math.ceil(count / 8) * 8 * 6;
}

/** Writes a range of a tensor's elements to an address, as float32; after them it uses {@link stagedBytes}. */
export function stage(kernels: Kernels, { data, dtype }: Tensor, { first, count }: Range, to: number): void {
  const part = data.subarray(first, first + count);
  const { buffer } = kernels.memory;
  if (dtype === 'float16') {
    const halves = Math.ceil(count / 8) * 8;
    const from = to + halves * 4;
    new Uint16Array(buffer, from, count).set(part as Uint16Array);
    runStep(kernels, f32_from_f16({ count: halves, x: from, out: to }));
  } else new Float32Array(buffer, to, count).set(new Tensor(part, [count], dtype).float().data);
}
