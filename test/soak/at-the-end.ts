/**
 * Runs a program in a memory that ends where its plan does, with canaries wherever no step may write. Either the plan's
 * block is last, or the constants are: what reads beyond its buffer traps, and what writes there is told. No tests in
 * here.
 */

import type { Program } from '../../src/graph/graph.ts';
import type { Engine, WeightStorage } from '../../src/ops/lowering/algorithm.ts';
import type { Constant } from '../../src/ops/lowering/constant.ts';
import { aligned } from '../../src/plan/arena.ts';
import { COST_ENGINE } from '../../src/plan/cost.ts';
import { distinct, FIRST_ADDRESS, Plan } from '../../src/plan/plan.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { PAGE_BYTES } from '../../src/wasm/instantiate.ts';
import type { Kernels } from '../../src/wasm/kernels.gen.ts';

/** A quiet NaN: where a kernel lets one into a result, it is caught as well. */
const CANARY = 0x7fc1_1111;

/** Bytes after a constant that kernels may read: in a model's memory a block follows, of at least as many. */
const OVERREAD_BYTES = 64;

/** Which part of a plan's memory lies at the end. */
export type Last = 'block' | 'constants';

/**
 * The taps' tensors.
 *
 * @param kernels of an instance that has run nothing
 * @throws Error where a canary was written
 */
export function runAtTheEnd(
  kernels: Kernels,
  program: Program,
  inputs: readonly Tensor<Float32Array>[],
  last: Last,
  { tileRows, threads, weightStorage }: Pick<Engine, 'tileRows' | 'threads'> & { weightStorage: WeightStorage },
): Tensor<Float32Array>[] {
  const engine = { ...COST_ENGINE, tileRows, threads };
  const plan = new Plan(program, engine, { weightStorage });
  const constants = distinct(plan.constants);
  const constantBytes = constants.reduce((sum, { bytes }) => sum + aligned(bytes), 0);
  const scratchBytes = Math.max(0, ...constants.map(({ scratchBytes = 0 }) => scratchBytes));
  const needed = FIRST_ADDRESS + aligned(scratchBytes) + constantBytes + plan.blockBytes + OVERREAD_BYTES;
  const { memory } = kernels;
  memory.grow(Math.max(0, Math.ceil((needed - memory.buffer.byteLength) / PAGE_BYTES)));
  const end = memory.buffer.byteLength;
  new Int32Array(memory.buffer).fill(CANARY);

  const base = last === 'block' ? end - plan.blockBytes : FIRST_ADDRESS + aligned(scratchBytes);
  let next = last === 'block' ? base - constantBytes : end - OVERREAD_BYTES - constantBytes;
  const scratch = FIRST_ADDRESS;
  const addresses = new Map<Constant, number>();
  for (const constant of constants) {
    addresses.set(constant, next);
    const packer = {
      kernels,
      address: next,
      scratch,
      valuesOf: (state: any) => state.tensor,
      nameOf: () => 'a weight',
    };
    constant.write(packer);
    next += aligned(constant.bytes);
  }
  const constantsAt = next - constantBytes;
  new Int32Array(memory.buffer, scratch, aligned(scratchBytes) / 4).fill(CANARY);
  const addressOf = (wanted: Constant) =>
    addresses.get(constants.find(({ owner, form }) => owner === wanted.owner && form === wanted.form)!)!;
  plan.bind({ kernels, base, addressOf });

  const before = new Int32Array(memory.buffer.slice(0));
  plan.write(kernels, inputs);
  plan.compute();
  const outputs = plan.read(kernels);
  const after = new Int32Array(memory.buffer);
  const blockEnd = base + plan.blockBytes - OVERREAD_BYTES;
  for (let word = 0; word < after.length; word++) {
    if (word * 4 >= base && word * 4 < blockEnd) continue;
    if (after[word] === before[word]) continue;
    const where = word * 4 >= constantsAt && word * 4 < next ? 'a constant' : 'a canary';
    throw new Error(`${where} was written at byte ${word * 4} of ${end}; the block lies at ${base} … ${blockEnd}`);
  }
  return outputs;
}
