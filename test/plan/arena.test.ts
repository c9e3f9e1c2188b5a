/** Places in the arena: buffers that live at the same time never overlap, and others share. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, aligned, type Lifetime, packArena } from '../../src/plan/arena.ts';

const SEED = 20240229;

const lifetimes: fc.Arbitrary<Lifetime[]> = fc.array(
  fc
    .tuple(fc.nat(5000), fc.nat(30), fc.nat(6))
    .map(([bytes, first, length]) => ({ bytes, first, last: first + length })),
  { maxLength: 40 },
);

const meet = (a: Lifetime, b: Lifetime) => a.first <= b.last && b.first <= a.last;

describe('packArena', () => {
  it('lets no two slots overlap that live at one step', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        const { offsets } = packArena(all);
        return all.every((a, i) =>
          all.every((b, j) => {
            const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
            return i === j || !meet(a, b) || apart;
          }),
        );
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('begins slots at cache lines, and ends them all within its bytes', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        const { offsets, bytes } = packArena(all);
        return all.every((slot, i) => offsets[i]! % ALIGNMENT === 0 && offsets[i]! + slot.bytes <= bytes);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('takes at least what lives at once, and at most what all take without reuse', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        const { bytes } = packArena(all);
        const steps = all.map(({ first }) => first);
        const at = (step: number) => all.filter(({ first, last }) => first <= step && step <= last);
        const sum = (some: readonly Lifetime[]) => some.reduce((total, slot) => total + aligned(slot.bytes), 0);
        return bytes >= Math.max(0, ...steps.map((step) => sum(at(step)))) && bytes <= sum(all);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('keeps two slots for a chain, however long', () => {
    const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }));
    expect(packArena(chain).bytes).toBe(2 * aligned(1000));
  });

  it('puts a short-lived slot into the smallest gap that holds it', () => {
    const long = { first: 0, last: 9 };
    const { offsets, bytes } = packArena([
      { bytes: 640, ...long },
      { bytes: 512, first: 0, last: 1 },
      { bytes: 448, ...long },
      { bytes: 384, first: 0, last: 1 },
      { bytes: 320, ...long },
      { bytes: 64, first: 5, last: 6 },
    ]);
    expect(offsets).toEqual([0, 640, 1152, 1600, 1984, 1600]);
    expect(bytes).toBe(2304);
  });

  it('gives the same places for the same lifetimes', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        expect(packArena(all)).toEqual(packArena(all));
      }),
      { seed: SEED, numRuns: 50 },
    );
  });

  it('needs nothing for nothing', () => {
    expect(packArena([])).toEqual({ offsets: [], bytes: 0 });
  });
});
