/**
 * Examples as a reader has them: copied out of the repository, with the packed tarballs installed. As a program, it
 * runs a script of an example's package: `node scripts/examples.mjs cloudflare-worker serve`.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Other runtimes that the tests of the packed package have, where they are installed. */
const RUNTIMES = ['@deno/linux-x64-glibc', '@oven/bun-linux-x64/bin'].map((path) =>
  join(root, 'test/bundle/node_modules', path),
);

/** All examples' names. */
export const EXAMPLES = readdirSync(join(root, 'examples'));

/**
 * Calls `use` with a function that copies an example out of the repository, installs it as its README says, and returns
 * the copy's folder. All copies are removed in the end.
 *
 * @template T
 * @param {(copy: (name: string) => string) => T} use
 * @returns {T}
 */
export function withCopies(use) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-examples-'));
  try {
    const packed = join(folder, 'packed');
    mkdirSync(packed);
    // The root's build has been made; packing the workspace needs none.
    npm(
      root,
      'pack',
      '--ignore-scripts',
      '--silent',
      '--pack-destination',
      packed,
      '--workspaces',
      '--include-workspace-root',
    );
    const tarballs = new Map(readdirSync(packed).map((file) => [file.replace(/-\d.*/, ''), join(packed, file)]));
    return use((name) => {
      const from = join(root, 'examples', name);
      const copy = join(folder, name);
      cpSync(from, copy, {
        recursive: true,
        filter: (path) => !['node_modules', 'out', '.next'].includes(basename(path)),
      });
      const { dependencies } = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8'));
      const own = Object.keys(dependencies).flatMap((dependency) => tarballs.get(dependency) ?? []);
      npm(copy, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...own);
      return copy;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
  const { status } = spawnSync('npm', args, { cwd, stdio: ['ignore', 2, 2], shell: isWindows });
  if (status !== 0) throw new Error(`examples: expected npm ${args[0]} to work in ${cwd}, got exit code ${status}`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [name, script] = process.argv.slice(2);
  // Ctrl-C ends the script; the copies are removed then.
  process.on('SIGINT', () => {});
  process.exitCode = withCopies((copy) => runScript(copy(name), script));
}
