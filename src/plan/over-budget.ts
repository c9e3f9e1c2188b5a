/**
 * What is said of a plan that is over the budget: what it needs, and what would fit. Each way out is tried, not
 * guessed.
 */

import { MemoryError } from '../errors.ts';
import type { Program } from '../graph/graph.ts';
import type { Engine, WeightStorage } from '../ops/lowering/algorithm.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import { type Sizes, smallestSizes, totalOf } from './budget.ts';
import { type CheckedOptions, MAX_BYTES } from './compile-options.ts';

/** What a plan was to be made of. */
export interface Refused {
  readonly program: Program;
  readonly options: CheckedOptions;
  readonly engine: Engine;
  /** The program for inputs of other shapes; throws where they are too small. */
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
    const ofShapes = (smaller: readonly Shape[]) => sizesOf(resized(smaller), weightStorage);
    const smaller = smallerInput(shapes, got, ofShapes, memoryBudgetBytes);
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

/** Plans that are made at most for fewer images, and for smaller ones. */
const MOST_PLANS = 8;

/** Inputs, and what a plan for them takes. */
interface Sized {
  readonly shapes: readonly Shape[];
  readonly sizes: Sizes;
}

/**
 * An input, smaller than the given one, that takes at most `most` bytes, or else the smallest that was tried: fewer
 * images where there are several, then a smaller height and width. Activations grow with images and with pixels, so
 * each try says what to try next.
 *
 * @param got what a plan for `given` takes
 * @param sizesOf what a plan takes for other inputs; throws where they are too small
 */
export function smallerInput(
  given: readonly Shape[],
  got: Sizes,
  sizesOf: (shapes: readonly Shape[]) => Sizes,
  most: number,
): Sized | null {
  let last: Sized = { shapes: given, sizes: got };
  /** Tries fewer and fewer of `parts` parts, until one fits. Parts grow with bytes to the power of `exponent`. */
  const search = (parts: number, exponent: number, shapesOf: (k: number) => readonly Shape[]) => {
    let k = parts;
    for (let plans = 0; k > 1 && plans < MOST_PLANS && last.sizes.memoryBytes > most; plans++) {
      const share = Math.max(0, (most - last.sizes.constantBytes) / last.sizes.roomBytes);
      k = Math.max(1, Math.min(k - 1, Math.floor(k * share ** exponent)));
      const shapes = shapesOf(k);
      try {
        last = { shapes, sizes: sizesOf(shapes) };
      } catch {
        // Too small for the program, whatever its modules throw then.
        return;
      }
    }
  };
  const images = given.reduce((least, [n]) => Math.min(least, n!), Infinity);
  search(images, 1, (k) => given.map(([, ...rest]) => [k, ...rest]));
  if (given.every(({ length }) => length === 4)) {
    const part = (n: number, k: number) => Math.ceil((n * k) / PARTS);
    search(PARTS, 0.5, (k) => given.map(([, c, h, w]) => [1, c!, part(h!, k), part(w!, k)]));
  }
  return last.shapes === given ? null : last;
}
