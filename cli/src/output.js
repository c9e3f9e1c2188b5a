/**
 * Writes a command's files all or none: first to temporary files beside their places, then renamed. A failure or a
 * signal leaves what was there. Only a process that is killed outright (SIGKILL, a power cut) leaves temporary files;
 * a later run that writes to the same folder removes them. Not by write-file-atomic: it renames each file as soon as it
 * is written, and a disk that fills up lets it rename a file of which a part was written.
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  appendFileSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CommandError, RunError, reasonOf, UsageError } from './failures.js';
import { STANDARD } from './pictures.js';

/**
 * A file or a folder, and the option that named it, e.g. `--output`.
 *
 * @typedef {{ readonly option: string, readonly path: string }} Named
 */

/** @typedef {Named & { readonly bytes: Uint8Array }} OutputFile */

/** Signals that wait until files are whole. */
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/** Temporary files say which process on which machine made them, so that a later run can tell whose are left over. */
const TEMPORARY = /^\.layertap-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** Another machine's processes can't be asked for. A file is written in seconds, so one of a day ago is left over. */
const LEFT_OVER_MS = 24 * 60 * 60 * 1000;

/**
 * Fails the name of a file whose end stands for what isn't written. A name without an end stands for nothing.
 *
 * @param {Named} file
 * @param {readonly string[]} known `-` among them, where that is stdout
 * @param {string} [wayOut]
 * @throws {UsageError}
 */
export function checkEnd({ option, path }, known, wayOut = '') {
  const end = extname(path);
  if (end === '' || known.includes(end.toLowerCase())) return;
  const all = known.join(', ').replace(/, (?=[^,]*$)/, ' or ');
  throw new UsageError(`expected ${option} as ${all}, got ${path}${wayOut}`);
}

/**
 * What a command reads: files by the options that named them, and pictures. `-` is stdin.
 *
 * @typedef {object} Inputs
 * @property {Readonly<Record<string, string | undefined>>} inputs
 * @property {readonly string[]} [pictures]
 */

/**
 * Fails, before anything long is computed, where an output would replace an input or another output, or couldn't be
 * written.
 *
 * @param {Inputs & { files: readonly Named[], folder?: Named | null }} places of the files all that will be written,
 *   where `-` is stdout; the folder holds some of them, and is made where it is missing
 * @throws {UsageError} where two are one
 * @throws {CommandError} where one can't be written
 */
export function checkOutputs({ files: all, folder = null, ...inputs }) {
  const seen = identitiesOf(inputs);
  const files = all.filter(({ path }) => path !== STANDARD);
  for (const file of files) {
    const identity = identityOf(file.path);
    if (identity === null) continue;
    const other = seen.get(identity);
    if (other) throw onePlace(other, file);
    seen.set(identity, file);
  }
  const newFolder = folder && !statOf(folder.path) ? resolve(folder.path) : null;
  if (folder) {
    // No file can lie where the folder or one of its parents is to be made.
    for (let at = resolve(folder.path); !statOf(at) && at !== dirname(at); at = dirname(at)) {
      const other = seen.get(identityOf(at) ?? '');
      if (other) throw onePlace(other, folder);
    }
    checkFolder(folder);
  }
  for (const file of files) {
    if (dirname(resolve(file.path)) !== newFolder) attempt(file, () => placeOf(file.path));
  }
}

/**
 * Adds text to the file that `--output` named.
 *
 * @param {string} path
 * @param {string} text
 * @throws {CommandError}
 */
export function appendTo(path, text) {
  attempt({ option: '--output', path }, () => appendFileSync(path, text));
}

/**
 * Makes the folders that files go to.
 *
 * @param {readonly Named[]} files
 * @throws {CommandError}
 */
export function makeFolders(files) {
  const folders = new Map(files.map(({ option, path }) => [dirname(path), option]));
  for (const [path, option] of folders) attempt({ option, path }, () => makeFolder(path), 'folder');
}

/**
 * Makes a folder, and those above it. Not by Node's recursive mkdir: where a folder is there and takes none, as /proc,
 * it tries for ever.
 *
 * @param {string} path
 * @returns {string | undefined} the first one that was made
 */
