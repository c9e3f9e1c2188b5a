// In a window of a cross-origin isolated page: with a pool of threads.
import * as layertap from 'layertap';
import { ThreadPool } from 'layertap/threads';
import { golden } from './golden.mjs';
import { probeThreads } from './probe.mjs';

const post = (body) => fetch('/result', { method: 'POST', body: JSON.stringify(body) });

try {
  await post({ window: await probeThreads(layertap, ThreadPool, golden) });
} catch (error) {
  await post({ error: `${error}\n${error.stack}` });
}
