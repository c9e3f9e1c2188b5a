/** Prints how far it is: `node status.mjs`; `node status.mjs retry` puts what failed back into the queue. */

import { connect, openQueue, Results } from './queue.mjs';

const redis = await connect();
const queue = openQueue(redis);
if (process.argv[2] === 'retry') await queue.retryJobs({ state: 'failed' });
const { waiting, active, delayed, failed } = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
console.log(JSON.stringify({ results: await new Results(redis).count(), waiting, active, delayed, failed }));
for (const job of await queue.getFailed(0, 9)) console.log(`${job.data.file}: ${job.failedReason}`);
await queue.close();
await redis.quit();
