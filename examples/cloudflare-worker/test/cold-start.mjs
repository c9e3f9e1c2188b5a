/**
 * From a cold isolate to the first feature: `node test/cold-start.mjs [--starts N] [--peer]`. Each start is a new workerd whose first
 * request builds MobileNetV3-large, reads its weights (generated, 12 MB), packs them, compiles a plan and runs it. The import is
 * timed in an isolate of its own. With `--peer`, each start is followed by one of tfjs-wasm in Node, from its import to its
 * first result, by the benchmarks' means: this machine's other work slows both.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startWorkerd } from '../workerd-server.mjs';
import { generatedWeights } from './inputs.mjs';

const { values } = parseArgs({
  options: { starts: { type: 'string', default: '5' }, peer: { type: 'boolean', default: false } },
});
const model = 'mobilenet_v3_large';

const folder = mkdtempSync(join(tmpdir(), 'layertap-cold-'));
try {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, generatedWeights(model));
  const rows = [];
  const measure = async (startPeer) => {
    for (let i = 0; i < Number(values.starts); i++) {
      const { importMs } = await answer('import-worker.mjs', weights);
      const { build, load, first, second } = await answer('cold-worker.mjs', weights);
      rows.push({ import: importMs, build, load, first, total: importMs + build + load + first, second });
      if (startPeer) rows.at(-1)['tfjs-wasm'] = await startPeer();
    }
  };
  await (values.peer ? withPeer(measure) : measure(null));
  const least = (key) => Math.min(...rows.map((row) => row[key]));
  const listed = Object.keys(rows[0]).map((key) => `${key} ${least(key).toFixed(1)}`);
  console.log(`${model} on workerd, least of ${rows.length} starts in ms: ${listed.join(', ')}`);
  if (values.peer) console.log(`cold start / tfjs-wasm's: ${(least('total') / least('tfjs-wasm')).toFixed(2)}`);
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

/** Gives a function that starts tfjs-wasm in a process of its own, and returns its milliseconds. */
async function withPeer(measure) {
  const bench = '../../../bench';
  const { enginesOf } = await import(`${bench}/engines.mjs`);
  const { modelOf } = await import(`${bench}/models.mjs`);
  const { Process } = await import(`${bench}/process.mjs`);
  const { withBundle } = await import(`${bench}/write-bundle.mjs`);
  const [engine] = enginesOf();
  await withBundle(modelOf(model), ['tfjs-wasm'], {}, (bundle) =>
    measure(async () => {
      const process = new Process(engine, 0);
      const options = { model, folder: bundle.folder, threads: 1 };
      const { importMs, loadMs, firstMs } = await process.call('subject.mjs', 'load', 'tfjs-wasm', options);
      process.end();
      return importMs + loadMs + firstMs;
    }),
  );
}
