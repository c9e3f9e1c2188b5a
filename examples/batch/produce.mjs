/**
 * Adds a job for each image below a folder that has no result yet: `node produce.mjs FOLDER`. Running it again adds what is
 * missing, and nothing twice.
 */

import { readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { connect, idOf, openQueue, Results } from './queue.mjs';

/** Jobs that are sent to Redis at once. */
const BATCH = 1000;

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node produce.mjs FOLDER');
const root = resolve(folder);
const redis = connect();
const queue = openQueue(redis);
const results = new Results(redis);

let added = 0;
let batch = [];
for await (const image of imagesIn(root)) {
  batch.push({ id: idOf(image), image });
  if (batch.length === BATCH) await flush();
}
await flush();
console.log(`added ${added} jobs`);
await queue.close();
await redis.quit();

async function flush() {
  const missing = await results.missing(batch.map(({ id }) => id));
  const jobs = batch
    .filter(({ id }) => missing.has(id))
    .map(({ id, image }) => ({ name: 'image', data: { file: join(root, image) }, opts: { jobId: id } }));
  // A job that is in the queue already is left as it is.
  await queue.addBulk(jobs);
  added += jobs.length;
  batch = [];
}

/** JPEGs and PNGs below a folder, as paths from there. */
async function* imagesIn(path) {
  const entries = await readdir(path, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) yield* imagesIn(inner);
    else if (/\.(jpe?g|png)$/i.test(entry.name)) yield relative(root, inner);
  }
}
