/** The worker on workerd, bundled as a deployment would be, with an isolate's limits: 100 MiB for a WebAssembly memory among them. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSafetensors } from 'layertap';
import { localService } from '../local.mjs';
import { startWorkerd } from '../workerd-server.mjs';
import { badInputs } from './bad-inputs.mjs';
import { generatedWeights, picture } from './inputs.mjs';

/** How much garbage in ArrayBuffers V8 lets lie between two full collections. A leak of one picture a request would be several times as much. */
const GARBAGE_MB = 64;

const CLIENTS = 32;
/** More of them show what memory does for longer. */
const REQUESTS = Number(process.env.REQUESTS ?? 1000);

const folder = mkdtempSync(join(tmpdir(), 'layertap-weights-'));
after(() => rmSync(folder, { recursive: true }));

const digitsWeights = fileURLToPath(new URL('../../digits/weights.safetensors', import.meta.url));
const scene = await readFile(new URL('../../digits/scene.png', import.meta.url));
const golden = loadSafetensors(await readFile(new URL('../../digits/golden.safetensors', import.meta.url))).get(
  'argmax',
);

/** Resident memory of a process, in MB. */
function residentMb(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** @param {string} path @param {Uint8Array} body */
async function ask(url, path, body, type = 'image/png') {
  const response = await fetch(url + path, { method: 'POST', body, headers: { 'content-type': type } });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()), headers: response.headers };
}

/** As fetch, but with the Content-Length that it is told, and an answer may come before the body's end. */
async function send(url, { method, headers, body = null }) {
  const sent = request(url, { method, headers });
  sent.on('error', () => {});
  const answered = once(sent, 'response');
  if (body instanceof ReadableStream) Readable.fromWeb(body).pipe(sent);
  else if (headers?.['content-length']) sent.write(body);
  else sent.end(body);
  const [response] = await answered;
  const { error } = JSON.parse(Buffer.concat(await response.toArray()));
  sent.destroy();
  return { status: response.statusCode, error };
}

/** Sends all requests from so many clients, each one after the other. */
async function load(requests, clients, send) {
  let next = 0;
  const client = async () => {
    while (next < requests) await send(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('the digits network', () => {
  let worker;
  before(async () => {
    worker = await startWorkerd({ weights: digitsWeights });
  });
  after(() => worker.stop());

  it('segments the scene', async () => {
    const response = await fetch(`${worker.url}/mask`, {
      method: 'POST',
      body: scene,
      headers: { 'content-type': 'image/png', accept: 'application/octet-stream' },
    });
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(golden.data));
  });

  it('refuses what is wrong, and goes on', async () => {
    for (const { claim, path = '/features', init, status, code, message } of await badInputs()) {
      const answer = await send(worker.url + path, init);
      assert.deepEqual(answer, { status, error: { code, message } }, claim);
    }
    assert.equal((await ask(worker.url, '/mask', scene)).status, 200);
    assert.equal((await ask(worker.url, '/mask', await picture(1, { width: 1, height: 1 }))).status, 200);
  });

  it('keeps no place for clients that went away', async () => {
    // More than all places, all of which leave before there is an answer.
    await Promise.all(
      Array.from({ length: 64 }, async (_, i) => {
        const controller = new AbortController();
        const body = new ReadableStream({
          start: (stream) => stream.enqueue(scene.subarray(0, 1000)),
          pull: () => controller.abort(),
        });
        const headers = { 'content-type': 'image/png' };
        const init = { method: 'POST', body, headers, duplex: 'half', signal: controller.signal };
        await assert.rejects(fetch(`${worker.url}/mask?${i}`, init));
      }),
    );
    await load(40, 4, async () => assert.equal((await ask(worker.url, '/mask', scene)).status, 200));
  });

  it('answers 200 or 429 above its capacity, and right where it is 200', async () => {
    const { body: expected } = await ask(worker.url, '/mask', scene);
    const counts = { 200: 0, 429: 0 };
    await load(400, 100, async () => {
      const { status, body, headers } = await ask(worker.url, '/mask', scene);
      counts[status]++;
      if (status === 200) assert.deepEqual(body, expected);
      else assert.equal(headers.get('retry-after'), '1');
    });
    assert.equal(counts[200] + counts[429], 400);
    assert.ok(counts[200] > 0 && counts[429] > 0, JSON.stringify(counts));
  });
});

for (const { model, path } of [
  { model: 'digits', path: '/features' },
  { model: 'resnet18', path: '/embedding' },
]) {
  describe(`under load, ${model}`, () => {
    let worker;
    let weights = digitsWeights;
    before(async () => {
      if (model !== 'digits') {
        weights = join(folder, `${model}.safetensors`);
        writeFileSync(weights, generatedWeights(model));
      }
      worker = await startWorkerd({ weights, model });
    });
    after(() => worker.stop());

    it(`answers ${REQUESTS} requests of ${CLIENTS} clients right, in flat memory`, async (t) => {
      const pictures = await Promise.all(
        Array.from({ length: 8 }, async (_, seed) => {
          const format = seed % 2 === 0 ? 'png' : 'jpeg';
          const body = await picture(seed, { format, width: 160, height: 128 });
          return { body, type: `image/${format}` };
        }),
      );
      // The first answers are compared with those of Node, the others with the first ones.
      const here = await localService({ model, weights });
      const expected = [];
      for (const { body, type } of pictures) {
        const answer = await ask(worker.url, path, body, type);
        assert.equal(answer.status, 200);
        const init = { method: 'POST', body, headers: { 'content-type': type } };
        const reference = Buffer.from(await (await here(new Request(`http://here${path}`, init))).arrayBuffer());
        const [actual, same] = [answer.body, reference].map((bytes) => valuesOf(path, bytes));
        // Node 20 rounds products that others fuse.
        const worst = largest(same.map((value, i) => value - actual[i])) / largest(same);
        assert.ok(same.length === actual.length && worst < 1e-4, `${worst}`);
        expected.push(answer.body);
      }
      let lost = 0;
      const residents = [];
      await load(REQUESTS, CLIENTS, async (number) => {
        const { body, type } = pictures[number % pictures.length];
        const answer = await ask(worker.url, path, body, type);
        if (answer.status !== 200 || !answer.body.equals(expected[number % pictures.length])) lost++;
        residents.push(residentMb(worker.pid));
      });
      assert.equal(lost, 0);
      const early = Math.max(...residents.slice(300, 500));
      const late = Math.max(...residents.slice(-300));
      for (let end = 1000; end <= REQUESTS; end += 1000) {
        const most = Math.max(...residents.slice(end - 300, end));
        t.diagnostic(`${model}: resident ${most.toFixed(0)} MB after ${end} requests`);
      }
      t.diagnostic(`${model}: resident ${early.toFixed(0)} MB early, ${late.toFixed(0)} MB late`);
      assert.ok(late < early + GARBAGE_MB, `resident memory grew from ${early} to ${late} MB`);
    });
  });
}

function valuesOf(path, bytes) {
  if (path === '/embedding') return JSON.parse(bytes).embedding;
  return [...loadSafetensors(new Uint8Array(bytes)).values()].flatMap(({ data }) => [...data]);
}
