/**
 * The same service on Node, Deno and Bun, whatever clients send. Deno and Bun are those on PATH; where there is none,
 * they are skipped.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decode } from 'fast-png';
import { badInputs } from './bad-inputs.mjs';
import { ask, beginUpload, raw, send } from './http.mjs';
import { goldens, scene } from './inputs.mjs';

const HOSTS = [
  { name: 'Node', command: process.execPath, args: ['node.mjs'] },
  {
    name: 'Deno',
    command: 'deno',
    args: ['run', '--no-remote', '--allow-read', '--allow-net', '--allow-env', 'deno.mjs'],
  },
  { name: 'Bun', command: 'bun', args: ['bun.mjs'] },
];

/** Requests that no browser sends. */
const ODD = [
  'GET / HTTP/1.1\r\nHost: [\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
  'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'TRACK / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /%zz?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'POST /mask HTTP/1.1\r\nHost: localhost\r\ncontent-type: image/png\r\ncontent-length: 1\r\n\r\n\0\0\0',
  'POST /mask HTTP/1.1\r\nHost: localhost\r\ncontent-type: \x80\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  'no HTTP\r\n\r\n',
];

for (const { name, command, args } of HOSTS) {
  const isThere = spawnSync(command, ['--version']).status === 0;
  describe(`on ${name}`, { skip: isThere ? false : `${command} is not on PATH` }, () => {
    let host;
    let url;
    before(async () => {
      const env = { ...process.env, PORT: '0', DENO_NO_UPDATE_CHECK: '1' };
      const cwd = fileURLToPath(new URL('..', import.meta.url));
      host = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
      url = await new Promise((resolve, reject) => {
        let printed = '';
        const read = (text) => {
          printed += text;
          const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed);
          if (found) resolve(found[0]);
        };
        host.stdout.on('data', read);
        host.stderr.on('data', read);
        host.once('error', reject);
        host.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${printed}`)));
      });
    });
    after(() => host.kill());

    it('segments the scene, refuses what is no image, and goes on', async () => {
      for (let i = 0; i < 2; i++) {
        const mask = decode(new Uint8Array((await ask(url, '/mask', scene)).body));
        assert.deepEqual([...mask.data], [...goldens.get('argmax').data]);
        const refusal = await ask(url, '/mask', Buffer.from('no image'));
        assert.equal(refusal.status, 400);
        assert.equal(JSON.parse(refusal.body).error.code, 'ERR_IMAGE');
      }
    });

    it('goes on after requests that no browser sends', async () => {
      for (const text of ODD) {
        const status = await raw(url, text);
        assert.ok(status < 500 || status === 501, `${status} to ${JSON.stringify(text)}`);
        assert.equal((await ask(url, '/mask', scene)).status, 200, text);
      }
    });

    it('shuts nobody out while forty clients send slowly', async () => {
      const slow = await Promise.all(Array.from({ length: 40 }, () => beginUpload(`${url}/mask`, scene)));
      for (let i = 0; i < 3; i++) assert.equal((await ask(url, '/mask', scene)).status, 200);
      for (const { leave } of slow.splice(20)) leave();
      for (const { finish } of slow) assert.equal(await finish(), 200);
      assert.equal((await ask(url, '/mask', scene)).status, 200);
    });

    if (name !== 'Node') return;

    it('says what is wrong to clients that are still sending', async () => {
      for (const { claim, path = '/features', init, status, code, message } of await badInputs()) {
        const answer = await send(url + path, init);
        assert.deepEqual(answer, { status, error: { code, message } }, claim);
      }
      assert.equal((await ask(url, '/mask', scene)).status, 200);
    });

    it('takes no host or target that makes no URL, and no method but its own', async () => {
      assert.deepEqual(
        await Promise.all(ODD.slice(0, 7).map((text) => raw(url, text))),
        [400, 400, 405, 400, 400, 400, 404],
      );
    });
  });
}
