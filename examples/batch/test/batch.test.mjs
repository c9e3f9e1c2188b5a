/** 2,000 images, two workers, one of which is killed in the middle. Needs Debian's redis-server; without it, nothing is tested. */

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { loadSafetensors } from 'layertap';
import sharp from 'sharp';
import { createEmbedding } from '../embedding.mjs';
import { QUEUE } from '../queue.mjs';

const IMAGES = 2000;
/** Long enough that a busy machine renews it, short enough to wait for. */
const LOCK_MS = 3000;
const DEADLINE_MS = 240_000;

const program = (name) => fileURLToPath(new URL(`../${name}.mjs`, import.meta.url));
const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

describe('a batch', { skip: hasRedis ? false : 'redis-server is not installed' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-batch-'));
  const images = join(folder, 'images');
  const children = new Set();
  let env;
  let redis;

  function start(command, args, options) {
    const child = spawn(command, args, options);
    children.add(child);
    child.ended = new Promise((resolve) => child.once('exit', resolve)).then(() => children.delete(child));
    return child;
  }

  const run = async (name, ...args) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program(name), ...args], { env });
    return stdout.trim();
  };

  /** Starts a worker, and resolves once it takes jobs. */
  async function work() {
    const child = start(process.execPath, [program('work')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child;
  }

  /** Asks until there are so many results. */
  async function results(count) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const there = await redis.hlen('layertap-results');
      if (there >= count) return there;
      assert.ok(Date.now() < deadline, `${there} of ${count} results in time`);
      await setTimeout(20);
    }
  }

  before(async () => {
    mkdirSync(join(images, 'more'), { recursive: true });
    for (let n = 0; n < IMAGES; n++) {
      const colours = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => (n * 37 + i * (n % 251)) % 256);
      const picture = sharp(colours, { raw: { width: 4, height: 4, channels: 3 } }).resize(40, 32, { fit: 'fill' });
      writeFileSync(join(images, n % 2 ? 'more' : '', `${n}.png`), await picture.png().toBuffer());
    }
    const port = await freePort();
    const options = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
    const server = start('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => {
      server.stdout.on('data', (text) => String(text).includes('Ready to accept connections') && resolve());
    });
    env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${port}`, LOCK_MS: String(LOCK_MS) };
    redis = new Redis(env.REDIS_URL);
  });

  after(async () => {
    redis?.disconnect();
    for (const child of [...children].reverse()) {
      child.kill('SIGKILL');
      await child.ended;
    }
    rmSync(folder, { recursive: true });
  });

  it('has exactly one result for each image although a worker is killed in the middle', async () => {
    const connection = new Redis(env.REDIS_URL, { maxRetriesPerRequest: null });
    const events = new QueueEvents(QUEUE, { connection });
    const stalled = new Set();
    events.on('stalled', ({ jobId }) => stalled.add(jobId));
    await events.waitUntilReady();

    assert.equal(await run('produce', images), `added ${IMAGES} jobs`);
    const [victim, survivor] = await Promise.all([work(), work()]);
    await results(IMAGES / 4);
    victim.kill('SIGKILL');
    await victim.ended;
    const replacement = await work();
    // Producing again while the queue is being worked on doubles nothing.
    await run('produce', images);
    await results(IMAGES);

    const idle = async () => JSON.parse((await run('status')).split('\n')[0]);
    const deadline = Date.now() + DEADLINE_MS;
    let status = await idle();
    while (status.active + status.waiting > 0 && Date.now() < deadline) status = await idle();
    assert.deepEqual(status, { results: IMAGES, waiting: 0, active: 0, delayed: 0, failed: 0 });
    assert.ok(stalled.size > 0, 'the killed worker held jobs, which others took over');
    assert.equal(await run('produce', images), 'added 0 jobs');

    for (const worker of [survivor, replacement]) {
      worker.kill('SIGTERM');
      await worker.ended;
    }
    await events.close();
    connection.disconnect();
  });

  it('collects what each image gives', async () => {
    const file = join(folder, 'results.safetensors');
    assert.equal(await run('collect', file), `${IMAGES} results in ${file}`);
    const collected = loadSafetensors(readFileSync(file));
    const names = Array.from({ length: IMAGES }, (_, n) => `${n % 2 ? 'more/' : ''}${n}.png`);
    assert.deepEqual([...collected.keys()].sort(), names.sort());
    const embed = await createEmbedding();
    for (const name of names.filter((_, n) => n % 10 === 0)) {
      assert.deepEqual(collected.get(name).data, await embed(join(images, name)), name);
    }
  });

  it('keeps what fails, with its reason, and goes on', async () => {
    writeFileSync(join(images, 'broken.png'), 'no image');
    assert.equal(await run('produce', images), 'added 1 jobs');
    const worker = await work();
    const deadline = Date.now() + DEADLINE_MS;
    let lines;
    do lines = (await run('status')).split('\n');
    while (JSON.parse(lines[0]).failed === 0 && Date.now() < deadline);
    assert.match(lines[1], /broken\.png: Input file contains unsupported image format$/);
    worker.kill('SIGTERM');
    await worker.ended;
  });
});

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
