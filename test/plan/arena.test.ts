/** The arena's invariants, on random lifetimes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, type Lifetime, packArena } from '../../src/plan/arena.ts';

const lifetimes = fc.array(
  fc
    .record({ bytes: fc.integer({ min: 0, max: 5000 }), first: fc.nat(20), length: fc.nat(8) })
    .map(({ bytes, first, length }): Lifetime => ({ bytes, first, last: first + length })),
  { maxLength: 30 },
);

describe('packArena', () => {
  it('never lets two slots overlap that live at once, and keeps all aligned and inside', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        const { offsets, bytes } = packArena(all);
        all.forEach((a, i) => {
          expect(offsets[i]! % ALIGNMENT).toBe(0);
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
          all.forEach((b, j) => {
            if (j <= i || a.first > b.last || b.first > a.last || a.bytes === 0 || b.bytes === 0) return;
            const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
            expect(apart, `${i} and ${j}`).toBe(true);
          });
        });
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('gives the bytes of one to many that follow each other', () => {
    const chain = Array.from({ length: 9 }, (_, i) => ({ bytes: 640, first: 2 * i, last: 2 * i + 1 }));
    expect(packArena(chain).bytes).toBe(640);
  });

  it('takes the smallest gap that holds a slot', () => {
    const { offsets } = packArena([
      { bytes: 640, first: 0, last: 0 },
      { bytes: 576, first: 0, last: 9 },
      { bytes: 320, first: 0, last: 0 },
      { bytes: 256, first: 0, last: 9 },
      { bytes: 192, first: 1, last: 9 },
    ]);
    expect(offsets[4]).toBe(offsets[2]);
  });
});
