/**
 * From a cold isolate to the first feature: `node test/cold-start.mjs [--starts N]`. Each start is a new workerd with MobileNetV3-large
 * (generated weights, 22 MB); what is timed is the first request of all, which reads and packs the weights, compiles the plan,
 * decodes the picture, and computes. The import is timed in an isolate of its own.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startWorkerd } from '../workerd-server.mjs';
import { generatedWeights, picture } from './inputs.mjs';

const { values } = parseArgs({ options: { starts: { type: 'string', default: '5' } } });
const starts = Number(values.starts);
const model = 'mobilenet_v3_large';

const folder = mkdtempSync(join(tmpdir(), 'layertap-cold-'));
try {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, generatedWeights(model));
  const body = await picture(1, { width: 256, height: 256 });
  const init = { method: 'POST', body, headers: { 'content-type': 'image/png' } };
  const rows = [];
  for (let i = 0; i < starts; i++) {
    const worker = await startWorkerd({ weights, model });
    rows.push({ ...(await timed(worker, init)), ...(await importOf(weights)) });
    await worker.stop();
  }
  const least = (key) => Math.min(...rows.map((row) => row[key]));
  const say = Object.keys(rows[0]).map((key) => `${key} ${least(key).toFixed(1)}`);
  console.log(`${model} on workerd, least of ${starts} starts: ${say.join(', ')}`);
} finally {
  rmSync(folder, { recursive: true });
}

/** The first and, for comparison, a later request. */
async function timed({ url, pid }, init) {
  const ask = async () => {
    const cpu = cpuMs(pid);
    const begin = performance.now();
    const response = await fetch(`${url}/embedding`, init);
    const { embedding } = await response.json();
    if (!(embedding.length > 0)) throw new Error('cold-start: expected an embedding');
    return { wallMs: performance.now() - begin, cpuMs: cpuMs(pid) - cpu };
  };
  // The client's own first request is slower than its others.
  await fetch(url);
  const first = await ask();
  let laterMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 6; i++) laterMs = Math.min(laterMs, (await ask()).wallMs);
  return { firstMs: first.wallMs, firstCpuMs: first.cpuMs, laterMs };
}

/** The import of the package alone, in an isolate that has nothing else. */
async function importOf(weights) {
  const worker = await startWorkerd({ weights, entry: fileURLToPath(new URL('import-worker.mjs', import.meta.url)) });
  const { importMs } = await (await fetch(worker.url)).json();
  await worker.stop();
  return { importMs };
}

/** Time on a CPU of all of a process's threads. */
function cpuMs(pid) {
  return readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
    0,
  );
}
