/**
 * The memory budget. Speed costs memory: Winograd's weights take up to four times a plain convolution's. So that a layer's algorithm
 * depends on the module, its shapes and the options, and never on taps or threads, a budget becomes one number, the price of a
 * byte: the least at which the whole module fits. Whatever is asked of the module, every layer is then chosen at that price.
 */

import { ShapeError } from '../errors.ts';
import { type Program, parametersOf, type Value } from '../graph/graph.ts';
import { fuseEpilogues } from '../graph/passes/fuse-epilogues.ts';
import { prune } from '../graph/passes/prune.ts';
import { type Engine, pixelBytesOf, pixelsOf, type WeightStorage } from '../ops/op.ts';
import { numel, type Shape } from '../tensor/shape.ts';
import { PAGE_BYTES } from '../wasm/instantiate.ts';
import { BYTE_PRICE, COST_ENGINE, costOf, fittingAlgorithms } from './cost.ts';
import { FIRST_ADDRESS, ownInputs, Plan, sitesOf } from './plan.ts';

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
 * What every plan of a program takes at least, from its shapes alone: a node's inputs and its output lie side by side, and so do all
 * taps; weights lie beside them. Making a plan takes time and memory that grow with pixels, so this is asked before.
 */
export function leastSizes(program: Program, weightStorage: WeightStorage): Sizes {
  const { inputs, nodes, taps } = fuseEpilogues(prune(program));
  const weights = parametersOf({ inputs, nodes, taps }).filter(({ shape }) => shape.length > 1);
  const constantBytes = weights.reduce((sum, { shape }) => sum + numel(shape) * (weightStorage === 'f16' ? 2 : 4), 0);
  const bytes = (values: readonly Value[]) =>
    [...new Set(values)].reduce((sum, { shape }) => sum + pixelsOf(shape) * pixelBytesOf(shape), 0);
  const planes = inputs.reduce((sum, { shape }) => sum + numel(shape) * 4, 0);
  let roomBytes = planes + bytes(inputs);
  const concatenated = new Set<Value>();
  for (const node of nodes) {
    const { op, output } = node;
    // What is concatenated may lie in the output, and the output where a residual does.
    if (op.concatenates) for (const part of node.inputs) concatenated.add(part);
    roomBytes = Math.max(roomBytes, bytes(op.concatenates ? [output] : [...ownInputs(node), output]));
  }
  roomBytes = Math.max(roomBytes, bytes(taps.filter((tap) => !concatenated.has(tap))));
  const memoryBytes = Math.ceil((FIRST_ADDRESS + constantBytes + roomBytes) / PAGE_BYTES) * PAGE_BYTES;
  return { memoryBytes, constantBytes, roomBytes, isLeast: true };
}

/** What a program's smallest plan takes. Where that is certain to be more than `most`, no plan is made. */
export function smallestSizes(program: Program, engine: Engine, weightStorage: WeightStorage, most: number): Sizes {
  const least = leastSizes(program, weightStorage);
  return least.memoryBytes > most ? least : new Plan(program, engine, { weightStorage, bytePrice: Infinity });
}

/**
 * The least price of a byte at which a plan of `program` takes at most `bytes`; infinite where even the smallest takes more.
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
    const costs = fittingAlgorithms(algorithms, site).map((algorithm) => costOf(algorithm, site));
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

/** A smaller input is looked for in steps of this part of a side. */
const PARTS = 32;

/** Plans that are made at most while a smaller input is looked for. */
const MOST_PLANS = 8;

/** Inputs, and what a plan for them takes. */
interface Sized {
  readonly shapes: readonly Shape[];
  readonly sizes: Sizes;
}

/**
 * The largest input found, smaller than the given ones, that takes at most `most` bytes, or else the smallest that was tried: fewer images
 * where there are several, then a smaller height and width.
 *
 * @param leastOf what every plan for these inputs takes at least, in no time; throws a ShapeError where they are too small
 * @param sizesOf what a plan for them takes
 */
export function smallerInput(
  given: readonly Shape[],
  leastOf: (shapes: readonly Shape[]) => number,
  sizesOf: (shapes: readonly Shape[]) => Sizes,
  most: number,
): Sized | null {
  const images = given.reduce((least, [n]) => Math.min(least, n!), Infinity);
  const isImage = given.every(({ length }) => length === 4);
  let best: Sized | null = null;
  let plans = 0;
  /** The largest of 1 … `count` parts that fits; false where none was found. */
  const search = (count: number, part: (k: number) => readonly Shape[]): boolean => {
    const fits = (k: number): boolean | null => {
      const shapes = part(k);
      return orTooSmall(() => {
        const sizes = sizesOf(shapes);
        if (!sizes.isLeast) plans++;
        const does = sizes.memoryBytes <= most;
        if (does || !best || (best.sizes.memoryBytes > most && sizes.memoryBytes < best.sizes.memoryBytes)) {
          best = { shapes, sizes };
        }
        return does;
      });
    };
    // Too large ones are told by the least that they take, so that plans are made of those alone that may fit.
    const last = lastWhere(count, (k) => orTooSmall(() => leastOf(part(k)) <= most));
    // Where all are, the smallest of them is told, again without a plan.
    return lastWhere(last || count, (k) => plans < MOST_PLANS && fits(k)) > 0;
  };
  if (images > 1 && search(images - 1, (k) => given.map(([, ...rest]) => [k, ...rest]))) return best;
  if (isImage) {
    search(PARTS - 1, (k) => given.map(([, c, ...size]) => [1, c!, ...size.map((n) => Math.ceil((n * k) / PARTS))]));
  }
  return best;
}

/** The last of 1 … `count` for which `holds`, which then holds for all before, or tells by null that they are too small; 0 where none is found. */
function lastWhere(count: number, holds: (k: number) => boolean | null): number {
  let [low, high, found] = [1, count, 0];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const does = holds(middle);
    if (does) found = middle;
    if (does === false) high = middle - 1;
    else low = middle + 1;
  }
  return found;
}

/** What is tried, or null where the inputs are too small for the program. */
function orTooSmall(tried: () => boolean): boolean | null {
  try {
    return tried();
  } catch (error) {
    if (error instanceof ShapeError) return null;
    throw error;
  }
}
