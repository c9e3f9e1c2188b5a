/** What both commands share: arguments, the index that they name, and one line for what fails. */

import { parseArgs } from 'node:util';
import { createEmbedding } from './embedding.mjs';
import { VectorIndex } from './vector-index.mjs';

/**
 * Runs a command with its embedding and its index.
 *
 * @param {string} name
 * @param {string} what the command's argument
 * @param {(given: { path: string, top: number, autoOrient: boolean, embedding: import('./embedding.mjs').Embedding,
 *   index: VectorIndex }) => Promise<void>} run
 */
export async function program(name, what, run) {
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
    const { model, weights } = values;
    const autoOrient = values['auto-orient'] === true;
    const embedding = await createEmbedding({ ...(model && { model }), ...(weights && { weights }) });
    const { size, fingerprint } = embedding;
    const orientation = autoOrient ? 'upright' : 'as stored';
    const index = new VectorIndex(String(values.index), { size, fingerprint: { ...fingerprint, orientation } });
    try {
      await run({ path: positionals[0], top, autoOrient, embedding, index });
    } finally {
      index.close();
    }
  } catch (error) {
    console.error(`${name}: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
