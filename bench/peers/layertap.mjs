/** layertap itself, as it loads large files: each weight packed as it arrives, and never held twice. */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import * as current from '../../dist/index.js';
import { readFloats } from '../bundle.mjs';
import { modelOf } from '../models.mjs';

/** @type {import('../subject.mjs').Load} */
export async function load({ model, folder, library }) {
  const layertap = library ? await import(library) : current;
  const { openSafetensors, Tensor } = layertap;
  const { build, shape } = modelOf(model, layertap);
  const module = build().eval();
  const file = await open(join(folder, 'model.safetensors'));
  await module.loadStateDictAsync(await openSafetensors(file), { inputShapes: [shape] });
  await file.close();
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
