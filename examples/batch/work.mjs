/**
 * A worker: takes jobs until it is told to stop (SIGTERM, SIGINT), and finishes those that it has begun. One for each
 * core; killed in any way, its jobs go to the others when their locks have run out.
 */

import { UnrecoverableError, Worker } from 'bullmq';
import { createEmbedding } from './embedding.mjs';
import { readImage } from './image.mjs';
import { connect, idOf, onceEach, QUEUE, Results } from './queue.mjs';

const lockDuration = Number(process.env.LOCK_MS ?? 30_000);

const redis = await connect();
const results = new Results(redis);
const embed = await createEmbedding();

const worker = new Worker(
  QUEUE,
  async ({ id, data }) => {
    const bytes = await readImage(data.file);
    // Another content's result must not be stored under this one's id.
    if (idOf(bytes) !== id) throw new UnrecoverableError('the file has changed since; produce again');
    // The result is stored before the job is done: killed in between, it is computed again and stored in the same
    // place.
    await results.put(id, await embed(bytes));
  },
  {
    connection: await connect(),
    // Decoding and Redis overlap with the network of another image.
    concurrency: 4,
    lockDuration,
    stalledInterval: lockDuration,
    // Workers die when machines are taken away, which says nothing about the image.
    maxStalledCount: 10,
  },
);
worker.on('failed', (job, error) => console.error(`${job?.id}: ${error.message}`));
const say = onceEach();
worker.on('error', (error) => say(error.message));
worker.on('completed', () => say.again());

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await worker.close();
    process.exit(0);
  });
}
console.log('working');
