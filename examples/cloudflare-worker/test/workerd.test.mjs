/**
 * The worker on workerd, bundled as a deployment would be, with an isolate's limits: 100 MiB for a WebAssembly memory
 * among them.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSafetensors } from 'layertap';
import { localService } from '../local.mjs';
import { startWorkerd } from '../workerd-server.mjs';
import { badInputs } from './bad-inputs.mjs';
import { ask, beginUpload, load, send } from './http.mjs';
import { digitsWeights as digitsUrl, generatedWeights, goldens, picture, scene } from './inputs.mjs';

/**
 * How much garbage in ArrayBuffers V8 lets lie between two full collections. A leak of one picture a request would be
 * several times as much.
 */
const GARBAGE_MB = 64;

const CLIENTS = 32;
/** More of them show what memory does for longer. */
const REQUESTS = Number(process.env.REQUESTS ?? 1000);

const folder = mkdtempSync(join(tmpdir(), 'layertap-weights-'));
after(() => rmSync(folder, { recursive: true }));

const digitsWeights = fileURLToPath(digitsUrl);

/** Resident memory of a process, in MB. */
function residentMb(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
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
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(goldens.get('argmax').data));
  });

  it('refuses what is wrong, and goes on', async () => {
    for (const { claim, path = '/features', init, status, code, message } of await badInputs()) {
      const answer = await send(worker.url + path, init);
      assert.deepEqual(answer, { status, error: { code, message } }, claim);
    }
    assert.equal((await ask(worker.url, '/mask', scene)).status, 200);
    assert.equal((await ask(worker.url, '/mask', await picture(1, { width: 1, height: 1 }))).status, 200);
  });

  it('answers clients whose uploads take long, and others meanwhile', async () => {
    // Twice as many as there once were places; the first request of an isolate, which loads the network, is one of
    // them.
    const fresh = await startWorkerd({ weights: digitsWeights });
    try {
      for (let round = 0; round < 2; round++) {
        const slow = await Promise.all(Array.from({ length: 8 }, () => beginUpload(`${fresh.url}/mask`, scene)));
        for (let i = 0; i < 3; i++) assert.equal((await ask(fresh.url, '/mask', scene)).status, 200);
        const finished = slow.map(({ finish }) => finish());
        assert.deepEqual(await Promise.all(finished), Array(8).fill(200));
      }
    } finally {
      await fresh.stop();
    }
  });

  it('loads the network for all although the client that came first goes away', async () => {
    const fresh = await startWorkerd({ weights: digitsWeights });
    try {
      const first = await beginUpload(`${fresh.url}/mask`, scene);
      first.leave();
      assert.equal((await ask(fresh.url, '/mask', scene)).status, 200);
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(fresh.url, '/mask', scene)));
      for (const { status } of answers) assert.equal(status, 200);
    } finally {
      await fresh.stop();
    }
  });

  it('shuts nobody out while forty clients send slowly, and forgets them when they leave', async () => {
    const slow = await Promise.all(Array.from({ length: 40 }, () => beginUpload(`${worker.url}/mask`, scene)));
    for (let i = 0; i < 3; i++) assert.equal((await ask(worker.url, '/mask', scene)).status, 200);
    for (const { leave } of slow) leave();
    await load(40, 4, async () => assert.equal((await ask(worker.url, '/mask', scene)).status, 200));
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

describe('ResNet-50 in f16 inside the Worker, as a data module', () => {
  it('answers as on Node, also after the module has been given up', async () => {
    const weights = join(folder, 'inside.safetensors');
    writeFileSync(weights, generatedWeights('resnet50', { half: true }));
    const entry = fileURLToPath(new URL('../workerd-inside.mjs', import.meta.url));
    const worker = await startWorkerd({ weights, model: 'resnet50', entry });
    try {
      const here = await localService({ model: 'resnet50', weights });
      for (let seed = 0; seed < 2; seed++) {
        const body = await picture(seed);
        const answer = await ask(worker.url, '/embedding', body);
        assert.equal(answer.status, 200, String(answer.body));
        const init = { method: 'POST', body, headers: { 'content-type': 'image/png' } };
        const same = (await (await here(new Request('http://here/embedding', init))).json()).embedding;
        const actual = valuesOf('/embedding', answer.body);
        const worst = largest(same.map((value, i) => value - actual[i])) / largest(same);
        assert.ok(same.length === 2048 && worst < 1e-4, `${worst}`);
      }
    } finally {
      await worker.stop();
    }
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
      /** How often what came instead of the right answer. @type {Record<string, number>} */
      const lost = {};
      const residents = [];
      await load(REQUESTS, CLIENTS, async (number) => {
        const { body, type } = pictures[number % pictures.length];
        const answer = await ask(worker.url, path, body, type);
        const isRight = answer.status === 200 && answer.body.equals(expected[number % pictures.length]);
        const what = answer.status === 200 ? 'another answer' : `${answer.status} ${answer.body}`;
        if (!isRight) lost[what] = (lost[what] ?? 0) + 1;
        residents.push(residentMb(worker.pid));
      });
      assert.deepEqual(lost, {});
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
