/** Weights that change while they are read are an error, never a mixture of two files. */

import { renameSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { TensorFile } from '../../cli/src/tensor-file.js';
import { tensor } from '../../src/tensor/tensor.ts';
import { Folder } from './command.ts';

const folder = new Folder();
const path = join(folder.path, 'w');
const write = (name: string, value: number) =>
  folder.writeTensors(name, [
    ['a', tensor([value], [1])],
    ['b', tensor([value], [1])],
  ]);
const CHANGED = `--weights ${path}: expected a file that stays as it is while it is read, got one that changed`;

beforeEach(() => {
  write('w', 1);
  // File systems tell time in ticks: a change within one tick after the file was made couldn't be told.
  utimesSync(path, 1, 1);
});

/** Opens the file, reads one tensor, lets `change` happen, and reads the other. */
function valuesAcross(change: () => void) {
  const file = new TensorFile('--weights', path);
  try {
    const first = file.get('a').data[0];
    change();
    const values = [first, file.get('b').data[0]];
    file.checkUnchanged();
    return values;
  } finally {
    file.close();
  }
}

it('a file that stays gives its values', () => {
  expect(valuesAcross(() => {})).toEqual([1, 1]);
});

it('a file that is written again, of the same size, is an error', () => {
  expect(() => valuesAcross(() => write('w', 2))).toThrow(CHANGED);
});

it('a file that grows is an error', () => {
  expect(() => valuesAcross(() => truncateSync(path, 10_000))).toThrow(CHANGED);
});

it('a file that is cut is an error', () => {
  expect(() => valuesAcross(() => truncateSync(path, 20))).toThrow(
    /^--weights .*: expected a readable file, got "its end/,
  );
});

it('a file that is replaced by another gives the values of the one that was opened', () => {
  write('other', 2);
  expect(valuesAcross(() => renameSync(join(folder.path, 'other'), path))).toEqual([1, 1]);
});
