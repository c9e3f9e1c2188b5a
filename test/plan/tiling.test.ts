/** Which tiles Winograd's algorithms have, and which products they leave out. */

import { describe, expect, it } from 'vitest';
import { endsIn, productsOf, tilingOf, writeTiles } from '../../src/ops/conv2d/tiling.ts';
import { TRANSFORMS } from '../../src/ops/conv2d/transforms.ts';
import { TILE_PLACE_BYTES } from '../../src/wasm/kernels.gen.ts';

const OUTPUTS = [
  { shape: [1, 8, 1, 1], dilation: 1 },
  { shape: [2, 8, 7, 8], dilation: 1 },
  { shape: [1, 8, 12, 12], dilation: 1 },
  { shape: [2, 8, 13, 19], dilation: 3 },
  { shape: [1, 8, 65, 9], dilation: 36 },
] as const;

describe.each(TRANSFORMS)('tiles of $name', (transform) => {
  const { side, tile: size } = transform;

  describe.each(OUTPUTS)('of $shape, dilation $dilation', ({ shape, dilation }) => {
    const [images, , height, width] = shape;
    const tiling = tilingOf(shape, dilation, transform);
    const memory = new WebAssembly.Memory({ initial: 1 });
    writeTiles(tiling, memory, 64);
    const numbers = [...new Int32Array(memory.buffer, 64, (tiling.count * TILE_PLACE_BYTES) / 4)];
    const tiles = Array.from({ length: tiling.count }, (_, t) => {
      const [image, row, column] = numbers.slice(3 * t, 3 * t + 3) as [number, number, number];
      const reach = (size - 1) * dilation;
      return { image, row, column, hasRow: row + reach < height, hasColumn: column + reach < width };
    });

    it('cover each pixel once', () => {
      const covered = new Uint8Array(images * height * width);
      for (const { image, row, column } of tiles) {
        for (let i = 0; i < size ** 2; i++) {
          const y = row + Math.floor(i / size) * dilation;
          const x = column + (i % size) * dilation;
          if (y < height && x < width) covered[(image * height + y) * width + x]!++;
        }
      }
      expect(covered).toEqual(new Uint8Array(covered.length).fill(1));
    });

    it.each([1, 5, 1000])('are multiplied, in blocks of %i, for what goes into pixels that they have', (block) => {
      const isLast = (i: number) => (side === 3 && i === 1) || (side === 7 && i === 3) || i === side - 1;
      const expected = tiles.map(({ hasRow, hasColumn }) =>
        Array.from({ length: side ** 2 }, (_, point) => {
          return (hasRow || !isLast(Math.floor(point / side))) && (hasColumn || !isLast(point % side)) ? 1 : 0;
        }),
      );
      const products = tiles.map(() => new Array<number>(side ** 2).fill(0));
      for (let first = 0; first < tiling.count; first += block) {
        const ends = endsIn(tiling, { first, count: Math.min(block, tiling.count - first) });
        for (const found of productsOf(transform, ends)) {
          for (let tile = first + found.tile; tile < first + found.tile + found.tiles; tile++) {
            for (let point = found.point; point < found.point + found.points; point++) products[tile]![point]!++;
          }
        }
      }
      expect(products).toEqual(expected);
    });
  });
});
