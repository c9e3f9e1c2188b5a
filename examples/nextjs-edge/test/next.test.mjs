/** The application as it is deployed: built, served, and asked for a map, which is compared with Node's. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IntermediateLayerGetter, imageFromRgba, loadSafetensors, semanticSegmentation } from 'layertap';
import { heatmap, overlay } from 'layertap/tools';
import sharp from 'sharp';
import { digitsNetwork } from '../digits/network.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));
const next = fileURLToPath(new URL('../node_modules/next/dist/bin/next', import.meta.url));
const read = (file) => readFileSync(new URL(file, import.meta.url));

/** Neighbours among a colour map's 256 colours are at most so far apart; a binary's last bits may tell them apart. */
const SHADE = 5;

/** Runs Next.js. */
const start = (...args) =>
  spawn(process.execPath, [next, ...args], {
    cwd: folder,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });

describe('the application', () => {
  let server;
  let url;

  before(async () => {
    const [code] = await once(start('build', '--turbopack'), 'exit');
    assert.equal(code, 0, 'next build');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    server = start('start', '--hostname', '127.0.0.1', '--port', String(port));
    await listening(url, server);
  });
  after(async () => {
    if (server?.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill();
    await ended;
  });

  const post = (query, body) => fetch(`${url}/tap?${query}`, { method: 'POST', body });

  it('has a page that asks for a photo', async () => {
    assert.match(await (await fetch(url)).text(), /<input type="file"/);
  });

  it("draws layer4's map over a picture on the edge, as Node does, request by request", async () => {
    const { data, info } = await sharp(read('scene.png')).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const image = imageFromRgba(data, width, height);
    const getter = new IntermediateLayerGetter(digitsNetwork(), { 'backbone.layer4': 'out' });
    getter.loadStateDict(loadSafetensors(read('../digits/weights.safetensors')), { strict: false });
    const feature = getter.forward(semanticSegmentation(image, { resizeSize: null })).get('out');
    const expected = overlay(image, heatmap(feature, { width, height })).data;
    for (let request = 0; request < 2; request++) {
      const response = await post(`width=${width}&height=${height}`, data);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('x-shape'), '[1, 64, 32, 40]');
      const actual = new Uint8Array(await response.arrayBuffer());
      assert.equal(actual.length, expected.length);
      const worst = actual.reduce((most, byte, i) => Math.max(most, Math.abs(byte - expected[i])), 0);
      assert.ok(worst <= SHADE, `${worst} of 255`);
    }
  });

  it('refuses sizes out of bounds, and bodies of another length', async () => {
    const cases = [
      ['width=0&height=4', '', 'tap: expected width and height from 1 to 256, got width=0&height=4'],
      ['width=257&height=4', '', 'tap: expected width and height from 1 to 256, got width=257&height=4'],
      ['height=4', '', 'tap: expected width and height from 1 to 256, got height=4'],
      ['width=2&height=2', 'x'.repeat(15), 'tap: expected 16 bytes of RGBA, got more or less'],
      ['width=2&height=2', 'x'.repeat(17), 'tap: expected 16 bytes of RGBA, got more or less'],
    ];
    for (const [query, body, message] of cases) {
      const response = await post(query, body);
      assert.deepEqual([response.status, await response.text()], [400, message]);
    }
  });
});

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Asks until the server answers. */
async function listening(url, server) {
  while (server.exitCode === null) {
    try {
      return await fetch(url);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`next start: expected it to listen, got exit code ${server.exitCode}`);
}
