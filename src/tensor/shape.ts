/** Shapes, as PyTorch writes them: `[N, C, H, W]` for images, `[N, F]` for features. */

import { describe, ShapeError } from '../errors.ts';

/** Sizes from the outermost to the innermost axis, in elements. */
export type Shape = readonly number[];

/** @throws {@link ShapeError} where it isn't an array of whole numbers ≥ 0 */
export function checkShape(name: string, shape: unknown): void {
  if (Array.isArray(shape) && [...shape].every((size) => Number.isSafeInteger(size) && size >= 0)) return;
  throw new ShapeError(`${name}: expected an array of whole numbers >= 0, got ${describe(shape)}`);
}

/** @throws {@link ShapeError} where no module's input has that shape */
export function checkInputShape(name: string, shape: Shape): void {
  checkShape(name, shape);
  if (shape.length > 0 && !shape.includes(0, 1)) return;
  throw new ShapeError(`${name}: expected x of shape [N, C, …], none empty but N, got ${formatShape(shape)}`);
}

/** The product of all sizes: 1 for a scalar's `[]`. */
export function numel(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** True where both shapes have the same rank and sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** `[2, 3, 97, 131]`, for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}
