/** A worker of {@link Lanes}: builds the network once, then runs one input after the other. */

import { parentPort, workerData } from 'node:worker_threads';
import { LayertapError } from 'layertap';
import { featuresOf } from './features.js';
import { received, sent } from './lanes.js';
import { buildModel } from './models.js';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { model, modelOptions, layers, shape, deterministic, state } = workerData;

const whole = buildModel(model, modelOptions);
/** @type {import('layertap').Module<any>} */
const network = layers ? featuresOf(whole, layers, shape).tapped : whole;
network.compile({ deterministic });
// Whoever started this worker has loaded the same, and knows that nothing is missing.
network.loadStateDict(/** @type {Map<string, any>} */ (received(new Map(state))), { strict: false });

port.on('message', ({ id, input }) => {
  try {
    const output = network.call(received(input));
    const plain =
      output instanceof Map ? new Map(Array.from(output, ([name, one]) => [name, sent(one)])) : sent(output);
    port.postMessage({ id, output: plain });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    port.postMessage({ id, message, isExpected: error instanceof LayertapError });
  }
});
