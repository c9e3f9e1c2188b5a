/**
 * What a message says of a value that came: in a few words, whatever the value is, and never by an error of its own.
 */

import { describe, expect, it } from 'vitest';
import * as errors from '../src/errors.ts';
import * as index from '../src/index.ts';
import { zeros } from '../src/tensor/tensor.ts';
import { thrown } from './support/thrown.ts';

it('a broken invariant says that it is a bug, and is no LayertapError', () => {
  errors.assert(true, 'sizes agree');
  expect(thrown(() => errors.assert(false, 'sizes agree'))).toBe('Error: layertap bug: sizes agree; please report it');
  expect(() => errors.assert(false, '')).not.toThrow(errors.LayertapError);
});

it('every class has a code of its own, its own name, and is a LayertapError', () => {
  const classes = Object.values(errors).filter((value) => /^class /.test(String(value))) as unknown as (new (
    ...args: string[]
  ) => errors.LayertapError)[];
  const made = classes.filter((value) => value !== errors.LayertapError).map((value) => new value('what'));
  for (const error of made) {
    expect(error).toBeInstanceOf(errors.LayertapError);
    expect(String(error)).toBe(`${error.constructor.name}: what`);
    expect(error.code).toMatch(/^ERR_[A-Z_]+$/);
  }
  expect(new Set(made.map(({ code }) => code)).size).toBe(made.length);
});

it('every class is a public name', () => {
  const classes = Object.entries(errors).filter(([, value]) => /^class /.test(String(value)));
  expect(classes.length).toBeGreaterThan(10);
  for (const [name, value] of classes) expect((index as Record<string, unknown>)[name]).toBe(value);
});

describe('what came, in a message', () => {
  it('is short, however large it is', () => {
    expect(errors.describe('x'.repeat(1000))).toBe(`"${'x'.repeat(100)}…"`);
    expect(errors.describe(Array.from({ length: 301_111 }, (_, i) => i))).toBe(
      '[0, 1, 2, 3, 4, 5, 6, 7, … 301111 in all]',
    );
    expect(errors.describe([new Array(1000), new Float32Array(1000)])).toBe(
      '[an array of 1000, a Float32Array of 1000]',
    );
    const keys = Object.fromEntries(Array.from({ length: 122 }, (_, i) => [`key${i}`, i]));
    expect(errors.describe(keys)).toBe('{ key0, key1, key2, key3, key4, key5, key6, key7, … 122 in all }');
  });

  it('names types as a reader would', () => {
    expect(errors.describe({})).toBe('{}');
    expect(errors.describe([])).toBe('[]');
    expect(errors.describe(5n)).toBe('5');
    expect(errors.describe(Symbol('s'))).toBe('Symbol(s)');
    expect(errors.describe(() => {})).toBe('a function');
    expect(errors.describe(zeros)).toBe('a function zeros');
    expect(errors.describe(new Map())).toBe('a Map');
    expect(errors.describe(zeros([1, 2]))).toBe('a Tensor (float32, [1, 2])');
    expect(errors.describe(Promise.resolve())).toBe('a Promise that was not awaited');
    expect(errors.describe(Object.create(null))).toBe('{}');
  });

  it('is never an error of its own', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(errors.describe(proxy)).toBe('an object');
  });
});

it('listed names the first few, and counts the others', () => {
  expect(errors.listed([])).toBe('none');
  expect(errors.listed(['a', 1])).toBe('"a", 1');
  expect(errors.listed(Array.from({ length: 102 }, (_, i) => `k${i}`))).toBe(
    '"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7" and 94 more',
  );
});
