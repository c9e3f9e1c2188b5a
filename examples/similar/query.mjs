/**
 * Prints the pictures of an index that are most like a picture, the nearest first, each after its cosine similarity.
 * `node query.mjs PICTURE [--top 10] [--index FILE] [--model NAME --weights FILE] [--auto-orient]`
 */

import { decode, readPicture } from './pictures.mjs';
import { program } from './program.mjs';

await program('query', 'PICTURE', { read: readPicture, beginsIndex: false, run: query });

/** @param {Parameters<Parameters<typeof program<Uint8Array>>[2]['run']>[0]} given */
async function query({ read: bytes, top, autoOrient, embedding, index }) {
  const vector = embedding.embed(await decode(bytes, { autoOrient }));
  const neighbours = index.nearest(vector, top);
  if (neighbours.length === 0) throw new Error('expected an index with pictures, got an empty one; run add.mjs first');
  for (const neighbour of neighbours) {
    console.log(`${neighbour.similarity.toFixed(4)}  ${neighbour.path}`);
  }
}
