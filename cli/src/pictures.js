/** Which pictures a command line names: files, folders, globs, and `-` for what comes in by stdin. */

import { accessSync, constants, readdir, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { CommandError, reasonOf, UsageError } from './failures.js';

/** Ends of the names of files in a folder that are taken for pictures. */
const EXTENSIONS = ['jpg', 'jpeg', 'png', 'webp', 'gif'];

/** What stands for stdin, and for stdout. */
export const STANDARD = '-';

/** How a folder is walked, and a glob with `**`: links to files are files, and links to folders may lead in circles. */
const LINKED_FILES = walking(false);

/** How a glob without `**` is walked, which is as deep as it is written: links to folders are folders. */
const LINKED_FOLDERS = walking(true);

/**
 * The options of a walk. tinyglobby itself follows all links or leaves out all.
 *
 * @param {boolean} entersLinks whether links to folders are followed
 */
function walking(entersLinks) {
  /** @param {string} folder @param {import('node:fs').Dirent} entry */
  const seen = (folder, entry) => {
    if (!entry.isSymbolicLink()) return entry;
    const isFolder = statOf(join(folder, entry.name))?.isDirectory() ?? false;
    const { name } = entry;
    // A link that leads nowhere fails as a picture, with a message.
    return {
      name,
      isFile: () => !isFolder,
      isDirectory: () => isFolder && entersLinks,
      isSymbolicLink: () => isFolder,
    };
  };
  const fs = {
    /** @type {any} */
    readdir: (/** @type {string} */ folder, /** @type {{ withFileTypes: true }} */ options, /** @type {any} */ done) =>
      readdir(folder, options, (error, entries = []) =>
        done(
          error,
          entries.map((entry) => seen(folder, entry)),
        ),
      ),
  };
  return { followSymbolicLinks: false, fs };
}

/**
 * The pictures' paths, each once, in the order in which they are named; those of a folder or a glob by name. A file
 * that isn't there is among them: it fails by itself, and the others go on.
 *
 * @param {readonly string[]} named
 * @param {readonly string[]} [outputs] folders that outputs go to: pictures there, below a folder that is named or what
 *   a glob begins with, are of an earlier run
 * @returns {Promise<string[]>}
 * @throws {CommandError} for a folder or a glob without pictures
 */
export async function picturesOf(named, outputs = []) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const name of named) {
    for (const path of await filesOf(name, outputs)) {
      const full = fullPath(path);
      if (!found.has(full)) found.set(full, path);
    }
  }
  return [...found.values()];
}

/**
 * The absolute path of a picture, which tells it from others however its path is written. stdin has none.
 *
 * @param {string} path
 * @param {string} [folder] that the path starts from; the current one unless given
 */
export function fullPath(path, folder = '') {
  return path === STANDARD ? path : resolve(folder, path);
}

/** @param {string} name @param {readonly string[]} outputs */
async function filesOf(name, outputs) {
  if (name === STANDARD) return [name];
  const stat = statOf(name);
  if (stat?.isDirectory()) {
    checkFolder(name);
    const options = { cwd: name, caseSensitiveMatch: false, ...LINKED_FILES };
    const found = await glob(`**/*.{${EXTENSIONS.join(',')}}`, options);
    const below = found.sort().map((file) => join(name, file));
    const files = withoutOutputs(below, name, outputs);
    if (files.length > 0) return files;
    throw new CommandError(`${name}: expected a folder with pictures (${EXTENSIONS.join(', ')}), got none`);
  }
  // A file's own name may look like a glob.
  if (stat || !isDynamicPattern(name)) return [name];
  const followed = name.includes('**') ? LINKED_FILES : LINKED_FOLDERS;
  const pattern = name.replaceAll('\\', '/');
  const found = await glob(pattern, { ...followed, expandDirectories: false });
  const files = withoutOutputs(found.sort(), beginOf(pattern), outputs);
  if (files.length > 0) return files;
  throw new CommandError(`${name}: expected a glob that fits some files, got none`);
}

/** The folder that a glob begins with. @param {string} pattern */
function beginOf(pattern) {
  const parts = pattern.split('/');
  const count = parts.findIndex((part) => isDynamicPattern(part));
  return parts.slice(0, count).join('/') || (pattern.startsWith('/') ? '/' : '.');
}

/**
 * The files but those of an earlier run.
 *
 * @param {readonly string[]} files
 * @param {string} folder where they were looked for
 * @param {readonly string[]} outputs
 */
function withoutOutputs(files, folder, outputs) {
  const isBelow = (/** @type {string} */ path, /** @type {string} */ of) => {
    const way = relative(of, resolve(path));
    return way !== '' && !isAbsolute(way) && way.split(/[\\/]/)[0] !== '..';
  };
  const own = outputs.map((output) => resolve(output)).filter((output) => isBelow(output, resolve(folder)));
  return files.filter((file) => !own.some((output) => isBelow(file, output)));
}

/**
 * What is there, or undefined: what can't be looked at fails by itself once it is read.
 *
 * @param {string} name
 */
function statOf(name) {
  try {
    return statSync(name);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @throws {CommandError} where it can't be looked into, which a glob takes for empty
 */
function checkFolder(name) {
  try {
    accessSync(name, constants.R_OK | constants.X_OK);
  } catch (error) {
    throw new CommandError(`${name}: expected a readable folder, got "${reasonOf(error)}"`);
  }
}

/**
 * Whether what a command line names is one picture by its nature: neither a folder nor a glob.
 *
 * @param {string} named
 */
export function isOnePicture(named) {
  const stat = statOf(named);
  return stat ? !stat.isDirectory() : named === STANDARD || !isDynamicPattern(named);
}

/**
 * A name for each picture's files in a folder: its path below the folder that all have in common.
 *
 * @param {readonly string[]} pictures
 * @returns {Map<string, string>} names by pictures
 * @throws {UsageError} for stdin, which has none
 */
export function namesBelow(pictures) {
  if (pictures.includes(STANDARD)) throw new UsageError('expected --output with -, got --output-dir');
  const parts = pictures.map((path) => resolve(path).split(/[\\/]/));
  const [first] = parts;
  let common = 0;
  while (parts.every((part) => common < part.length - 1 && part[common] === first[common])) common++;
  const base = first.slice(0, common).join('/') || '/';
  return new Map(pictures.map((path) => [path, relative(base, resolve(path)).replaceAll('\\', '/')]));
}
