/**
 * Runs a command of a package that isn't part of the root's `npm ci`, installing that package first where needed:
 *
 *     node scripts/with-package.mjs scripts/lint biome check .
 *
 * The command runs in the current folder and its exit code is passed on. `installPackage` does the first half alone.
 * Not by npm's workspaces: `npm ci` in the root would install all of them.
 */

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @param {string} file */
const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Brings a folder's node_modules to what its lock file says; does nothing where it is newer than the lock file.
 *
 * @param {string} folder relative to the repository's root
 * @returns {string} the folder's absolute path
 * @throws {Error} where `npm ci` fails
 */
export function installPackage(folder) {
  const cwd = resolve(root, folder);
  const lock = modified(join(cwd, 'package-lock.json'));
  if (lock === 0) throw new Error(`with-package: expected a package with a lock file, got ${folder}`);
  // npm writes this file last, so an installation that was cut short counts as none.
  if (modified(join(cwd, 'node_modules/.package-lock.json')) >= lock) return cwd;
  process.stderr.write(`Installing ${folder} …\n`);
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawnSync('npm', ['ci', ...options], {
    cwd,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) throw new Error(`with-package: npm ci failed in ${folder}`);
  return cwd;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, command, ...args] = process.argv.slice(2);
  if (!folder || !command) {
    process.stderr.write('usage: node scripts/with-package.mjs FOLDER COMMAND [ARGUMENT …]\n');
    process.exit(2);
  }
  const bin = join(installPackage(folder), 'node_modules/.bin', command);
  const { status, error } = spawnSync(bin, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (error) process.stderr.write(`with-package: ${error.message}\n`);
  process.exit(status ?? 1);
}
