/** Weights that change while they are read are an error, never a mixture of two files. */

import { spawnSync } from 'node:child_process';
import { renameSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { withTensorFile } from '../../cli/src/tensor-file.js';
import { tensor } from '../../src/tensor/tensor.ts';
import { Folder } from './command.ts';

/** More than is read with the header. */
const COUNT = 2 ** 16;

const folder = new Folder();
const path = join(folder.path, 'w');
const write = (name: string, value: number) =>
  folder.writeTensors(name, [
    ['a', tensor(new Float32Array(COUNT).fill(value), [COUNT])],
    ['b', tensor(new Float32Array(COUNT).fill(value), [COUNT])],
  ]);
const CHANGED =
  /^--weights \S+: openSafetensors: expected a file of \d+ bytes changed at \S+, got \d+ bytes changed at/;

beforeEach(() => {
  write('w', 1);
  // File systems tell time in ticks: a change within one tick after the file was made couldn't be told.
  utimesSync(path, 1, 1);
});

/** Opens the file, reads one tensor, lets `change` happen, and reads the other. */
function valuesAcross(change: () => void) {
  return withTensorFile('--weights', path, async (file) => {
    const last = async (name: string) => (await file.load([name])).get(name)!.data[COUNT - 1];
    const first = await last('a');
    change();
    return [first, await last('b')];
  });
}

it('a file that stays gives its values', async () => {
  expect(await valuesAcross(() => {})).toEqual([1, 1]);
});

it('a file that is written again, of the same size, is an error', async () => {
  await expect(valuesAcross(() => write('w', 2))).rejects.toThrow(CHANGED);
});

it('a file that grows is an error', async () => {
  await expect(valuesAcross(() => truncateSync(path, 10 ** 6))).rejects.toThrow(CHANGED);
});

it('a file that is cut is an error', async () => {
  await expect(valuesAcross(() => truncateSync(path, 20))).rejects.toThrow(CHANGED);
});

it('a file that is replaced by another gives the values of the one that was opened', async () => {
  write('other', 2);
  expect(await valuesAcross(() => renameSync(join(folder.path, 'other'), path))).toEqual([1, 1]);
});

it('a pipe gives its values, once from front to back', () => {
  const module = new URL('../../cli/src/tensor-file.js', import.meta.url);
  const script = `
    import { withTensorFile } from ${JSON.stringify(module)};
    const tensors = await withTensorFile('--weights', '/dev/stdin', (file) => file.load());
    console.log(tensors.get('b').data.at(-1));`;
  const command = 'cat "$1" | "$2" --input-type=module -e "$3"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, 'sh', path, process.execPath, script], {
    encoding: 'utf8',
  });
  expect({ stdout, stderr }).toEqual({ stdout: '1\n', stderr: '' });
});
