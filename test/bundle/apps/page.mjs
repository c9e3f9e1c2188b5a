// In a window: runs the probe there and in a worker, and posts what came out.
import * as layertap from 'layertap';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

const post = (body) => fetch('/result', { method: 'POST', body: JSON.stringify(body) });

try {
  const window = probe(layertap, golden);
  const worker = await new Promise((resolve, reject) => {
    const started = new Worker('/page-worker.mjs', { type: 'module' });
    started.onmessage = ({ data }) => (data.error ? reject(new Error(`in a worker: ${data.error}`)) : resolve(data));
    started.onerror = ({ message }) => reject(new Error(`in a worker: ${message}`));
  });
  await post({ window, worker });
} catch (error) {
  await post({ error: `${error}\n${error.stack}` });
}
