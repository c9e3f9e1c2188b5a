/** The transforms of Winograd's algorithms and of the Toeplitz product, as their matrices (assembly/winograd.ts). */

export type Matrix = readonly (readonly number[])[];

/**
 * Points of a tile in each direction, outputs, inputs, and its matrices, Cook and Toom's or those of a Toeplitz product:
 * output = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A.
 */
export interface Transform {
  readonly side: 3 | 4 | 5 | 6 | 7;
  readonly size: 2 | 3 | 4;
  readonly edge: number;
  readonly stride: 1 | 2;
  /** Points along a side that have weights of their own; those after them have the last one's. */
  readonly weightSide: number;
  /** Bᵀ */
  readonly input: Matrix;
  /** G */
  readonly weight: Matrix;
  /** Aᵀ */
  readonly output: Matrix;
}

const [A, B] = [Math.SQRT1_2, Math.SQRT2];

export const TRANSFORMS: readonly Transform[] = [
  {
    side: 3,
    size: 2,
    edge: 2,
    stride: 1,
    weightSide: 3,
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
  {
    side: 4,
    size: 2,
    edge: 4,
    stride: 1,
    weightSide: 4,
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
  {
    side: 5,
    size: 3,
    edge: 5,
    stride: 1,
    weightSide: 5,
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
  {
    side: 6,
    size: 4,
    edge: 6,
    stride: 1,
    weightSide: 6,
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
  {
    side: 7,
    size: 3,
    edge: 7,
    stride: 2,
    weightSide: 5,
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
];

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
