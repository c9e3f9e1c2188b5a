/**
 * Safetensors files that options name: opened by the library, tensor by tensor, so that a whole model's weights cost no
 * more than the layers that are kept.
 */

import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { LayertapError, openSafetensors } from 'layertap';
import { CommandError, reasonOf } from './failures.js';
import { checkReadable } from './read-all.js';

/** As many bytes of a header as the format allows: who names a file on a command line trusts it so far. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Opens a safetensors file around its use. A file that changes meanwhile is an error, never a mixture of two. What has
 * no places, such as a pipe, is read once from front to back.
 *
 * @template T
 * @param {string} option what named the file, e.g. `--weights`
 * @param {string} path
 * @param {(file: import('layertap').OpenedSafetensors, label: string) => Promise<T>} use told what the file is called
 *   in messages; the library's errors in it are taken for the file's
 * @returns {Promise<T>}
 * @throws {CommandError} where the file can't be read or used
 */
export async function withTensorFile(option, path, use) {
  const label = `${option} ${path}`;
  try {
    const handle = await open(path);
    try {
      const stat = await handle.stat();
      checkReadable(stat);
      const file = await openSafetensors(stat.isFile() ? handle : streamOf(handle), {
        maxHeaderBytes: MAX_HEADER_BYTES,
      });
      return await use(file, label).finally(() => file.close());
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof LayertapError) throw new CommandError(`${label}: ${error.message}`);
    // The system's errors have the name of the call that failed.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new CommandError(`${label}: expected a readable file, got "${reasonOf(error)}"`);
  }
}

/** @param {import('node:fs/promises').FileHandle} handle */
function streamOf(handle) {
  return /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(handle.createReadStream({ autoClose: false })));
}
