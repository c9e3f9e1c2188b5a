/** layertap itself, from the weight file to NCHW features. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, Tensor } from '../../dist/index.js';
import { readFloats } from '../bundle.mjs';
import { modelOf } from '../models.mjs';

/** @type {import('../subject.mjs').Load} */
export async function load({ model, folder }) {
  const { build, shape } = modelOf(model);
  const module = build().eval();
  module.loadStateDict(loadSafetensors(readFileSync(join(folder, 'model.safetensors'))));
  const x = new Tensor(readFloats(join(folder, 'input.bin')), shape);
  return {
    get binary() {
      return module.compiled?.binary ?? 'none yet';
    },
    run() {
      const output = module.call(x);
      return (output instanceof Map ? [...output.values()] : [output]).map(({ data }) => ({ data, layout: 'nchw' }));
    },
  };
}
