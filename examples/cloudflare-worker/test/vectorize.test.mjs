/** Storing and querying vectors, against a stand-in for a Vectorize index that refuses what Vectorize refuses. */

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { localService } from '../local.mjs';
import { withVectorize } from '../vectorize.mjs';
import { scene } from './inputs.mjs';

const DIMENSIONS = 64;
const TOKEN = 'a token';
const bytes = (text) => Buffer.byteLength(text);

/** An index in memory, with Vectorize's documented limits. */
class StandIn {
  stored = new Map();
  calls = 0;

  async upsert(vectors) {
    this.calls++;
    assert.ok(Array.isArray(vectors) && vectors.length <= 1000);
    for (const { id, namespace, values, ...others } of vectors) {
      assert.deepEqual(others, {});
      assert.ok(typeof id === 'string' && bytes(id) >= 1 && bytes(id) <= 64);
      assert.ok(typeof namespace === 'string' && bytes(namespace) <= 64);
      this.#check(values);
      this.stored.set(id, { namespace, values });
    }
    return { mutationId: `mutation-${this.calls}` };
  }

  async query(vector, { topK, namespace, ...others }) {
    this.calls++;
    assert.deepEqual(others, {});
    assert.ok(Number.isInteger(topK) && topK >= 1 && topK <= 100);
    this.#check(vector);
    const matches = [...this.stored]
      .filter(([, entry]) => entry.namespace === namespace)
      .map(([id, { values }]) => ({ id, namespace, score: cosine(values, vector) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK);
    return { matches, count: matches.length };
  }

  #check(values) {
    assert.ok(Array.isArray(values) && values.length === DIMENSIONS && values.every(Number.isFinite));
  }
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

const plain = await localService();

describe('vectors in Vectorize', () => {
  let index;
  let service;
  beforeEach(() => {
    index = new StandIn();
    service = withVectorize(plain, { index, namespace: 'digits', token: TOKEN });
  });

  const ask = (method, path, { body = scene, type = 'image/png', token = TOKEN, of = service } = {}) => {
    const headers = { 'content-type': type, ...(token && { authorization: `Bearer ${token}` }) };
    return of(new Request(`http://service${path}`, { method, body, headers, duplex: 'half' }));
  };
  const refusal = async (answer) => {
    const { status, headers } = await answer;
    const { error } = await (await answer).json();
    return [status, error.code, error.message, headers.get('allow')];
  };

  it("stores an image's embedding under its id, in the model's namespace", async () => {
    const answer = await ask('PUT', '/vectors/photos%2Fa%20b.png');
    assert.deepEqual([answer.status, await answer.json()], [202, { id: 'photos/a b.png', mutationId: 'mutation-1' }]);
    const { embedding } = await (await ask('POST', '/embedding')).json();
    assert.deepEqual([...index.stored], [['photos/a b.png', { namespace: 'digits', values: embedding }]]);
  });

  it('finds what is nearest, of its namespace alone', async () => {
    await ask('PUT', '/vectors/same');
    const { values } = index.stored.get('same');
    index.stored.set('turned', { namespace: 'digits', values: values.map((value) => -value) });
    index.stored.set('other', { namespace: 'resnet18', values });
    const { matches } = await (await ask('POST', '/similar', { token: '' })).json();
    assert.deepEqual(
      matches.map(({ id }) => id),
      ['same', 'turned'],
    );
    assert.deepEqual(Object.keys(matches[0]), ['id', 'score']);
    for (const [i, score] of [1, -1].entries()) assert.ok(Math.abs(matches[i].score - score) < 1e-9);
  });

  it('stores nothing for who has another token, or none, or where there is none', async () => {
    const message = 'expected the token of those who may store';
    const closed = withVectorize(plain, { index, namespace: 'digits', token: undefined });
    for (const options of [{ token: '' }, { token: 'another' }, { of: closed }, { of: closed, token: 'undefined' }]) {
      assert.deepEqual(await refusal(ask('PUT', '/vectors/a', options)), [401, 'ERR_TOKEN', message, null]);
    }
    assert.equal(index.calls, 0);
  });

  it('refuses other methods, ids that Vectorize refuses, and what the service refuses', async () => {
    const method = (expected, got) => [405, 'ERR_METHOD', `expected ${expected}, got ${got}`, expected];
    assert.deepEqual(await refusal(ask('POST', '/vectors/a')), method('PUT', 'POST'));
    assert.deepEqual(await refusal(ask('PUT', '/similar')), method('POST', 'PUT'));
    const id = (got) => [400, 'ERR_ID', `expected an id of 1 to 64 bytes, got ${got}`, null];
    assert.deepEqual(await refusal(ask('PUT', '/vectors/')), id('0'));
    assert.deepEqual(await refusal(ask('PUT', `/vectors/${'a'.repeat(63)}%C3%A9`)), id('65'));
    assert.deepEqual(await refusal(ask('PUT', '/vectors/%FF')), id('one that is no UTF-8'));
    const [status, code] = await refusal(ask('POST', '/similar', { type: 'text/plain' }));
    assert.deepEqual([status, code], [415, 'ERR_CONTENT_TYPE']);
    assert.equal(index.calls, 0);
  });

  it('leaves every other path to the service', async () => {
    assert.equal((await ask('POST', '/mask')).headers.get('content-type'), 'image/png');
  });
});
