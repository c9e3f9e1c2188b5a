/**
 * Brings an index up to date with a folder: adds pictures that are new or have changed, removes those that are gone.
 * `node add.mjs FOLDER [--index FILE] [--model NAME --weights FILE] [--auto-orient]`
 */

import { createHash } from 'node:crypto';
import { resolve, sep } from 'node:path';
import { decode, picturesIn, readPicture } from './pictures.mjs';
import { program } from './program.mjs';

await program('add', 'FOLDER', { read: picturesIn, beginsIndex: true, run: add });

/** @param {Parameters<Parameters<typeof program<string[]>>[2]['run']>[0]} given */
async function add({ path: folder, read: files, autoOrient, embedding, index }) {
  const counts = { added: 0, unchanged: 0, removed: 0, failed: 0 };
  for (const path of files) {
    try {
      const bytes = await readPicture(path);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (index.has(path, sha256)) {
        counts.unchanged++;
        continue;
      }
      index.add([{ path, sha256, vector: embedding.embed(await decode(bytes, { autoOrient })) }]);
      counts.added++;
    } catch (error) {
      console.error(`${path}: ${/** @type {Error} */ (error).message}`);
      counts.failed++;
    }
  }
  const there = new Set(files);
  const gone = index.paths().filter((path) => path.startsWith(resolve(folder) + sep) && !there.has(path));
  index.remove(gone);
  counts.removed = gone.length;
  console.log(
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
  );
  if (counts.failed > 0) process.exitCode = 1;
}
