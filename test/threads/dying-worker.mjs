/**
 * A pool's worker that dies when it is told to run while a file of its process exists: the file says how, and is
 * removed.
 */

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';

const marker = join(tmpdir(), `layertap-die-${process.pid}`);

const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listener) =>
  on(event, (message) => {
    if (message.kind === 'run' && existsSync(marker)) {
      const way = readFileSync(marker, 'utf8');
      rmSync(marker, { force: true });
      if (way === 'exit') process.exit(3);
      throw new Error('worn out');
    }
    listener(message);
  });

await import('../../dist/threads/worker.js');
