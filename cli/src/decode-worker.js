/** A worker that decodes photos and prepares them, while the network computes elsewhere. */

import { parentPort } from 'node:worker_threads';
import { CommandError } from './failures.js';
import { readPhoto } from './photo.js';
import { prepared } from './preparation.js';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

port.on('message', async ({ id, path, recipe, autoOrient }) => {
  try {
    const image = await readPhoto('', path, { autoOrient });
    if (recipe === null) {
      const { data, width, height } = image;
      // A copy: small arrays share Node's pool of buffers, which can't be given away.
      const own = data.slice();
      port.postMessage({ id, image: { data: own, width, height } }, [own.buffer]);
      return;
    }
    const { data, shape } = prepared(image, recipe);
    port.postMessage({ id, data, shape }, [/** @type {ArrayBuffer} */ (data.buffer)]);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    port.postMessage({ id, message, isExpected: error instanceof CommandError });
  }
});
