/** Another build of layertap to measure against: a folder that has one, or a commit, which is built once. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The URL of a build's main entry.
 *
 * @param {string} what a folder with dist/index.js, or anything that git takes for a commit
 * @returns {string}
 * @throws {RangeError} where it is neither, or can't be built
 */
export function builtFrom(what) {
  const entry = (/** @type {string} */ folder) => join(folder, 'dist/index.js');
  if (existsSync(entry(what))) return pathToFileURL(resolve(entry(what))).href;
  const { status, stdout } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${what}^{commit}`], { cwd: root });
  if (status !== 0) throw new RangeError(`bench: expected a folder with dist/index.js or a commit, got "${what}"`);
  const commit = stdout.toString().trim();
  const folder = join(root, 'out/against', commit);
  if (!existsSync(entry(folder))) build(commit, folder);
  return pathToFileURL(entry(folder)).href;
}

/** Builds a commit with the packages of its own lock file. @param {string} commit @param {string} folder gets it */
function build(commit, folder) {
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const archive = `${unfinished}.tar`;
  const commands = [
    ['git', ['archive', '--output', archive, commit], root],
    ['tar', ['-xf', archive], unfinished],
    ['npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], unfinished],
    [process.execPath, ['scripts/build.mjs'], unfinished],
  ];
  for (const [command, args, cwd] of /** @type {[string, string[], string][]} */ (commands)) {
    const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
    if (status !== 0)
      throw new RangeError(`bench: expected ${commit} to build, got a failure of ${command} ${args[0]}`);
  }
  rmSync(archive);
  renameSync(unfinished, folder);
}
