/** Files and folders that a command was given, read with errors in a reader's words. */

/**
 * What reading gives.
 *
 * @template T
 * @param {string} what in messages, as in `pictures: expected a readable folder`
 * @param {string} path
 * @param {(path: string) => Promise<T>} read
 * @returns {Promise<T>}
 * @throws where the system refuses, in its words but without the call that Node adds
 */
export async function readFrom(what, path, read) {
  try {
    return await read(path);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    const [, reason] = /^E[A-Z0-9]+: ([^,]+)/.exec(message) ?? [];
    if (reason === undefined) throw error;
    throw new Error(`${what} at ${path}, got "${reason}"`);
  }
}
