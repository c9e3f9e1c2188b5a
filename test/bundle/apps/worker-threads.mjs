// In a web worker, where no import map holds: the package by its URLs.
import { golden } from './golden.mjs';
import * as layertap from './node_modules/layertap/dist/index.js';
import { ThreadPool } from './node_modules/layertap/dist/threads/index.js';
import { probeThreads } from './probe.mjs';

try {
  postMessage({ window: await probeThreads(layertap, ThreadPool, golden) });
} catch (error) {
  postMessage({ error: `${error}\n${error.stack}` });
}
