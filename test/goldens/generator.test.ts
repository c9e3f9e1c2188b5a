/** The generator gives the same bits here and in Python: everything in test/goldens/ rests on that. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedParameter, generatedTensor } from '../support/generator.ts';

interface Pinned {
  readonly key: string;
  readonly shape: readonly number[];
  readonly first: readonly number[];
  readonly sha256: string;
}

const pinned = JSON.parse(readFileSync(new URL('generator.json', import.meta.url), 'utf8')) as Pinned[];

describe('the generator', () => {
  it.each(pinned)('gives the bits that Python gives for $key $shape', ({ key, shape, first, sha256 }) => {
    const { data } = key === 'input' ? generatedTensor(key, shape) : generatedParameter(key, shape);
    expect([...data.subarray(0, first.length)]).toEqual(first);
    expect(createHash('sha256').update(data).digest('hex')).toBe(sha256);
  });

  it('has no rule for a key that it does not know', () => {
    expect(() => generatedParameter('layer.scale', [3])).toThrow('no rule for "layer.scale"');
  });
});
