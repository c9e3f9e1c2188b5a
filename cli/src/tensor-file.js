/**
 * Files of tensors that options name: opened by the library, tensor by tensor, so that a whole model's weights cost no
 * more than the layers that are kept.
 */

import { createReadStream, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { FormatError, LayertapError, openSafetensors, openWeights } from 'layertap';
import { CommandError, reasonOf } from './failures.js';
import { STANDARD } from './pictures.js';
import { checkReadable } from './read-all.js';
import { MAX_HEADER_BYTES } from './source.js';

/** @typedef {import('node:fs/promises').FileHandle | ReadableStream<Uint8Array>} Source */

/**
 * Opens a safetensors file around its use.
 *
 * @template T
 * @param {string} option what named the file, e.g. `--input`
 * @param {string} path
 * @param {(file: import('layertap').OpenedSafetensors, label: string) => Promise<T>} use told what the file is called
 *   in messages; the library's errors in it are taken for the file's
 * @returns {Promise<T>}
 * @throws {CommandError} where the file can't be read or used
 */
export function withTensorFile(option, path, use) {
  return withFile(`${option} ${path}`.trimStart(), path, openTensors, use);
}

/**
 * @param {Source} source
 * @throws {LayertapError} which names what isn't safetensors
 */
async function openTensors(source) {
  const options = { maxHeaderBytes: MAX_HEADER_BYTES };
  try {
    return await openSafetensors(source, options);
  } catch (error) {
    if (!(error instanceof FormatError) || !('read' in source)) throw error;
    // What reads weights of all kinds knows more of them, such as NumPy's.
    const file = await openWeights(source, options).catch((other) => other);
    const got = file instanceof FormatError && /expected a weight file, got (.*?)(; in Python.*)?$/.exec(file.message);
    const said = got ? `expected a safetensors file, got ${got[1]}` : error.message;
    throw new FormatError(said.replace('; openWeights reads it', ''));
  }
}

/**
 * What names the state dict in a weight file.
 *
 * @typedef {object} KeyOptions
 * @property {string} [weightsKey] the dict in a checkpoint
 * @property {string} [weightsPrefix] what is taken off the names
 * @property {boolean} [whole] whether all tensors will be read
 */

/**
 * Opens weights around their use: safetensors, an index of shards, or PyTorch's `.pth`.
 *
 * @template T
 * @param {import('./weight-source.js').WeightSource} source
 * @param {KeyOptions} options
 * @param {(file: import('layertap').OpenedWeights, label: string) => Promise<T>} use
 * @returns {Promise<T>}
 * @throws {CommandError} where the file can't be read or used
 */
export async function withWeights(source, { weightsKey: key, weightsPrefix: prefix, whole = false }, use) {
  const { path, label, open: openRemote } = source;
  /** @type {import('node:fs/promises').FileHandle[]} */
  const shards = [];
  const shard = async (/** @type {string} */ name) => {
    try {
      const handle = await open(join(dirname(path ?? ''), name));
      shards.push(handle);
      return handle;
    } catch (error) {
      throw new CommandError(`${label}: expected a readable file ${name} beside it, got "${reasonOf(error)}"`);
    }
  };
  const opened = (/** @type {Source} */ source) =>
    openWeights(source, { key, prefix, shard, maxHeaderBytes: MAX_HEADER_BYTES });
  try {
    if (path !== undefined) return await withFile(label, path, opened, use);
    return await withRemote(label, () => openRemote?.({ key, prefix, whole }), use);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // A prefix that follows on the one that was taken off.
    const taken = prefix === undefined ? '' : prefix;
    throw new CommandError(
      error.message
        .replace(/pass \{ key: (".*?") \} to openWeights/, 'pass --weights-key $1')
        .replace('or { key: "" } for', 'or --weights-key "" for')
        .replace(/pass \{ prefix: "(.*?)" \} to openWeights/, (_, text) => `pass --weights-prefix "${taken}${text}"`),
    );
  } finally {
    for (const handle of shards) await handle.close();
  }
}

/**
 * Opens what is no file around its use.
 *
 * @template T
 * @param {string} label what names it in messages
 * @param {() => Promise<import('layertap').OpenedWeights> | undefined} opened
 * @param {(file: import('layertap').OpenedWeights, label: string) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withRemote(label, opened, use) {
  try {
    const file = /** @type {import('layertap').OpenedWeights} */ (await opened());
    return await use(file, label).finally(() => file.close());
  } catch (error) {
    if (!(error instanceof LayertapError)) throw error;
    // A URL is said once, and who opens it is no function that a command line knows.
    const address = `${label.slice(label.lastIndexOf(' ') + 1)}: `;
    const said = error.message.startsWith(address) ? error.message.slice(address.length) : error.message;
    throw new CommandError(`${label}: ${withoutCode(said)}`);
  }
}

/**
 * What the library says without the function that says it, and without what is said to programs alone.
 *
 * @param {string} message
 */
function withoutCode(message) {
  const said = message.replace(/^(cachedFile|openPretrained|openWeights): /, '');
  return said.replace('; pass headers: { authorization } instead', '; download the file by other means');
}

/**
 * Opens a file around its use. A file that changes meanwhile is an error, never a mixture of two. What has no places,
 * such as a pipe, is read once from front to back.
 *
 * @template {{ close(): Promise<void> }} File
 * @template T
 * @param {string} label what names the file in messages
 * @param {string} path
 * @param {(source: Source) => Promise<File>} opened
 * @param {(file: File, label: string) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withFile(label, path, opened, use) {
  try {
    const handle = path === STANDARD ? null : await open(path);
    try {
      const stat = handle ? await handle.stat() : fstatSync(0);
      checkReadable(stat);
      const file = await opened(handle && stat.isFile() ? handle : streamOf(handle));
      return await use(file, label).finally(() => file.close());
    } finally {
      await handle?.close();
    }
  } catch (error) {
    // Who opens a file is no function that a command line knows.
    if (error instanceof LayertapError)
      throw new CommandError(`${label}: ${error.message.replace(/^openWeights: /, '')}`);
    // The system's errors have the name of the call that failed.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new CommandError(`${label}: expected a readable file, got "${reasonOf(error)}"`);
  }
}

/** @param {import('node:fs/promises').FileHandle | null} handle null for stdin */
function streamOf(handle) {
  const options = { autoClose: false };
  const stream = handle ? handle.createReadStream(options) : createReadStream('', { fd: 0, ...options });
  return /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(stream));
}
