/**
 * Checks the types of the packed tarball: by publint, by Are the types wrong?, and by compiling a user's lines under
 * each way to resolve modules, by the newest TypeScript and by the oldest that works.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../with-package.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const bin = join(installPackage('scripts/types'), 'node_modules/.bin');
const folder = mkdtempSync(join(tmpdir(), 'layertap-types-'));
let failed = false;

/** @param {string} name @param {string} command @param {readonly string[]} args */
function check(name, command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  console.log(`${status === 0 ? 'ok      ' : 'FAILED  '} ${name}`);
  if (status !== 0) console.log(stdout + stderr);
  failed ||= status !== 0;
}

try {
  spawnSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [tarball] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const untyped = Object.keys(entries).filter((entry) => typeof entries[entry] === 'string');

  check('publint', join(bin, 'publint'), ['run', tarball, '--strict']);
  // CommonJS loads the ES modules by Node's require(esm), which the profile's name leaves out.
  const excluded = untyped.map((entry) => entry.replace('./', ''));
  check('attw', join(bin, 'attw'), [tarball, '--profile', 'esm-only', '--exclude-entrypoints', ...excluded]);

  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: { layertap: `file:${tarball}` } }),
  );
  check('npm install', 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--offline']);
  for (const file of ['use.ts', 'use.cts']) cpSync(join(here, 'use', file), join(folder, file));
  const typed = Object.keys(entries).filter((entry) => !untyped.includes(entry) && entry !== '.');
  writeFileSync(
    join(folder, 'entries.ts'),
    ['export {};\n', ...typed.map((entry, i) => `export * as entry${i} from 'layertap/${entry.slice(2)}';\n`)].join(''),
  );
  const strict = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    '--target',
    'es2022',
  ];
  const compile = (name, files, options, versions = ['typescript-oldest', 'typescript']) => {
    for (const version of versions) {
      const folder = join(bin, '..', version);
      const { version: number } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const args = [join(folder, 'bin/tsc'), ...files, ...strict, ...options];
      check(`TypeScript ${number}, ${name}`, process.execPath, args);
    }
  };
  const dom = ['--lib', 'es2022,dom'];
  compile('node16', ['use.ts', 'entries.ts'], ['--module', 'node16', ...dom]);
  compile('nodenext', ['use.ts', 'entries.ts'], ['--module', 'nodenext', ...dom]);
  // TypeScript knows Node's require(esm) since 5.8.
  compile('nodenext, by require', ['use.cts'], ['--module', 'nodenext', ...dom], ['typescript']);
  compile('bundler', ['use.ts', 'entries.ts'], ['--module', 'esnext', '--moduleResolution', 'bundler', ...dom]);
  const edge = ['--module', 'esnext', '--moduleResolution', 'bundler', '--customConditions', 'workerd', ...dom];
  compile('bundler, for workerd', ['use.ts'], edge);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
