/**
 * What is said of a plan that is over the budget: what it needs, and what would fit. Each way out is tried, not
 * guessed.
 */

import { MemoryError, ShapeError } from '../errors.ts';
import type { Program } from '../graph/graph.ts';
import type { Engine, WeightStorage } from '../ops/lowering/algorithm.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import { leastSizes, type Sizes, smallestSizes, totalOf } from './budget.ts';
import { type CheckedOptions, MAX_BYTES } from './compile-options.ts';

/** What a plan was to be made of. */
export interface Refused {
  readonly program: Program;
  readonly options: CheckedOptions;
  readonly engine: Engine;
  /** The program for inputs of other shapes; throws a ShapeError where they are too small. */
  readonly resized: ((shapes: readonly Shape[]) => Program) | undefined;
}

/** The error for a plan that takes more than the budget. */
export function overBudget(got: Sizes, { program, options, engine, resized }: Refused): MemoryError {
  const { memoryBudgetBytes, weightStorage, isBudgeted } = options;
  const sizesOf = (of: Program, storage: WeightStorage) => smallestSizes(of, engine, storage, memoryBudgetBytes);
  const shapes = program.inputs.map(({ shape }) => shape);
  const fitting: string[] = [];
  const tried: string[] = [];
  const weigh = (what: string, sizes: Sizes) =>
    (sizes.memoryBytes <= memoryBudgetBytes ? fitting : tried).push(`${what} (${totalOf(sizes)} bytes)`);
  if (weightStorage === 'f32') {
    if (!isBudgeted && !got.isLeast) {
      weigh(`memoryBudgetBytes: ${MAX_BYTES} for smaller algorithms`, sizesOf(program, 'f32'));
    }
    weigh("weightStorage: 'f16'", sizesOf(program, 'f16'));
  }
  if (resized) {
    const smaller = smallerInput(
      shapes,
      (candidate) => leastSizes(resized(candidate), weightStorage).memoryBytes,
      (candidate) => sizesOf(resized(candidate), weightStorage),
      memoryBudgetBytes,
    );
    if (smaller) weigh(`an input of ${smaller.shapes.map(formatShape).join(' and ')}`, smaller.sizes);
  }
  const out =
    fitting.length > 0
      ? `; what fits: ${fitting.join(', or ')}`
      : tried.length > 0
        ? `; nor fit ${tried.join(', or ')}`
        : '';
  return new MemoryError(
    `layertap: expected a plan within ${memoryBudgetBytes} bytes of WebAssembly memory, got ${totalOf(got)} for an ` +
      `input of ${shapes.map(formatShape).join(' and ')} (${got.constantBytes} of weights, ` +
      `${got.roomBytes} of activations)${out}`,
  );
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
 * The largest input found, smaller than the given ones, that takes at most `most` bytes, or else the smallest that was
 * tried: fewer images where there are several, then a smaller height and width.
 *
 * @param leastOf what every plan for these inputs takes at least, in no time; throws a ShapeError where they are too
 *   small
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

/**
 * The last of 1 … `count` for which `holds`, which then holds for all before, or tells by null that they are too small;
 * 0 where none is found.
 */
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
