/** What both commands share: arguments, the index that they name, and one line for what fails. */

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { createEmbedding } from './embedding.mjs';
import { VectorIndex } from './vector-index.mjs';

/**
 * Runs a command with its embedding and its index.
 *
 * @template T
 * @param {string} name
 * @param {string} what the command's argument
 * @param {object} command
 * @param {(path: string) => Promise<T>} command.read what the argument names, before an index is made
 * @param {boolean} command.beginsIndex whether an index that isn't there is begun
 * @param {(given: { path: string, read: T, top: number, autoOrient: boolean, index: VectorIndex,
 *   embedding: import('./embedding.mjs').Embedding }) => Promise<void>} command.run
 */
export async function program(name, what, { read, beginsIndex, run }) {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        index: { type: 'string', default: 'similar.db' },
        model: { type: 'string' },
        weights: { type: 'string' },
        top: { type: 'string', default: '10' },
        'auto-orient': { type: 'boolean', default: false },
      },
    });
    if (positionals.length !== 1) throw new Error(`expected one ${what}, got ${positionals.length} arguments`);
    const top = Number(values.top);
    if (!(Number.isInteger(top) && top > 0 && top <= 4096)) {
      throw new Error(`expected --top from 1 to 4096, got ${values.top}`);
    }
    const [path] = positionals;
    const given = await read(path);
    checkIndex(String(values.index), beginsIndex);
    const { model, weights } = values;
    const autoOrient = values['auto-orient'] === true;
    const embedding = await createEmbedding({ ...(model && { model }), ...(weights && { weights }) });
    const { size, fingerprint } = embedding;
    const orientation = autoOrient ? 'upright' : 'as stored';
    const index = new VectorIndex(String(values.index), { size, fingerprint: { ...fingerprint, orientation } });
    try {
      await run({ path, read: given, top, autoOrient, embedding, index });
    } finally {
      index.close();
    }
  } catch (error) {
    console.error(`${name}: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}

/**
 * Fails an index that isn't there, or that no folder is there for.
 *
 * @param {string} file
 * @param {boolean} beginsIndex
 */
function checkIndex(file, beginsIndex) {
  if (file === ':memory:' || existsSync(file)) return;
  if (!beginsIndex) {
    throw new Error(
      `index: expected one that add.mjs has made, got no ${file}; run add.mjs first, or name it by --index`,
    );
  }
  if (existsSync(dirname(file))) return;
  throw new Error(`index: expected a folder for ${file}, got no ${dirname(file)}; make it first`);
}
