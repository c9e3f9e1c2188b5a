/**
 * Writes all results into one safetensors file: `node collect.mjs FILE`. Names are the images' whole paths, values
 * float32 [64].
 */

import { writeFile } from 'node:fs/promises';
import { saveSafetensors, Tensor } from 'layertap';
import { connect, Results } from './queue.mjs';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node collect.mjs FILE');
  process.exit(2);
}
const redis = await connect();
/** @type {[string, Tensor][]} */
const tensors = [];
let missing = 0;
for await (const [image, values] of new Results(redis).entries()) {
  if (values) tensors.push([image, new Tensor(values, [values.length])]);
  else missing++;
}
await writeFile(file, saveSafetensors(tensors));
console.log(`${tensors.length} results in ${file}${missing > 0 ? `; ${missing} images have none yet` : ''}`);
await redis.quit();
