/**
 * A worker whose first request does what a network needs before its first feature, and tells how long each step took;
 * see cold-start.mjs.
 */

import { openSafetensors, zeros } from 'layertap';
import { MODELS } from '../models.mjs';

export default {
  async fetch(_request, { MODEL, WEIGHTS }) {
    const steps = {};
    let before = performance.now();
    const done = (step) => {
      const now = performance.now();
      steps[step] = now - before;
      before = now;
    };
    const { build, features, inputShapes } = MODELS[MODEL];
    const network = build();
    done('build');
    const file = await openSafetensors('https://weights/weights.safetensors', {
      fetch: (url, init) => WEIGHTS.fetch(url, init),
    });
    await network.loadStateDictAsync(file, { inputShapes });
    done('load');
    const x = zeros([1, 3, 224, 224]);
    features(network, x);
    done('first');
    features(network, x);
    done('second');
    return Response.json(steps);
  },
};
