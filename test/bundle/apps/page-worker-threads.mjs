// A cross-origin isolated page whose web worker has the pool.
const post = (body) => fetch('/result', { method: 'POST', body: JSON.stringify(body) });
const worker = new Worker('/worker-threads.mjs', { type: 'module' });
worker.onmessage = ({ data }) => post(data);
worker.onerror = ({ message }) => post({ error: `in a worker: ${message}` });
