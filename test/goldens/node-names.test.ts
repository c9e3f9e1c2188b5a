/**
 * Every builder in src/models has torchvision's node names, in its order, but for those in docs/features.md's table.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { getGraphNodeNames } from '../../src/features/feature-extractor.ts';
import { builders, buildModel } from '../support/model-cases.ts';

interface NodeNamesGolden {
  readonly model: string;
  readonly count: number;
  readonly sha256: string;
  readonly names?: readonly string[];
}

const goldens = JSON.parse(
  readFileSync(new URL('node-names.json', import.meta.url), 'utf8'),
) as readonly NodeNamesGolden[];

it('has a golden for every builder', () => {
  expect(new Set(goldens.map(({ model }) => model))).toEqual(new Set(builders.keys()));
});

it.each(goldens)("$model has torchvision's nodes, in its order", ({ model, count, sha256, names: expected }) => {
  const names = getGraphNodeNames(buildModel({ model, options: {} }));
  if (expected) expect(names).toEqual(expected);
  expect(names.length).toBe(count);
  expect(createHash('sha256').update(names.join('\n')).digest('hex')).toBe(sha256);
});
