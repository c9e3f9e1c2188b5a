/** Writes all results into one safetensors file: `node collect.mjs FILE`. Names are the images', values float32 [64]. */

import { writeFile } from 'node:fs/promises';
import { saveSafetensors, Tensor } from 'layertap';
import { connect, Results } from './queue.mjs';

const [file] = process.argv.slice(2);
if (!file) throw new Error('usage: node collect.mjs FILE');
const redis = connect();
const tensors = [];
for await (const [id, values] of new Results(redis).entries()) {
  tensors.push([decodeURIComponent(id.slice('image-'.length)), new Tensor(values, [values.length])]);
}
await writeFile(file, saveSafetensors(tensors));
console.log(`${tensors.length} results in ${file}`);
await redis.quit();
