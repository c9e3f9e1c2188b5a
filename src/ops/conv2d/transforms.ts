/**
 * The transforms of minimal filtering, as records. An algorithm, the tiling of its output and the kernels' tests all
 * read them here; assembly/winograd.ts has a branch for each `side`. Another size is another record and its kernel.
 */

/** One transform of a 3×3 convolution. Sizes are along one side; both sides are alike. */
export interface Transform {
  /** The algorithm's name in reports. */
  readonly name: string;
  /** Points of the transform along a side. Kernels know the transform by it: no two have equally many. */
  readonly side: number;
  /** Output pixels of a tile. */
  readonly tile: number;
  /** Input pixels that a tile reads. */
  readonly edge: number;
  /** The convolution's stride. */
  readonly stride: 1 | 2;
  /** Points that have weights of their own; those after them share the last one's. */
  readonly weightSide: number;
  /**
   * Points that only tiles with their last row or column need. Each goes into that last output alone; or, with a
   * Toeplitz product, is zero where the last pixel isn't there.
   */
  readonly lastPoints: readonly number[];
  /** True where all around a tile is padding: each sub-grid of the dilated image is one tile. */
  readonly isSurrounded: boolean;
}

/** F(4×4, 3×3): 4 times fewer multiplications than plain products. */
const winograd4: Transform = {
  name: 'winograd-4x4',
  side: 6,
  tile: 4,
  edge: 6,
  stride: 1,
  weightSide: 6,
  lastPoints: [5],
  isSurrounded: false,
};

/** F(3×3, 3×3): 3.24 times fewer multiplications. */
const winograd3: Transform = {
  name: 'winograd-3x3',
  side: 5,
  tile: 3,
  edge: 5,
  stride: 1,
  weightSide: 5,
  lastPoints: [4],
  isSurrounded: false,
};

/** F(2×2, 3×3): 2.25 times fewer multiplications. */
const winograd2: Transform = {
  name: 'winograd-2x2',
  side: 4,
  tile: 2,
  edge: 4,
  stride: 1,
  weightSide: 4,
  lastPoints: [3],
  isSurrounded: false,
};

/**
 * Stride 2 by tiles of 3×3 outputs: 1.65 times fewer multiplications. The points are those of two-tap filtering at 0,
 * ±1 and ∞, then the tile's three pixels between, which have one weight.
 */
const winogradStrided: Transform = {
  name: 'winograd-3x3-s2',
  side: 7,
  tile: 3,
  edge: 7,
  stride: 2,
  weightSide: 5,
  lastPoints: [3, 6],
  isSurrounded: false,
};

/**
 * Sub-grids of at most 2×2 pixels, as dilations of half an image have them: a Toeplitz product of 9 multiplications
 * where 16 taps aren't padding.
 */
const toeplitz2: Transform = {
  name: 'toeplitz-2x2',
  side: 3,
  tile: 2,
  edge: 2,
  stride: 1,
  weightSide: 3,
  lastPoints: [1, 2],
  isSurrounded: true,
};

/** All transforms. Of two that cost the same, a plan takes the first. */
export const TRANSFORMS: readonly Transform[] = [winograd4, winograd3, winograd2, winogradStrided, toeplitz2];
