/** Numbers made of numbers one by one, by host steps: arithmetic with a number. */

import { elementwise } from './lowering/host.ts';
import type { Op } from './op.ts';

/** Attributes of arithmetic with a number, which is a float32. */
export interface ScalarAttrs {
  readonly number: number;
}

/** x + number. */
export const addNumber: Op<ScalarAttrs> = elementwise('add', (v, { number }) => v + number);

/** x·number. */
export const mulNumber: Op<ScalarAttrs> = elementwise('mul', (v, { number }) => v * number);

/** x / number. */
export const divNumber: Op<ScalarAttrs> = elementwise('div', (v, { number }) => v / number);

/** number − x. */
export const numberSub: Op<ScalarAttrs> = elementwise('sub', (v, { number }) => number - v);

/** number / x. */
export const numberDiv: Op<ScalarAttrs> = elementwise('div', (v, { number }) => number / v);

const ROOT = Math.sqrt(2 / Math.PI);

/** x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2. @see torch.nn.functional.gelu with approximate='tanh' */
export const geluTanh: Op<null> = elementwise('gelu', (v) => {
  return 0.5 * v * (1 + Math.tanh(ROOT * (v + 0.044715 * v * v * v)));
});
