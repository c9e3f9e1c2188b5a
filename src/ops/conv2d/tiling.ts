/** Which tiles a layer's output has for Winograd's algorithms, and which of them each point of the transform is multiplied for. */

import type { Shape } from '../../tensor/shape.ts';
import type { Range } from '../op.ts';
import { imageSizes } from './attrs.ts';

/**
 * Points along a side of a transform: 4, 5 or 6 of tiles of 2, 3 or 4 outputs; 3 of two outputs that have only padding around them; 7 of three
 * outputs with stride 2.
 */
export type Points = 3 | 4 | 5 | 6 | 7;

/** Points along a side where a sub-grid has one tile of at most two pixels. */
export const PAIRS = 3;

/** Points along a side with stride 2: of two-tap filtering at 0, ±1 and ∞, then the tile's three pixels between, which have one weight. */
export const STRIDED = 7;

/** Bytes that say where a tile is: see f32_winograd_input. */
export const TILE_BYTES = 12;

/** The tiles of a layer's output. With dilation, each sub-grid has its own. */
export interface Tiling {
  readonly images: number;
  /**
   * Where tiles begin: rows and columns of four parts, of which each is numbered [image][row][column]. They are whole but for their columns, whole,
   * whole but for their rows, whole in neither; so tiles that have all of their rows are neighbours, and so are those that have all of their columns.
   */
  readonly parts: readonly (readonly [rows: readonly number[], columns: readonly number[]])[];
  /** Tiles of each part and those before it. */
  readonly ends: readonly number[];
  /** Tiles of all parts. */
  readonly count: number;
}

/** The tiles of an output for a transform of so many points along a side. */
export function tilingOf(output: Shape, dilation: number, side: Points): Tiling {
  const { images, height, width } = imageSizes(output);
  const size = side === STRIDED ? 3 : Math.max(2, side - 2);
  const [rows, cutRows] = tilesAlong(height, size, dilation);
  const [columns, cutColumns] = tilesAlong(width, size, dilation);
  const parts: Tiling['parts'] = [
    [rows, cutColumns],
    [rows, columns],
    [cutRows, columns],
    [cutRows, cutColumns],
  ];
  let count = 0;
  const ends = parts.map(([rows, columns]) => (count += images * rows.length * columns.length));
  return { images, parts, ends, count };
}

/** The tiles that a point is multiplied for: what goes into a tile's last row or column alone isn't for tiles without it. */
export function tilesOf(side: Points, ends: readonly number[], point: number): Range {
  const isLast = (i: number): boolean => i === side - 1 || (side === PAIRS && i === 1) || (side === STRIDED && i === 3);
  const needsColumns = isLast(point % side);
  const first = needsColumns ? ends[0]! : 0;
  return { first, count: ends[isLast(Math.floor(point / side)) ? 1 : needsColumns ? 2 : 3]! - first };
}

/** How many weights a filter has for a transform. */
export function weightCount(side: Points): number {
  return side === STRIDED ? 25 : side ** 2;
}

/** Which of the weights a point is multiplied by. */
function weightOf(side: Points, point: number): number {
  const along = (i: number): number => Math.min(i, 4);
  return side === STRIDED ? along(Math.floor(point / side)) * 5 + along(point % side) : point;
}

/** Where tiles begin along a side: those that have all of their pixels, and those that don't. */
function tilesAlong(pixels: number, size: number, dilation: number): [whole: number[], cut: number[]] {
  const whole: number[] = [];
  const cut: number[] = [];
  for (let grid = 0; grid < Math.min(dilation, pixels); grid++) {
    for (let start = grid; start < pixels; start += size * dilation) {
      (start + (size - 1) * dilation < pixels ? whole : cut).push(start);
    }
  }
  return [whole, cut];
}

/** {@link Tiling.ends} of a block of tiles, counted from its first. */
export function endsIn({ ends }: Tiling, { first, count }: Range): readonly number[] {
  return ends.map((end) => Math.min(Math.max(end - first, 0), count));
}

/** Neighbouring points that are multiplied for the same tiles of a block. */
export interface Products {
  /** The first, and its weight; the others' follow. */
  readonly point: number;
  readonly weight: number;
  points: number;
  /** The first, counted from the block's. */
  readonly tile: number;
  readonly tiles: number;
}

/** The products of a block whose parts end there. */
export function productsOf(side: Points, ends: readonly number[]): Products[] {
  const found: Products[] = [];
  for (let point = 0; point < side ** 2; point++) {
    const { first: tile, count: tiles } = tilesOf(side, ends, point);
    const weight = weightOf(side, point);
    const last = found.at(-1);
    if (last?.tile === tile && last.tiles === tiles && last.weight + last.points === weight) last.points++;
    else found.push({ point, weight, points: 1, tile, tiles });
  }
  return found.filter(({ tiles }) => tiles > 0);
}

/** Writes where the tiles are, as the kernels read it. */
export function writeTiles({ images, parts }: Tiling, memory: WebAssembly.Memory, address: number): void {
  const tiles = parts.flatMap(([rows, columns]) =>
    [...Array(images).keys()].flatMap((image) =>
      rows.flatMap((row) => columns.flatMap((column) => [image, row, column])),
    ),
  );
  new Int32Array(memory.buffer, address, tiles.length).set(tiles);
}
