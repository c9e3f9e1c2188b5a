/** `layertap convert`, and `.pth` files where weights are wanted. */

import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  loadSafetensors,
  loadWeights,
  numberToFloat16,
  readSafetensors,
  saveSafetensors,
  squeezenet1_1,
  Tensor,
} from '../../src/index.ts';
import { Folder, weightsOf } from './command.ts';

const folder = new Folder();
const GOLDENS = 'test/goldens/pth';
for (const name of ['state-dict.zip', 'checkpoint.legacy', 'module.zip']) {
  copyFileSync(`${GOLDENS}/${name}.pth`, join(folder.path, `${name}.pth`));
}
writeFileSync(join(folder.path, 'cut.index.json'), '{ "weight_map": { "w": "cut-1.safetensors" } }');

it('writes all tensors of a file as they are', async () => {
  const { status, stdout } = folder.run('convert', 'state-dict.zip.pth', 'all.safetensors');
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^wrote all\.safetensors: 19 tensors \(.*\)\n$/)]);
  const written = folder.read('all.safetensors');
  expect(loadSafetensors(written)).toEqual(
    new Map([...(await loadWeights(folder.read('state-dict.zip.pth')))].sort(byKey)),
  );
  expect([...readSafetensors(written).metadata]).toEqual([['format', 'pt']]);
});

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

it('casts numbers with a fraction, and no others', async () => {
  const args = ['convert', 'checkpoint.legacy.pth', 'half.safetensors', '--weights-key', 'ema', '--weights-prefix'];
  const { status, stderr } = folder.run(...args, 'module.', '--dtype', 'f16', '--json');
  expect([status, stderr]).toEqual([0, '']);
  const all = await loadWeights(folder.read('checkpoint.legacy.pth'), { key: 'model' });
  const halves = loadSafetensors(folder.read('half.safetensors'));
  expect(halves.get('f32')!.data).toEqual(Uint16Array.from(all.get('f32')!.float().data, numberToFloat16));
  expect(halves.get('int64')).toEqual(all.get('int64'));
});

it('writes no more of a child than a layer in it needs', () => {
  folder.writeTensors('squeezenet.safetensors', weightsOf(squeezenet1_1()));
  const layers = ['--model', 'squeezenet1_1', '--layers', 'features.1'];
  const { status, stderr } = folder.run('convert', 'squeezenet.safetensors', 'relu.safetensors', ...layers);
  expect([status, stderr]).toEqual([0, '']);
  const names = ['features.0.bias', 'features.0.weight'];
  expect([...loadSafetensors(folder.read('relu.safetensors')).keys()]).toEqual(names);
});

it('reads stdin and writes stdout', () => {
  folder.run('convert', 'state-dict.zip.pth', 'named.safetensors');
  expect(folder.runBytes('convert', 'state-dict.zip.pth', '-')).toEqual(folder.read('named.safetensors'));
  const { status, stdout } = folder.runWith(folder.read('state-dict.zip.pth'), 'convert', '-', 'in.safetensors');
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^wrote in\.safetensors: 19 tensors/)]);
  expect(folder.read('in.safetensors')).toEqual(folder.read('named.safetensors'));
  const both = folder.run('convert', 'state-dict.zip.pth', '-', '--json');
  expect([both.status, JSON.parse(both.stdout).error.message]).toEqual([
    2,
    'expected - as the output or --json, got both; see npx layertap-cli --help',
  ]);
});

// A value half-way between the largest one and the next power of two is rounded to infinity.
it.each([
  ['f16', 'float32', 65520],
  ['bf16', 'float32', 2 ** 128 * (1 - 2 ** -9)],
  ['f32', 'float64', 2 ** 128 * (1 - 2 ** -25)],
] as const)('refuses values that %s has no room for', (dtype, from, least) => {
  const write = (values: number[]) => {
    const data = from === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
    writeFileSync(join(folder.path, 'big.safetensors'), saveSafetensors([['w', new Tensor(data, [2], from)]]));
    return folder.run('convert', 'big.safetensors', 'cast.safetensors', '--dtype', dtype);
  };
  for (const value of [least, -least]) {
    const { status, stderr } = write([1, value]);
    const message = `expected values below ${least} for ${dtype}, got ${value} in "w"`;
    expect([status, stderr]).toEqual([1, `layertap: convert: ${message}\n`]);
  }
  expect(write([Number.POSITIVE_INFINITY, least * (1 - 2 ** -23)]).status).toBe(0);
  const { data, shape } = folder.readTensors('cast.safetensors').get('w')!.float();
  expect([shape, data[0], Number.isFinite(data[1])]).toEqual([[2], Number.POSITIVE_INFINITY, true]);
});

it.each([
  [
    ['checkpoint.legacy.pth'],
    'got a checkpoint with state dicts under "model", "ema"; pass --weights-key "model", or --weights-key "" for the ' +
      'tensors beside them',
  ],
  [['module.zip.pth'], 'got a whole "torch.nn.modules.container.Sequential"'],
  [
    ['state-dict.zip.pth', '--model', 'resnet18', '--layers', 'layer1'],
    'expected the tensors that the layers need, got none named "conv1.weight", but "f32", …',
  ],
  [['missing.pth'], 'missing.pth: expected a readable file, got "no such file or directory"'],
  [
    ['cut.index.json'],
    'cut.index.json: expected a readable file cut-1.safetensors beside it, got "no such file or directory"',
  ],
])('%j ends in an error that says the way out', (args, message) => {
  const [input, ...rest] = args as [string, ...string[]];
  const { status, stderr } = folder.run('convert', input, 'out.safetensors', ...rest);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(folder.list()).not.toContain('out.safetensors');
});