function makeFolder(path) {
  const folder = resolve(path);
  const isFolder = () => statOf(folder)?.isDirectory() ?? false;
  if (isFolder()) return undefined;
  const parent = dirname(folder);
  const first = parent === folder ? undefined : makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process was faster.
    if (isFolder()) return first;
    throw error;
  }
  return first ?? folder;
}

/**
 * Fails, before anything is computed, where an output of a picture would replace an input, or couldn't be written.
 * Outputs of two pictures have places of their own.
 *
 * @param {Inputs & { pictures: readonly string[], left: readonly string[],
 *   folders: Readonly<Record<string, string | undefined>>, placesOf: (picture: string) => readonly Named[] }} places of
 *   all pictures and of those that are left to compute; the folders, by the options that named them, hold the outputs,
 *   and are made where they are missing
 * @throws {UsageError} where two are one
 * @throws {CommandError} where one can't be written
 */
export function checkPictures({ left, folders, placesOf, ...inputs }) {
  const seen = identitiesOf(inputs);
  const isLeft = new Set(left);
  const known = new Set();
  const check = (/** @type {Named} */ folder) => {
    if (!known.has(folder.path)) checkFolder(folder);
    known.add(folder.path);
  };
  for (const [option, path] of Object.entries(folders)) if (path !== undefined) check({ option, path });
  for (const picture of inputs.pictures) {
    for (const file of placesOf(picture)) {
      const { option, path } = file;
      const isThere = statOf(path) !== null;
      const other = isThere && seen.get(identityOf(path) ?? '');
      if (other) throw onePlace(other, file);
      if (!isLeft.has(picture)) continue;
      check({ option, path: dirname(path) });
      if (isThere) attempt(file, () => placeOf(path));
    }
  }
}

/**
 * Writes a picture's files, and makes the folders that they go to.
 *
 * @param {readonly OutputFile[]} files
 * @throws {RunError} as {@link written}
 */
export async function writePicture(files) {
  await written(async () => {
    makeFolders(files);
    await writeFiles(files);
  });
}

/**
 * What can't be written ends the run: it isn't one picture's fault, unless the picture's name is too long for it.
 *
 * @param {() => Promise<void> | void} write
 * @throws {RunError}
 */
export async function written(write) {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { code } = /** @type {NodeJS.ErrnoException} */ (error.cause ?? {});
    throw code === 'ENAMETOOLONG' ? error : new RunError(error.message);
  }
}

/**
 * Writes the files, all or none, replacing those that are there. What isn't a file, such as /dev/null, is written to
 * directly.
 *
 * @param {readonly OutputFile[]} files which `checkOutputs` has seen
 * @param {Named | null} [folder] made where it is missing
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
 * @param {Named | null} folder
 */
