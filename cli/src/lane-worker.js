/** A worker of {@link Lanes}: builds the network once, then runs one batch of pictures after the other. */

import { parentPort } from 'node:worker_threads';
import { featuresOf } from './features.js';
import { Lane } from './lane.js';
import { mapped, received, sent } from './lanes.js';
import { buildModel } from './models.js';
import { prepared } from './preparation.js';

/** Progress is told so often. */
const PROGRESS_MS = 100;

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {Lane} */
let lane;
let told = performance.now();

/**
 * @param {import('./lanes.js').Blueprint} blueprint
 * @param {readonly (readonly [string, import('./lanes.js').Sent])[]} state
 */
function start(blueprint, state) {
  const { model, modelOptions, layers, shape, deterministic, preparation, autoOrient, keepsInputs } = blueprint;
  const whole = buildModel(/** @type {string} */ (model), modelOptions);
  /** @type {import('layertap').Module<any>} */
  const network = layers ? featuresOf(whole, layers, shape).tapped : whole;
  network.compile({ deterministic });
  // Whoever started this worker has loaded the same, and knows that nothing is missing.
  network.loadStateDict(mapped(new Map(state), received), { strict: false });
  lane = new Lane(network, { autoOrient, keepsInputs, prepare: (image) => prepared(image, preparation) });
}

/**
 * @param {number} id
 * @param {readonly import('./lanes.js').SentMember[]} members
 */
async function run(id, members) {
  const own = members.map(({ picture, read }) => ({
    picture,
    ...(read && { read: { ...read, input: received(read.input).float() } }),
  }));
  const { groups, failures } = await lane.run(own, (part) => {
    if (performance.now() - told < PROGRESS_MS) return;
    told = performance.now();
    port.postMessage({ id, part });
  });
  /** @type {Set<ArrayBuffer>} */
  const given = new Set();
  const give = (/** @type {import('layertap').Tensor} */ tensor) => {
    given.add(/** @type {ArrayBuffer} */ (tensor.data.buffer));
    return sent(tensor);
  };
  const plain = groups.map(({ members, sizes, input, output }) => ({
    members,
    sizes,
    input: input && give(input),
    output: output instanceof Map ? mapped(output, give) : give(output),
  }));
  const errors = failures.map(({ member, error }) => ({ member, message: error.message }));
  port.postMessage({ id, groups: plain, failures: errors }, [...given]);
}

port.on('message', ({ blueprint, state, id, members }) => {
  if (blueprint) start(blueprint, state);
  else void run(id, members);
});
