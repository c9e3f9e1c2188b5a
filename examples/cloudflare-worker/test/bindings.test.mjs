/** Weights by each binding, against stand-ins: the network's answer is the one that a file gives. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { openWeights } from '../bindings.mjs';
import { createService } from '../service.mjs';
import { digitsWeights, goldens, scene } from './inputs.mjs';

const bytes = readFileSync(digitsWeights);

/** A bucket of one object, with what of R2's interface is used; its object changes after so many reads. */
function bucketOf(changesAfter = Infinity) {
  let reads = 0;
  const etag = () => (reads > changesAfter ? 'second' : 'first');
  return {
    async head(key) {
      return key === 'weights.safetensors' ? { size: bytes.length, etag: etag() } : null;
    },
    async get(key, { range: { offset, length }, onlyIf: { etagMatches } }) {
      reads++;
      assert.equal(key, 'weights.safetensors');
      // R2 gives the object without a body where the condition fails.
      if (etagMatches !== etag()) return { size: bytes.length, etag: etag() };
      return new Response(bytes.subarray(offset, offset + length));
    },
  };
}

const answerOf = (env) => {
  const withWeights = async (use) => use(await openWeights(env));
  const service = createService({ model: 'digits', withWeights, decodeJpeg: () => assert.fail() });
  const headers = { 'content-type': 'image/png', accept: 'application/octet-stream' };
  return service(new Request('http://service/mask', { method: 'POST', body: scene, headers }));
};

describe('weights', () => {
  it('come from static assets, a bucket or a URL', async () => {
    const server = createServer((_, response) => response.end(bytes)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const asked = [];
      const assets = {
        async fetch(url) {
          asked.push(String(url));
          return new Response(bytes);
        },
      };
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      for (const env of [
        { WEIGHTS: assets },
        { WEIGHTS_BUCKET: bucketOf() },
        { WEIGHTS_URL: `http://127.0.0.1:${port}/weights.safetensors` },
      ]) {
        const answer = await answerOf(env);
        assert.equal(answer.status, 200);
        assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), goldens.get('argmax').data);
      }
      assert.equal(new URL(asked[0]).pathname, '/weights.safetensors');
    } finally {
      server.close();
    }
  });

  it('of an object that changes while it is read, of an empty bucket, and of no binding are refused', async (t) => {
    const printed = t.mock.method(console, 'error', () => {});
    const changed = 'expected the weights that were opened, got others';
    const cases = [
      [{ WEIGHTS_BUCKET: bucketOf(1) }, changed],
      [{ WEIGHTS_BUCKET: { head: async () => null } }, 'expected weights.safetensors in the bucket, got none'],
      [{}, 'expected a binding WEIGHTS, WEIGHTS_BUCKET or WEIGHTS_URL, got none'],
    ];
    for (const [env, message] of cases) {
      const answer = await answerOf(env);
      assert.equal(answer.status, 503);
      assert.equal((await answer.json()).error.code, 'ERR_WEIGHTS');
      assert.equal(printed.mock.calls.at(-1).arguments[0].message, message);
    }
  });
});
