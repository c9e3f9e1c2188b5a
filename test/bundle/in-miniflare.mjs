/** Runs a worker in Miniflare and prints what it answers: `node in-miniflare.mjs WORKER FOLDER-OF-KERNELS`. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Miniflare } from 'miniflare';

const [worker, dist] = process.argv.slice(2);
const modules = { 'bundle/worker.mjs': { type: 'esm', contents: readFileSync(worker, 'utf8') } };
// The worker imports '../kernels.both.wasm?module'.
const both = 'kernels.both.wasm';
modules[`${both}?module`] = { type: 'wasm', contents: new Uint8Array(readFileSync(join(dist, both))) };
const manifest = { mainModule: 'bundle/worker.mjs', modules };
const config = { name: 'layertap', compatibilityDate: '2026-01-01', manifest };
const miniflare = new Miniflare({ host: '127.0.0.1', cf: false, workers: [{ config }] });
try {
  const response = await miniflare.dispatchFetch('http://worker/');
  if (!response.ok) throw new Error(await response.text());
  console.log(JSON.stringify(await response.json()));
} finally {
  await miniflare.dispose();
}
