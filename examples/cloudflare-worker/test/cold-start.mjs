/**
 * From a cold isolate to the first feature: `node test/cold-start.mjs [--starts N] [--peer BENCH] [--node 20,24]`. Each
 * start is a new workerd whose first request builds MobileNetV3-large, reads its weights (generated, 12 MB), packs
 * them, compiles a plan and runs it. The import is timed in an isolate of its own. With `--peer` and the path of the
 * repository's bench folder, each start is followed by one of tfjs-wasm in each Node, from its import to its first
 * result, by the benchmarks' means: this machine's other work slows all.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startWorkerd } from '../workerd-server.mjs';
import { generatedWeights } from './inputs.mjs';

const { values } = parseArgs({
  options: {
    starts: { type: 'string', default: '5' },
    peer: { type: 'string' },
    node: { type: 'string' },
  },
});
const model = 'mobilenet_v3_large';

const folder = mkdtempSync(join(tmpdir(), 'layertap-cold-'));
try {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, generatedWeights(model));
  const rows = [];
  const measure = async (peers) => {
    for (let i = 0; i < Number(values.starts); i++) {
      const { importMs } = await answer('import-worker.mjs', weights);
      const { build, load, first, second } = await answer('cold-worker.mjs', weights);
      rows.push({ import: importMs, build, load, first, total: importMs + build + load + first, second });
      for (const [name, start] of Object.entries(peers)) rows.at(-1)[name] = await start();
    }
  };
  await (values.peer ? withPeers(measure) : measure({}));
  const least = (key) => Math.min(...rows.map((row) => row[key]));
  const listed = Object.keys(rows[0]).map((key) => `${key} ${least(key).toFixed(1)}`);
  console.log(`${model} on workerd, least of ${rows.length} starts in ms: ${listed.join(', ')}`);
  for (const peer of Object.keys(rows[0]).filter((key) => key.startsWith('tfjs-wasm'))) {
    console.log(`cold start / ${peer}: ${(least('total') / least(peer)).toFixed(2)}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** What a worker says to its first request. */
async function answer(entry, weights) {
  const worker = await startWorkerd({ weights, model, entry: fileURLToPath(new URL(entry, import.meta.url)) });
  try {
    return await (await fetch(worker.url)).json();
  } finally {
    await worker.stop();
  }
}

/** Gives functions, one for each Node, that start tfjs-wasm in a process of its own, and return its milliseconds. */
async function withPeers(measure) {
  const of = (file) => import(pathToFileURL(join(resolve(values.peer), file)).href);
  const { enginesOf } = await of('engines.mjs');
  const { modelOf } = await of('models.mjs');
  const { Process } = await of('process.mjs');
  const { withBundle } = await of('write-bundle.mjs');
  await withBundle(modelOf(model), ['tfjs-wasm'], {}, (bundle) => {
    const start = (engine) => async () => {
      const process = new Process(engine, 0);
      const options = { model, folder: bundle.folder, threads: 1 };
      const { importMs, loadMs, firstMs } = await process.call('subject.mjs', 'load', 'tfjs-wasm', options);
      process.end();
      return importMs + loadMs + firstMs;
    };
    const engines = enginesOf(values.node);
    return measure(Object.fromEntries(engines.map((engine) => [`tfjs-wasm on Node ${engine.major}`, start(engine)])));
  });
}
