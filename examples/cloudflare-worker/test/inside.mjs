/**
 * ResNet-50 in f16 inside the Worker, as a data module: `node test/inside.mjs [--starts 3] [--requests 20]`. Printed
 * are the module's size, workerd's processor time (until it listens, for the first request, for each later one), and
 * the isolate's memory as V8 counts it: JavaScript's objects and all buffers, the module and WebAssembly's memory among
 * them. Beside it stands the same service whose weights are an asset, so that the difference at the start is the
 * module's. Needs Linux, and Node 22 or newer for its WebSocket.
 */

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startWorkerd } from '../workerd-server.mjs';
import { ask } from './http.mjs';
import { generatedWeights, picture } from './inputs.mjs';

const model = 'resnet50';
const { values } = parseArgs({
  options: { starts: { type: 'string', default: '3' }, requests: { type: 'string', default: '20' } },
});
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

const folder = mkdtempSync(join(tmpdir(), 'layertap-inside-'));
try {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, generatedWeights(model, { half: true }));
  console.log(`${model} up to layer4 in f16: ${(statSync(weights).size / 1e6).toFixed(1)} MB`);
  const photo = await picture(1, { format: 'jpeg', width: 1920, height: 1080 });
  for (const file of ['workerd.mjs', 'workerd-inside.mjs']) {
    const runs = [];
    for (let i = 0; i < Number(values.starts); i++) runs.push(await run(file, weights, photo));
    const of = (key) => median(runs.map((one) => one[key])).toFixed(0);
    console.log(
      `${file}: processor ms: start ${of('startMs')}, first request ${of('firstMs')}, later ${of('laterMs')}`,
    );
    console.log(
      `${file}: isolate MB: start ${of('startMB')}, first request ${of('firstMB')}, most later ${of('laterMB')}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** A start, and requests one after the other. */
async function run(file, weights, photo) {
  const entry = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const worker = await startWorkerd({ weights, model, entry, inspects: true });
  try {
    const times = [processorMs(worker.pid)];
    const isolateMB = await inspected(worker.inspector);
    const startMB = await isolateMB();
    await embed();
    times.push(processorMs(worker.pid));
    const firstMB = await isolateMB();
    let laterMB = 0;
    for (let i = 0; i < Number(values.requests); i++) {
      await embed();
      laterMB = Math.max(laterMB, await isolateMB());
    }
    times.push(processorMs(worker.pid));
    const [startMs, firstMs, allMs] = times.map((time, i) => time - (times[i - 1] ?? 0));
    return { startMs, firstMs, laterMs: allMs / Number(values.requests), startMB, firstMB, laterMB };
  } finally {
    await worker.stop();
  }

  async function embed() {
    const { status } = await ask(worker.url, '/embedding', photo, 'image/jpeg');
    if (status !== 200) throw new Error(`expected 200, got ${status}`);
  }
}

/** Of all threads of a process, in ticks of 10 ms. */
function processorMs(pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

/** A function that asks V8 for an isolate's memory, in MB. */
async function inspected(url) {
  const [{ webSocketDebuggerUrl }] = await (await fetch(`${url}/json`)).json();
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((done, fail) => {
    socket.onopen = done;
    socket.onerror = () => fail(new Error(`expected V8's inspector at ${webSocketDebuggerUrl}, got none`));
  });
  return () =>
    new Promise((done) => {
      socket.onmessage = ({ data }) => {
        const { result } = JSON.parse(data);
        if (result) done((result.totalSize + result.embedderHeapUsedSize + result.backingStorageSize) / 1e6);
      };
      socket.send(JSON.stringify({ id: 1, method: 'Runtime.getHeapUsage' }));
    });
}
