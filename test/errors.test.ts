import { expect, it } from 'vitest';
import * as errors from '../src/errors.ts';
import { thrown } from './nn/support.ts';

it('a broken invariant says that it is a bug, and is no LayertapError', () => {
  errors.assert(true, 'sizes agree');
  expect(thrown(() => errors.assert(false, 'sizes agree'))).toBe('Error: layertap bug: sizes agree; please report it');
  expect(() => errors.assert(false, '')).not.toThrow(errors.LayertapError);
});

it('every class has a code of its own, its own name, and is a LayertapError', () => {
  const classes = Object.values(errors).filter((value) => (value as object) !== errors.assert) as (new (
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
