/**
 * Adds a job for each image below a folder whose content has no result yet: `node produce.mjs FOLDER`. Running it again
 * adds what is missing, and nothing twice.
 */

import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readImage } from './image.mjs';
import { connect, idOf, openQueue, Results } from './queue.mjs';

/** Jobs that are sent to Redis at once. */
const BATCH = 1000;

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node produce.mjs FOLDER');
  process.exit(2);
}
const redis = await connect();
const queue = openQueue(redis);
const results = new Results(redis);

let seen = 0;
let added = 0;
let batch = [];
for await (const file of imagesIn(resolve(folder))) {
  seen++;
  try {
    batch.push({ id: idOf(await readImage(file)), file });
  } catch (error) {
    fail(`${file}: ${/** @type {Error} */ (error).message}`);
  }
  if (batch.length === BATCH) await flush();
}
await flush();
if (seen === 0 && !process.exitCode) fail(`expected .jpg, .png, .webp or .gif files below ${folder}, got none`);
console.log(`added ${added} jobs`);
await queue.close();
await redis.quit();

/** Says what is wrong; what can be added is added all the same. @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

async function flush() {
  await results.note(batch);
  const missing = await results.missing(batch.map(({ id }) => id));
  // Files of the same content share a job.
  const files = new Map(batch.filter(({ id }) => missing.has(id)).map(({ id, file }) => [id, file]));
  // A job that is in the queue already, or has failed, is left as it is.
  for (const id of await queued([...files.keys()])) files.delete(id);
  await queue.addBulk([...files].map(([id, file]) => ({ name: 'image', data: { file }, opts: { jobId: id } })));
  added += files.size;
  batch = [];
}

/** Which of the ids have a job. */
async function queued(ids) {
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.exists(queue.toKey(id));
  const answers = await pipeline.exec();
  return ids.filter((_, i) => answers[i][1] === 1);
}

/** What by its name is a JPEG, PNG, WebP or GIF below a folder. */
async function* imagesIn(path) {
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    fail(`${path}: ${/** @type {Error} */ (error).message}`);
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) yield* imagesIn(inner);
    else if (/\.(jpe?g|png|webp|gif)$/i.test(entry.name)) yield inner;
  }
}
