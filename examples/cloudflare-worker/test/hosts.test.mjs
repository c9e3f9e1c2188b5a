/** The same service on Node, Deno and Bun. The latter two are those of test/bundle; where that isn't installed, they are skipped. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decode } from 'fast-png';
import { loadSafetensors } from 'layertap';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const scene = await readFile(path('../../digits/scene.png'));
const golden = loadSafetensors(await readFile(path('../../digits/golden.safetensors'))).get('argmax');

const installed = (name) => path(`../../../test/bundle/node_modules/${name}`);
const HOSTS = [
  { name: 'Node', command: process.execPath, args: ['node.mjs'] },
  {
    name: 'Deno',
    command: installed('@deno/linux-x64-glibc/deno'),
    args: ['run', '--no-remote', '--allow-read', '--allow-net', '--allow-env', 'deno.mjs'],
  },
  { name: 'Bun', command: installed('@oven/bun-linux-x64/bin/bun'), args: ['bun.mjs'] },
];

for (const { name, command, args } of HOSTS) {
  describe(`on ${name}`, { skip: existsSync(command) ? false : `${name} is not installed in test/bundle` }, () => {
    it('segments the scene, refuses what is no image, and goes on', async () => {
      const env = { ...process.env, PORT: '0', DENO_NO_UPDATE_CHECK: '1' };
      const host = spawn(command, args, { cwd: path('..'), env, stdio: ['ignore', 'pipe', 'pipe'] });
      try {
        const url = await new Promise((resolve, reject) => {
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
        const ask = (body) => fetch(`${url}/mask`, { method: 'POST', body, headers: { 'content-type': 'image/png' } });
        for (let i = 0; i < 2; i++) {
          const mask = decode(new Uint8Array(await (await ask(scene)).arrayBuffer()));
          assert.deepEqual([...mask.data], [...golden.data]);
          const refusal = await ask('no image');
          assert.equal(refusal.status, 400);
          assert.equal((await refusal.json()).error.code, 'ERR_IMAGE');
        }
      } finally {
        host.removeAllListeners('exit');
        host.kill();
      }
    });
  });
}
