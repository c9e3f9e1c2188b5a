/** The tiles of a layer's output, and which of them each point of a transform is multiplied for. */

import type { Shape } from '../../tensor/shape.ts';
import type { Range } from '../lowering/cut.ts';
import { imageSizes } from '../lowering/slot.ts';
import type { Transform } from './transforms.ts';

/** Where tiles begin: each row with each column, numbered [image][row][column]. */
interface TileGrid {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

/** The tiles of a layer's output. With dilation, each sub-grid has its own. */
export interface Tiling {
  readonly images: number;
  /**
   * The tiles in four grids: those that lack only columns, the whole ones, those that lack only rows, those that lack
   * both. So the tiles that have all their rows (the first two grids) are neighbours, and so are those that have all
   * their columns (the middle two).
   */
  readonly grids: readonly TileGrid[];
  /** Where each grid ends: the number of its tiles and of those before it. */
  readonly ends: readonly number[];
  /** Tiles of all grids. */
  readonly count: number;
}

/** The tiles of an output for a transform. */
export function tilingOf(output: Shape, dilation: number, { tile }: Transform): Tiling {
  const { images, height, width } = imageSizes(output);
  const rows = tilesAlong(height, tile, dilation);
  const columns = tilesAlong(width, tile, dilation);
  const grids = [
    { rows: rows.whole, columns: columns.cut },
    { rows: rows.whole, columns: columns.whole },
    { rows: rows.cut, columns: columns.whole },
    { rows: rows.cut, columns: columns.cut },
  ];
  let count = 0;
  const ends: number[] = [];
  for (const grid of grids) {
    count += images * grid.rows.length * grid.columns.length;
    ends.push(count);
  }
  return { images, grids, ends, count };
}

/** Where tiles begin along a side: those that have all of their pixels, and those that don't. */
function tilesAlong(pixels: number, tile: number, dilation: number): { whole: number[]; cut: number[] } {
  const whole: number[] = [];
  const cut: number[] = [];
  for (let grid = 0; grid < Math.min(dilation, pixels); grid++) {
    for (let start = grid; start < pixels; start += tile * dilation) {
      (start + (tile - 1) * dilation < pixels ? whole : cut).push(start);
    }
  }
  return { whole, cut };
}

/**
 * The tiles that a point is multiplied for. Tiles that lack their last row or column leave out the {@link
 * Transform.lastPoints} along it.
 */
export function tilesOfPoint({ side, lastPoints }: Transform, ends: readonly number[], point: number): Range {
  const needsRows = lastPoints.includes(Math.floor(point / side));
  const needsColumns = lastPoints.includes(point % side);
  const first = needsColumns ? ends[0]! : 0;
  const end = needsRows ? ends[1]! : needsColumns ? ends[2]! : ends[3]!;
  return { first, count: end - first };
}

/** How many weights a filter has for a transform. */
export function weightCount({ weightSide }: Transform): number {
  return weightSide ** 2;
}

/** Which of the weights a point is multiplied by. */
function weightOf({ side, weightSide }: Transform, point: number): number {
  const along = (i: number): number => Math.min(i, weightSide - 1);
  return along(Math.floor(point / side)) * weightSide + along(point % side);
}

/** {@link Tiling.ends} within a block of tiles, counted from the block's first tile. */
export function endsIn({ ends }: Tiling, { first, count }: Range): readonly number[] {
  return ends.map((end) => Math.min(Math.max(end - first, 0), count));
}

/** Neighbouring points that are multiplied for the same tiles of a block. */
export interface Products {
  /** The first point, and which weight it is multiplied by. The other points and their weights follow. */
  readonly point: number;
  readonly weight: number;
  /** How many points. */
  points: number;
  /** The first tile, counted from the block's first, and how many tiles. */
  readonly tile: number;
  readonly tiles: number;
}

/** The products of a block whose grids have these {@link endsIn}. */
export function productsOf(transform: Transform, ends: readonly number[]): Products[] {
  const found: Products[] = [];
  for (let point = 0; point < transform.side ** 2; point++) {
    const { first: tile, count: tiles } = tilesOfPoint(transform, ends, point);
    const weight = weightOf(transform, point);
    const last = found.at(-1);
    if (last?.tile === tile && last.tiles === tiles && last.weight + last.points === weight) last.points++;
    else found.push({ point, weight, points: 1, tile, tiles });
  }
  return found.filter(({ tiles }) => tiles > 0);
}

/** Writes where the tiles are, as the kernels read it: image, row and column of each, TILE_PLACE_BYTES together. */
export function writeTiles({ images, grids }: Tiling, memory: WebAssembly.Memory, address: number): void {
  const tiles = grids.flatMap(({ rows, columns }) =>
    [...Array(images).keys()].flatMap((image) =>
      rows.flatMap((row) => columns.flatMap((column) => [image, row, column])),
    ),
  );
  new Int32Array(memory.buffer, address, tiles.length).set(tiles);
}
