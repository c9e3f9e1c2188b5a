/**
 * Writes a command's files all or none: first to temporary files beside their places, then renamed. Nothing is left behind
 * by a failure or a signal.
 */

import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CommandError, reasonOf, UsageError } from './failures.js';

/**
 * @typedef {object} OutputFile
 * @property {string} option what named it, e.g. `--output`
 * @property {string} path
 * @property {Uint8Array} bytes
 */

/** Signals that wait until files are whole. */
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Fails, before anything long is computed, where a file couldn't be written.
 *
 * @param {string} option
 * @param {string} path
 * @throws {CommandError}
 */
export function checkFile(option, path) {
  attempt(option, path, () => placeOf(path));
}

/**
 * Fails, before anything long is computed, where a folder couldn't be made or isn't one.
 *
 * @param {string} option
 * @param {string} path
 * @throws {CommandError}
 */
export function checkFolder(option, path) {
  attempt(
    option,
    path,
    () => {
      for (let at = resolve(path); ; at = dirname(at)) {
        const stat = statSync(at, { throwIfNoEntry: false });
        if (stat && !stat.isDirectory()) throw new Error('it is not a folder');
        if (stat) return accessSync(at, constants.W_OK);
      }
    },
    'folder',
  );
}

/**
 * Fails where two options name one file: an output would replace an input, or another output.
 *
 * @param {Readonly<Record<string, string | undefined>>} paths by the options that named them
 * @throws {UsageError}
 */
export function checkDistinct(paths) {
  /** @type {Map<string, string>} */
  const seen = new Map();
  for (const [option, path] of Object.entries(paths)) {
    if (path === undefined) continue;
    const real = realPath(path) ?? resolve(path);
    const other = seen.get(real);
    if (other) throw new UsageError(`expected different files as ${other} and ${option}, got ${path} twice`);
    seen.set(real, option);
  }
}

/**
 * Writes the files, all or none, replacing those that are there. What isn't a file, such as /dev/null, is written to directly.
 *
 * @param {readonly OutputFile[]} files
 * @param {{ option: string, path: string } | null} [folder] made where it is missing
 * @throws {CommandError} naming the file that can't be written, after all others were taken back
 */
export async function writeFiles(files, folder = null) {
  /** @type {NodeJS.Signals | null} */
  let received = null;
  const receive = (/** @type {NodeJS.Signals} */ signal) => {
    received = signal;
  };
  for (const signal of SIGNALS) process.on(signal, receive);
  try {
    replaceAll(files, folder);
  } finally {
    // Signals are delivered between turns of the event loop.
    await setImmediate();
    for (const signal of SIGNALS) process.off(signal, receive);
    if (received) process.kill(process.pid, received);
  }
}

/**
 * @param {readonly OutputFile[]} files
 * @param {{ option: string, path: string } | null} folder
 */
function replaceAll(files, folder) {
  /** @type {(() => void)[]} */
  const undo = [];
  /** @type {(() => void)[]} */
  const renames = [];
  try {
    if (folder) {
      const made = attempt(folder.option, folder.path, () => mkdirSync(folder.path, { recursive: true }), 'folder');
      if (made) undo.push(() => removeFolders(resolve(folder.path), made));
    }
    for (const { option, path, bytes } of files) {
      attempt(option, path, () => {
        const { target, mode, isNew, isDevice } = placeOf(path);
        if (isDevice) {
          renames.push(() => attempt(option, path, () => writeFileSync(target, bytes)));
          return;
        }
        const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
        undo.push(() => rmSync(temporary, { force: true }));
        writeFileSync(temporary, bytes, { flag: 'wx', mode });
        renames.push(() => {
          attempt(option, path, () => renameSync(temporary, target));
          if (isNew) undo.push(() => rmSync(target, { force: true }));
        });
      });
    }
    for (const rename of renames) rename();
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/**
 * Where a file goes, links followed; throws where it can't.
 *
 * @param {string} path
 */
function placeOf(path) {
  const target = realPath(path) ?? resolve(path);
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat?.isDirectory() || /[\\/]$/.test(path)) throw new Error('it is a folder');
  const isDevice = stat !== undefined && !stat.isFile();
  if (stat) accessSync(target, constants.W_OK);
  if (!isDevice) {
    if (!statSync(dirname(target)).isDirectory()) throw new Error('not a directory');
    accessSync(dirname(target), constants.W_OK);
  }
  return { target, mode: stat?.mode ?? 0o666, isNew: stat === undefined, isDevice };
}

/**
 * The path with its links followed, or null where there is nothing.
 *
 * @param {string} path
 */
function realPath(path) {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/**
 * Removes a folder and its parents up to the first one that was made.
 *
 * @param {string} path
 * @param {string} first
 */
function removeFolders(path, first) {
  for (let at = path; ; at = dirname(at)) {
    rmdirSync(at);
    if (at === resolve(first) || at === dirname(at)) return;
  }
}

/**
 * @template T
 * @param {string} option
 * @param {string} path
 * @param {() => T} write
 * @param {'file' | 'folder'} [kind]
 * @returns {T}
 */
function attempt(option, path, write, kind = 'file') {
  try {
    return write();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${option} ${path}: expected a writable ${kind}, got "${reasonOf(error)}"`);
  }
}
