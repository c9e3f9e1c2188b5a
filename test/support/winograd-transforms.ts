/** The transforms of src/ops/conv2d/transforms.ts with their matrices (assembly/winograd/). */

import { TRANSFORMS as RECORDS, type Transform } from '../../src/ops/conv2d/transforms.ts';

/** Rows of numbers. */
export type Matrix = readonly (readonly number[])[];

/** A transform's matrices, Cook and Toom's or those of a Toeplitz product: output = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A. */
interface Matrices {
  /** Bᵀ */
  readonly input: Matrix;
  /** G */
  readonly weight: Matrix;
  /** Aᵀ */
  readonly output: Matrix;
}

/** A transform with its matrices. */
export type MatrixTransform = Transform & Matrices;

const [A, B] = [Math.SQRT1_2, Math.SQRT2];

const MATRICES: Readonly<Record<string, Matrices>> = {
  'toeplitz-2x2': {
    input: [
      [1, 1],
      [0, 1],
      [1, 0],
    ],
    weight: [
      [0, 1, 0],
      [0, -1, 1],
      [1, -1, 0],
    ],
    output: [
      [1, 1, 0],
      [1, 0, 1],
    ],
  },
  'winograd-2x2': {
    input: [
      [1, 0, -1, 0],
      [0, 1, 1, 0],
      [0, -1, 1, 0],
      [0, 1, 0, -1],
    ],
    weight: [
      [1, 0, 0],
      [0.5, 0.5, 0.5],
      [0.5, -0.5, 0.5],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 0],
      [0, 1, -1, -1],
    ],
  },
  'winograd-3x3': {
    // Points ±1/2, ±3/2 and ∞.
    input: [
      [-9 / 8, -9 / 4, 0.5, 1, 0],
      [9 / 8, -9 / 4, -0.5, 1, 0],
      [-3 / 8, -1 / 4, 1.5, 1, 0],
      [3 / 8, -1 / 4, -1.5, 1, 0],
      [9 / 16, 0, -2.5, 0, 1],
    ],
    weight: [
      [-1 / 2, -1 / 4, -1 / 8],
      [1 / 2, -1 / 4, 1 / 8],
      [1 / 6, 1 / 4, 3 / 8],
      [-1 / 6, 1 / 4, -3 / 8],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 0],
      [0.5, -0.5, 1.5, -1.5, 0],
      [1 / 4, 1 / 4, 9 / 4, 9 / 4, 1],
    ],
  },
  'winograd-4x4': {
    // Points 0, ±1/√2, ±√2 and ∞.
    input: [
      [1, 0, -2.5, 0, 1, 0],
      [0, -2 * A, -2, A, 1, 0],
      [0, 2 * A, -2, -A, 1, 0],
      [0, -B / 2, -0.5, B, 1, 0],
      [0, B / 2, -0.5, -B, 1, 0],
      [0, 1, 0, -2.5, 0, 1],
    ],
    weight: [
      [1, 0, 0],
      [-2 / 3, (-2 / 3) * A, -1 / 3],
      [-2 / 3, (2 / 3) * A, -1 / 3],
      [1 / 6, B / 6, 1 / 3],
      [1 / 6, -B / 6, 1 / 3],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 1, 0],
      [0, A, -A, B, -B, 0],
      [0, 0.5, 0.5, 2, 2, 0],
      [0, A / 2, -A / 2, 2 * B, -2 * B, 1],
    ],
  },
  'winograd-3x3-s2': {
    // Of every other pixel the points 0, ±1 and ∞, then those between.
    input: [
      [1, 0, 0, 0, -1, 0, 0],
      [0, 0, 1, 0, 1, 0, 0],
      [0, 0, -1, 0, 1, 0, 0],
      [0, 0, 1, 0, 0, 0, -1],
      [0, 1, 0, 0, 0, 0, 0],
      [0, 0, 0, 1, 0, 0, 0],
      [0, 0, 0, 0, 0, 1, 0],
    ],
    weight: [
      [1, 0, 0],
      [0.5, 0, 0.5],
      [0.5, 0, -0.5],
      [0, 0, 1],
      [0, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ],
    output: [
      [1, 1, 1, 0, 1, 0, 0],
      [0, 1, -1, 0, 0, 1, 0],
      [0, 1, 1, -1, 0, 0, 1],
    ],
  },
};

/** All transforms, each with its matrices. */
export const TRANSFORMS: readonly MatrixTransform[] = RECORDS.map((record) => {
  const matrices = MATRICES[record.name];
  if (!matrices) throw new Error(`the matrices of ${record.name} are missing`);
  return { ...record, ...matrices };
});

/** The transform of an algorithm; undefined for algorithms without one. */
export const transformOf = (algorithm: string): MatrixTransform | undefined =>
  TRANSFORMS.find(({ name }) => name === algorithm);

/** |m|, element by element. */
export const abs = (matrix: Matrix): Matrix => matrix.map((row) => row.map(Math.abs));

/** m·x·mᵀ of square rows, densely. */
export function sandwich(m: Matrix, x: readonly number[]): number[] {
  const n = Math.sqrt(x.length);
  return m.flatMap((left) =>
    m.map((right) => {
      let sum = 0;
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum += left[i]! * x[i * n + j]! * right[j]!;
      return sum;
    }),
  );
}
