/**
 * Prints the pictures of an index that are most like a picture, the nearest first, each after its cosine similarity.
 * `node query.mjs PICTURE [--top 10] [--index FILE] [--model NAME --weights FILE] [--auto-orient]`
 */

import { decode, readPicture } from './pictures.mjs';
import { program } from './program.mjs';

await program('query', 'PICTURE', async ({ path, top, autoOrient, embedding, index }) => {
  const vector = embedding.embed(await decode(await readPicture(path), { autoOrient }));
  for (const neighbour of index.nearest(vector, top)) {
    console.log(`${neighbour.similarity.toFixed(4)}  ${neighbour.path}`);
  }
});
