/**
 * Examples as a reader has them: copied out of the repository, with the packed tarballs installed. As a program, it
 * runs a script of an example's package: `node scripts/examples.mjs cloudflare-worker serve`.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from './with-package.mjs';

/** The repository's root. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Other runtimes that the tests of the packed package have, where they are installed. */
const RUNTIMES = ['@deno/linux-x64-glibc', '@oven/bun-linux-x64/bin'].map((path) =>
  join(root, 'test/bundle/node_modules', path),
);

/** All examples' names. */
export const EXAMPLES = readdirSync(join(root, 'examples'));

/** Versions of npm that examples can be installed with, besides the one on PATH: packages of scripts/npm. */
export const NPMS = ['npm10', 'npm11'];

/**
 * Calls `use` with a function that copies an example out of the repository, installs it as its README says, and returns
 * the copy's folder. The packed tarballs lie beside the copies. All is removed in the end.
 *
 * @template T
 * @param {(copy: (name: string, npm?: string) => string) => T} use `npm` is one of NPMS
 * @returns {T}
 */
export function withCopies(use) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-examples-'));
  try {
    // The root's build has been made; packing the command line needs none.
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
    npm(root, ...pack, '.', './cli');
    return use((name, version) => {
      const from = join(root, 'examples', name);
      const copy = join(folder, name);
      rmSync(copy, { recursive: true, force: true });
      cpSync(from, copy, {
        recursive: true,
        filter: (path) => !['node_modules', 'out', '.next'].includes(basename(path)),
      });
      const args = [...installOf(copy), '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      if (version) run(process.execPath, [npmOf(version), ...args], copy);
      else npm(copy, ...args);
      return copy;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The arguments of the README's `npm install`. @param {string} folder */
function installOf(folder) {
  const [, args] = /^ {4}npm (install [^#\n]+)/m.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
  if (!args) throw new Error(`examples: expected a line "    npm install …" in ${folder}/README.md, got none`);
  return args.trim().split(/ +/);
}

/** The program of another version of npm. @param {string} version */
function npmOf(version) {
  return join(installPackage('scripts/npm'), 'node_modules', version, 'bin/npm-cli.js');
}

/**
 * Runs a script of a package; its exit code.
 *
 * @param {string} folder
 * @param {string} script
 * @returns {number} 1 where a signal has ended it
 */
export function runScript(folder, script) {
  const env = { ...process.env, PATH: [...RUNTIMES, process.env.PATH].join(delimiter) };
  return (
    spawnSync('npm', ['run', '--silent', script], { cwd: folder, env, stdio: 'inherit', shell: isWindows }).status ?? 1
  );
}

const isWindows = process.platform === 'win32';

function npm(cwd, ...args) {
  run('npm', args, cwd);
}

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2], shell: isWindows && command === 'npm' });
  if (status !== 0)
    throw new Error(`examples: expected npm ${args.join(' ')} to work in ${cwd}, got exit code ${status}`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [name, script] = process.argv.slice(2);
  // Ctrl-C ends the script; the copies are removed then.
  process.on('SIGINT', () => {});
  process.exitCode = withCopies((copy) => runScript(copy(name), script));
}
