/**
 * Mutated weight files, indexes, configs of the hub and photos, 20,000 of each: each is used, or refused by an error of
 * the library.
 */

import { expect, it } from 'vitest';
import { fuzzed, subjects } from '../../scripts/fuzzed.mjs';
import * as hub from '../../src/hub/index.ts';
import * as library from '../../src/index.ts';

const RUNS = 20_000;
const SEED = 20261129;

it.each(Object.keys(subjects))('%s files end in their use, or in an error of the library, in time', async (format) => {
  const { outcomes } = await fuzzed({ layertap: { ...library, ...hub } as never, format, runs: RUNS, seed: SEED });
  const { used = 0, ...refused } = outcomes;
  // Mutations that all files survived, or none, would tell nothing.
  expect(used).toBeGreaterThan(RUNS / 100);
  expect(Object.values(refused).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(RUNS / 100);
});
