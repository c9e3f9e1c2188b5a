/**
 * A pool's worker that dies when it is told to run while a file of its process exists: the file says how. Several
 * workers look at once, and one takes the file away: a file can be renamed only once.
 */

import { readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, threadId } from 'node:worker_threads';

const marker = join(tmpdir(), `layertap-die-${process.pid}`);

/** How this worker is to die; null where it isn't, or where another worker was first. */
function order() {
  const mine = `${marker}-${threadId}`;
  try {
    renameSync(marker, mine);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
  const way = readFileSync(mine, 'utf8');
  rmSync(mine);
  return way;
}

const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listener) =>
  on(event, (message) => {
    const way = message.kind === 'run' ? order() : null;
    if (way === 'exit') process.exit(3);
    if (way === 'throw') throw new Error('worn out');
    listener(message);
  });

await import('../../dist/threads/worker.js');
