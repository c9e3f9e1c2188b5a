/**
 * `transforms()` of all weights against torchvision's presets, bit for bit: each combination of options once, on a
 * landscape, a portrait and an image that is smaller than all crops. `scripts/goldens/presets.py` made the goldens.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listWeights, type Weights } from '../../src/weights/index.ts';
import { expectSame, type Kind, type Summary, synthetic } from '../image/synthetic.ts';

interface Golden extends Summary {
  readonly preset: string;
  readonly options: object;
  readonly kind: Kind;
  readonly from: readonly [width: number, height: number];
  readonly shape: readonly number[];
  readonly sum: number;
}

const goldens: readonly Golden[] = JSON.parse(readFileSync('test/goldens/weights/presets.json', 'utf8')).presets;

const keyOf = ({ preset, options }: { readonly preset: string; readonly options: object }) =>
  JSON.stringify([preset, Object.entries(options).sort()]);

/** Weights by what they want of an image. */
const byOptions = new Map<string, Weights[]>();
for (const weights of listWeights()) {
  const key = keyOf(weights.transforms());
  byOptions.set(key, [...(byOptions.get(key) ?? []), weights]);
}

it('are 21 combinations of options, all of them with goldens', () => {
  expect([...byOptions.keys()].sort()).toEqual([...new Set(goldens.map(keyOf))].sort());
  expect(byOptions.size).toBe(21);
});

describe.each([...byOptions].map(([key, all]) => [String(all[0]), all.length, key, all[0]!] as const))(
  'the preset of %s (%i weights)',
  (_name, _count, key, weights) => {
    const own = goldens.filter((golden) => keyOf(golden) === key);

    it.each(own.map((golden) => [golden.kind, ...golden.from, golden] as const))(
      "gives torchvision's bits: %s of %i x %i",
      (kind, width, height, golden) => {
        const x = weights.transforms()(synthetic(kind, width, height));
        expect(x.shape).toEqual(golden.shape);
        expectSame(x.data, golden);
        // Of numbers that are the same in another order: both sums are within 2⁻⁵³ of each addition.
        const magnitude = x.data.reduce((sum, value) => sum + Math.abs(value), 0);
        const sum = x.data.reduce((total, value) => total + value, 0);
        expect(Math.abs(sum - golden.sum)).toBeLessThanOrEqual(magnitude * x.data.length * 2 ** -52);
      },
    );
  },
);