function replaceAll(files, folder) {
  /** @type {(() => void)[]} What takes back what was done, in the order in which it was done. */
  const undo = [];
  /** @type {string[]} */
  const temporaries = [];
  const temporaryIn = (/** @type {string} */ place) => {
    const path = join(place, `.layertap-${HOST}-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
    temporaries.push(path);
    return path;
  };
  try {
    if (folder) {
      const made = attempt(folder, () => makeFolder(folder.path), 'folder');
      if (made) undo.push(() => removeFolders(resolve(folder.path), made));
    }
    const places = files.map((file) => ({ file, ...attempt(file, () => placeOf(file.path)) }));
    for (const parent of new Set(places.map(({ target }) => dirname(target)))) removeLeftOver(parent);

    const staged = [];
    for (const { file, target, mode, isNew } of places.filter(({ isDevice }) => !isDevice)) {
      const temporary = temporaryIn(dirname(target));
      attempt(file, () => writeFileSync(temporary, file.bytes, { flag: 'wx', mode, flush: true }));
      staged.push({ file, temporary, target, isNew });
    }
    // What was written to a device can't be taken back, so devices come before files: they fail while files are as
    // they were.
    for (const { file, target } of places.filter(({ isDevice }) => isDevice)) {
      attempt(file, () => writeFileSync(target, file.bytes));
    }
    for (const [i, { file, temporary, target, isNew }] of staged.entries()) {
      // After the last file nothing can fail any more.
      const kept = isNew || i === staged.length - 1 ? null : temporaryIn(dirname(target));
      attempt(file, () => {
        if (kept) keepAs(target, kept);
        renameSync(temporary, target);
      });
      undo.push(() => (kept ? renameSync(kept, target) : rmSync(target, { force: true })));
    }
  } catch (error) {
    for (const step of undo.reverse()) quietly(step);
    throw error;
  } finally {
    for (const temporary of temporaries) quietly(() => rmSync(temporary, { force: true }));
  }
}

/**
 * A second name for a file, or a copy on file systems that have no second names.
 *
 * @param {string} path
 * @param {string} name
 */
function keepAs(path, name) {
  try {
    linkSync(path, name);
  } catch {
    copyFileSync(path, name, constants.COPYFILE_EXCL);
  }
}

/**
 * Removes temporary files of processes that have ended without removing them.
 *
 * @param {string} folder
 */
function removeLeftOver(folder) {
  quietly(() => {
    for (const name of readdirSync(folder)) {
      const [, host, pid] = TEMPORARY.exec(name) ?? [];
      if (host === undefined) continue;
      const path = join(folder, name);
      quietly(() => {
        const isLeftOver = host === HOST ? !isRunning(Number(pid)) : Date.now() - statSync(path).mtimeMs > LEFT_OVER_MS;
        if (isLeftOver) rmSync(path, { force: true });
      });
    }
  });
}

/**
 * Whether another process has that number. This process has no temporary files yet when it looks for those of others.
 *
 * @param {number} pid
 */
function isRunning(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH';
  }
}

/**
 * The inputs by what {@link identityOf} says of them.
 *
 * @param {Inputs} inputs
 */
function identitiesOf({ inputs, pictures = [] }) {
  /** @type {Map<string, Named>} */
  const seen = new Map();
  const see = (/** @type {string} */ option, /** @type {string | undefined} */ path) => {
    const identity = path === undefined || path === STANDARD ? null : identityOf(path);
    if (path !== undefined && identity !== null) seen.set(identity, { option, path });
  };
  for (const picture of pictures) see('a picture', picture);
  for (const [option, path] of Object.entries(inputs)) see(option, path);
  return seen;
}

/**
 * What two paths of one file have in common: the file's number, whichever links lead to it. Of what isn't there yet,
 * the number of the folder that it will be in and the path below, as file systems see it that ignore case. Null for
 * what isn't a file, such as /dev/null, which nothing replaces.
 *
 * @param {string} path
 * @returns {string | null}
 */
function identityOf(path) {
  let below = '';
  for (let at = resolve(path); ; at = dirname(at)) {
    const stat = statOf(at);
    if (stat) {
      if (!stat.isFile() && !stat.isDirectory()) return null;
      // Some file systems number nothing.
      const number = stat.ino === 0n ? realpathSync(at) : `${stat.dev}:${stat.ino}`;
      return `${number}${below}`;
    }
    if (at === dirname(at)) return `${at}${below}`;
    below = `/${basename(at).normalize('NFC').toLowerCase()}${below}`;
  }
}

/** @param {string} path */
function statOf(path) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/**
 * @param {Named} a
 * @param {Named} b
 */
function onePlace(a, b) {
  const got = a.path === b.path ? `${a.path} twice` : `${a.path} and ${b.path}, which are one place`;
  return new UsageError(`expected different places as ${a.option} and ${b.option}, got ${got}`);
}

/** @param {Named} folder */
function checkFolder(folder) {
  attempt(
    folder,
    () => {
      for (let at = resolve(folder.path); ; at = dirname(at)) {
        const stat = statSync(at, { throwIfNoEntry: false });
        if (stat && !stat.isDirectory()) throw new Error('it is not a folder');
        if (stat) return accessSync(at, constants.W_OK);
      }
    },
    'folder',
  );
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
 * @param {Named} named
 * @param {() => T} write
 * @param {'file' | 'folder'} [kind]
 * @returns {T}
 */
function attempt({ option, path }, write, kind = 'file') {
  try {
    return write();
  } catch (error) {
    const message = `${option} ${path}: expected a writable ${kind}, got "${reasonOf(error)}"`;
    throw new CommandError(message, { cause: error });
  }
}

/**
 * What is done to tidy up is not worth an error of its own.
 *
 * @param {() => void} tidy
 */
function quietly(tidy) {
  try {
    tidy();
  } catch {}
}
