/** Which tiles a layer's output has for Winograd's algorithms, and which of them each point of the transform is multiplied for. */

import type { Shape } from '../../tensor/shape.ts';
import type { Range } from '../op.ts';
import { imageSizes } from './attrs.ts';

/** Points along a side of a transform: 4, 5 or 6 of tiles of 2, 3 or 4 outputs; 3 of two outputs that have only padding around them. */
export type Points = 3 | 4 | 5 | 6;

/** Points along a side where a sub-grid has one tile of at most two pixels. */
export const PAIRS = 3;

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
  readonly count: number;
  /** Of each point the tiles that it is multiplied for: what goes into a tile's last row or column alone isn't for tiles without it. */
  readonly points: readonly Range[];
}

/** The tiles of an output for a transform of so many points along a side. */
export function tilingOf(output: Shape, dilation: number, side: Points): Tiling {
  const { images, height, width } = imageSizes(output);
  const size = Math.max(2, side - 2);
  const [rows, cutRows] = tilesAlong(height, size, dilation);
  const [columns, cutColumns] = tilesAlong(width, size, dilation);
  const parts = [
    [rows, cutColumns] as const,
    [rows, columns] as const,
    [cutRows, columns] as const,
    [cutRows, cutColumns] as const,
  ];
  let count = 0;
  const ends = parts.map(([rows, columns]) => (count += images * rows.length * columns.length));
  const isLast = (i: number): boolean => (side === PAIRS ? i > 0 : i === side - 1);
  const points = Array.from({ length: side ** 2 }, (_, point) => {
    const needsColumns = isLast(point % side);
    const first = needsColumns ? ends[0]! : 0;
    return { first, count: ends[isLast(Math.floor(point / side)) ? 1 : needsColumns ? 2 : 3]! - first };
  });
  return { images, parts, count, points };
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

/** Neighbouring points that are multiplied for the same tiles of a block. */
export interface Products {
  /** The first. */
  readonly point: number;
  points: number;
  /** The first, counted from the block's. */
  readonly tile: number;
  readonly tiles: number;
}

/** The products of a block of tiles. */
export function productsOf({ points }: Tiling, block: Range): Products[] {
  const found: Products[] = [];
  points.forEach(({ first, count }, point) => {
    const tile = Math.max(0, first - block.first);
    const tiles = Math.min(block.count, first + count - block.first) - tile;
    const last = found.at(-1);
    if (last?.tile === tile && last.tiles === tiles) last.points++;
    else found.push({ point, points: 1, tile, tiles });
  });
  return found.filter(({ tiles }) => tiles > 0);
}

/** Writes where the tiles are, as the kernels read it. */
export function writeTiles({ images, parts, count }: Tiling, memory: WebAssembly.Memory, address: number): void {
  const numbers = new Int32Array(memory.buffer, address, count * (TILE_BYTES / 4));
  let at = 0;
  for (const [rows, columns] of parts) {
    for (let image = 0; image < images; image++) {
      for (const row of rows) {
        for (const column of columns) {
          numbers.set([image, row, column], at);
          at += 3;
        }
      }
    }
  }
}
