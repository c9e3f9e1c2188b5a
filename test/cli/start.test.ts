/** What a command loads: help and errors of the command line need neither the core nor what decodes photos. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'layertap-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The command line with these packages alone. */
function installed(name: string, packages: readonly string[]) {
  const own = join(folder, name);
  for (const part of ['bin', 'src', 'package.json'])
    cpSync(join(root, 'cli', part), join(own, part), { recursive: true });
  mkdirSync(join(own, 'node_modules/@bomb.sh'), { recursive: true });
  for (const one of packages) symlinkSync(join(root, 'node_modules', one), join(own, 'node_modules', one));
  return (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(own, 'bin/layertap.js'), ...args], {
      encoding: 'utf8',
      cwd: own,
    });
    return { status, stdout, stderr };
  };
}

const missing = (name: string) => ({
  status: 1,
  stdout: '',
  stderr:
    `layertap: expected the core built and its packages installed, got no ${name}; ` +
    'run `npm ci` in the repository\n',
});

describe('a command', () => {
  it('loads nothing but the command line for help and for errors in it', () => {
    const run = installed('bare', ['commander', '@bomb.sh/tab']);
    expect(run('embed', '--help')).toMatchObject({ status: 0, stderr: '' });
    expect(run('embed').stderr).toMatch(/^layertap: pictures and required options '--weights <weights>', /);
    expect(run('embd')).toMatchObject({ status: 2, stdout: '' });
    expect(run('models')).toEqual(missing('layertap'));
  });

  it('says in a line which package is missing', () => {
    expect(installed('empty', [])('--help')).toEqual(missing('@bomb.sh/tab'));
  });

  it('loads what decodes photos where there are some', () => {
    const run = installed('core', ['commander', '@bomb.sh/tab', 'fflate', 'layertap', 'tinyglobby']);
    expect(run('inspect', '--model', 'resnet18', '--layers', 'layer1')).toMatchObject({ status: 0, stderr: '' });
    for (const name of ['w.pth', 'p.png']) writeFileSync(join(folder, 'core', name), name);
    expect(run('classify', '--model', 'resnet18', '--weights', 'w.pth', 'p.png')).toEqual(missing('sharp'));
  });
});
