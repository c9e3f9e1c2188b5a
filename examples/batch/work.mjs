/**
 * A worker: takes jobs until it is told to stop (SIGTERM, SIGINT), and finishes those that it has begun. One for each core;
 * killed in any way, its jobs go to the others when their locks have run out.
 */

import { Worker } from 'bullmq';
import { createEmbedding } from './embedding.mjs';
import { connect, QUEUE, Results } from './queue.mjs';

const lockDuration = Number(process.env.LOCK_MS ?? 30_000);

const redis = connect();
const results = new Results(redis);
const embed = await createEmbedding();

const worker = new Worker(
  QUEUE,
  async ({ id, data }) => {
    // The result is stored before the job is done: killed in between, it is computed again and stored in the same place.
    await results.put(id, await embed(data.file));
  },
  {
    connection: connect(),
    // Decoding and Redis overlap with the network of another image.
    concurrency: 4,
    lockDuration,
    stalledInterval: lockDuration,
    // Workers die when machines are taken away, which says nothing about the image.
    maxStalledCount: 10,
  },
);
worker.on('failed', (job, error) => console.error(`${job?.id}: ${error.message}`));
worker.on('error', (error) => console.error(error.message));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await worker.close();
    process.exit(0);
  });
}
console.log('working');
