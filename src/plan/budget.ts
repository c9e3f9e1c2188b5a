/**
 * The memory budget. Speed costs memory: Winograd's weights take up to four times a plain convolution's. So that a
 * layer's algorithm depends on the module, its shapes and the options, and never on taps or threads, a budget becomes
 * one number, the price of a byte: the least at which the whole module fits. Whatever is asked of the module, every
 * layer is then chosen at that price.
 */

import { type Program, parametersOf, type Value, viewOf } from '../graph/graph.ts';
import type { Engine, WeightStorage } from '../ops/lowering/algorithm.ts';
import { pixelBytesOf, pixelsOf } from '../ops/lowering/slot.ts';
import { numel } from '../tensor/shape.ts';
import { inPages } from '../wasm/instantiate.ts';
import { BYTE_PRICE, COST_ENGINE, candidatesFor } from './cost.ts';
import { FIRST_ADDRESS, fusedOf, ownInputs, Plan, sitesOf } from './plan.ts';

/** What a plan takes of WebAssembly memory, in bytes. */
export interface Sizes {
  /** Whole pages. */
  readonly memoryBytes: number;
  readonly constantBytes: number;
  readonly roomBytes: number;
  /** True where no plan was made: these are what every plan takes at least. */
  readonly isLeast?: boolean;
}

/** A plan's bytes for messages. */
export function totalOf({ memoryBytes, isLeast }: Sizes): string {
  return `${isLeast ? 'at least ' : ''}${memoryBytes}`;
}

/**
 * What every plan of a program takes at least, from its shapes alone: a node's inputs and its output lie side by side,
 * and so do all taps; weights lie beside them. Making a plan takes time and memory that grow with pixels, so this is
 * asked before.
 */
export function leastSizes(program: Program, weightStorage: WeightStorage): Sizes {
  const { inputs, nodes, taps } = fusedOf(program);
  const weights = parametersOf({ inputs, nodes, taps }).filter(({ shape }) => shape.length > 1);
  const constantBytes = weights.reduce((sum, { shape }) => sum + numel(shape) * (weightStorage === 'f16' ? 2 : 4), 0);
  const bytes = (values: readonly Value[]) =>
    [...new Set(values)].reduce((sum, { stored }) => sum + pixelsOf(stored) * pixelBytesOf(stored), 0);
  const planes = inputs.reduce((sum, { shape }) => sum + numel(shape) * 4, 0);
  let roomBytes = planes + bytes(inputs);
  const inside = new Set<Value>();
  for (const node of nodes) {
    const { op, output } = node;
    // What is concatenated may lie in the output, a view lies in its input, and an output may where a residual does.
    if (op.concatenates) for (const part of node.inputs) inside.add(part);
    const isView = viewOf(node) !== null;
    if (isView) inside.add(output);
    roomBytes = Math.max(roomBytes, bytes(op.concatenates ? [output] : isView ? [] : [...ownInputs(node), output]));
  }
  roomBytes = Math.max(roomBytes, bytes(taps.filter((tap) => !inside.has(tap))));
  const memoryBytes = inPages(FIRST_ADDRESS + constantBytes + roomBytes);
  return { memoryBytes, constantBytes, roomBytes, isLeast: true };
}

/** What a program's smallest plan takes. Where that is certain to be more than `most`, no plan is made. */
export function smallestSizes(program: Program, engine: Engine, weightStorage: WeightStorage, most: number): Sizes {
  const least = leastSizes(program, weightStorage);
  return least.memoryBytes > most ? least : new Plan(program, engine, { weightStorage, bytePrice: Infinity });
}

/**
 * The least price of a byte at which a plan of `program` takes at most `bytes`; infinite where even the smallest takes
 * more.
 *
 * @param program of the whole module
 */
export function priceWithin(bytes: number, program: Program, weightStorage: WeightStorage): number {
  if (leastSizes(program, weightStorage).memoryBytes > bytes) return Infinity;
  const fits = (bytePrice: number) => new Plan(program, COST_ENGINE, { weightStorage, bytePrice }).memoryBytes <= bytes;
  if (fits(BYTE_PRICE)) return BYTE_PRICE;
  const prices = pricesOf(program, weightStorage);
  let [low, high] = [0, prices.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(prices[middle]!)) high = middle;
    else low = middle + 1;
  }
  return prices[low] ?? Infinity;
}

/** The prices above the usual one at which a node takes another algorithm than before, in ascending order. */
function pricesOf(program: Program, weightStorage: WeightStorage): number[] {
  const prices = new Set<number>();
  for (const { algorithms, site } of sitesOf(program, COST_ENGINE, weightStorage)) {
    const costs = candidatesFor(algorithms, site).map(({ cost }) => cost);
    for (const larger of costs) {
      for (const smaller of costs) {
        // At this price both cost the same; a little above it, the smaller one is chosen.
        const price = ((smaller.ms - larger.ms) / (larger.bytes - smaller.bytes)) * (1 + 1e-9);
        if (larger.bytes > smaller.bytes && price > BYTE_PRICE) prices.add(price);
      }
    }
  }
  return [...prices].sort((a, b) => a - b);
}
