/**
 * 2,000 images, two workers, one of which is killed in the middle. Needs Debian's redis-server; without it, nothing is
 * tested.
 */

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { decodeImage } from '../image.mjs';
import { onceEach, QUEUE } from '../queue.mjs';

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
    const names = Array.from({ length: IMAGES }, (_, n) => join(images, n % 2 ? 'more' : '', `${n}.png`));
    assert.deepEqual([...collected.keys()].sort(), names.sort());
    const embed = await createEmbedding();
    for (const name of names.filter((_, n) => n % 10 === 0)) {
      assert.deepEqual(collected.get(name).data, await embed(readFileSync(name)), name);
    }
  });

  it('tells images of one name in two folders apart, and takes a changed one anew', async () => {
    const folders = ['one', 'two'].map((name) => join(folder, name));
    const files = folders.map((path) => join(path, 'same.png'));
    for (const [i, path] of folders.entries()) {
      mkdirSync(path);
      writeFileSync(files[i], await plain(i * 100));
      assert.equal(await run('produce', path), 'added 1 jobs');
    }
    // A copy has a result as soon as what it is a copy of.
    cpSync(files[0], join(folders[1], 'copy.png'));
    assert.equal(await run('produce', folders[1]), 'added 0 jobs');
    const embed = await createEmbedding();
    const worker = await work();
    const collected = async (count) => {
      await results(count);
      const file = join(folder, 'some.safetensors');
      assert.match(await run('collect', file), /^\d+ results in [^;]*$/);
      return loadSafetensors(readFileSync(file));
    };
    const before = await collected(IMAGES + 2);
    for (const file of [...files, join(folders[1], 'copy.png')]) {
      assert.deepEqual(before.get(file).data, await embed(readFileSync(file)), file);
    }
    assert.notDeepEqual(before.get(files[0]).data, before.get(files[1]).data);
    writeFileSync(files[0], await plain(200));
    assert.equal(await run('produce', folders[0]), 'added 1 jobs');
    const after = await collected(IMAGES + 3);
    assert.deepEqual(after.get(files[0]).data, await embed(readFileSync(files[0])));
    worker.kill('SIGTERM');
    await worker.ended;
  });

  it('says that a folder has no images, or cannot be read, in one line', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const missing = join(folder, 'missing');
    const unread = `ENOENT: no such file or directory, scandir '${missing}'`;
    for (const [path, message] of [
      [empty, `expected .jpg, .png, .webp or .gif files below ${empty}, got none`],
      [missing, `${missing}: ${unread}`],
    ]) {
      await assert.rejects(run('produce', path), ({ code, stderr }) => {
        assert.deepEqual([code, stderr], [1, `${message}\n`]);
        return true;
      });
    }
  });

  it('keeps what fails, with its reason, and goes on', async () => {
    writeFileSync(join(images, 'broken.png'), 'no image');
    writeFileSync(join(images, 'drawing.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    writeFileSync(join(images, 'changed.png'), await plain(7));
    assert.equal(await run('produce', images), 'added 3 jobs');
    writeFileSync(join(images, 'changed.png'), await plain(8));
    const worker = await work();
    const deadline = Date.now() + DEADLINE_MS;
    let lines;
    do lines = (await run('status')).split('\n');
    while (JSON.parse(lines[0]).failed < 3 && Date.now() < deadline);
    const reasons = lines
      .slice(1)
      .map((line) => line.slice(images.length + 1))
      .sort();
    assert.deepEqual(reasons, [
      'broken.png: image: expected a JPEG, PNG, WebP or GIF, got something else',
      'changed.png: the file has changed since; produce again',
      'drawing.png: image: expected a JPEG, PNG, WebP or GIF, got an SVG',
    ]);
    worker.kill('SIGTERM');
    await worker.ended;
  });
});

describe('without Redis', () => {
  for (const [name, ...args] of [['produce', '.'], ['work'], ['status'], ['collect', 'out']]) {
    it(`${name} says so in one line, without the password, and ends`, async () => {
      const port = await freePort();
      const env = { ...process.env, REDIS_URL: `redis://user:secret@127.0.0.1:${port}` };
      const ended = promisify(execFile)(process.execPath, [program(name), ...args], { env });
      await assert.rejects(ended, ({ code, stdout, stderr }) => {
        assert.deepEqual([code, stdout], [1, '']);
        const expected = `expected Redis at 127.0.0.1:${port}, got "connect ECONNREFUSED 127.0.0.1:${port}"`;
        assert.equal(stderr, `${expected}; start redis-server, or say in REDIS_URL where it is\n`);
        return true;
      });
    });
  }

  it('what fails every second is said once', (t) => {
    const printed = t.mock.method(console, 'error', () => {});
    const say = onceEach();
    for (const message of ['gone', 'gone', 'gone', 'back', 'gone']) say(message);
    say.again();
    say('gone');
    const said = printed.mock.calls.map((call) => call.arguments[0]);
    assert.deepEqual(said, ['gone', 'back', 'gone', 'gone']);
  });
});

describe('pixels', () => {
  it('are those of the file, whatever its colour profile says', async () => {
    const jpeg = await sharp(Buffer.from([200, 30, 40]), { raw: { width: 1, height: 1, channels: 3 } })
      .resize(16, 16)
      .jpeg()
      .toBuffer();
    const { icc } = await sharp(await sharp(jpeg).withIccProfile('p3').jpeg().toBuffer()).metadata();
    const segment = Buffer.concat([Buffer.from('\xff\xe2\0\0ICC_PROFILE\0\x01\x01', 'latin1'), icc]);
    segment.writeUInt16BE(segment.length - 2, 2);
    const profiled = Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
    assert.ok((await sharp(profiled).metadata()).hasProfile);
    assert.deepEqual(await decodeImage(profiled), await decodeImage(jpeg));
  });

  it("are scaled down to 512 a side, and are those of an inks' picture, too", async () => {
    const inks = sharp({ create: { width: 600, height: 300, channels: 3, background: { r: 200, g: 30, b: 40 } } });
    const jpeg = await inks.toColourspace('cmyk').jpeg().toBuffer();
    assert.equal((await sharp(jpeg).metadata()).space, 'cmyk');
    const { data, width, height } = await decodeImage(jpeg);
    assert.deepEqual([width, height, data.length], [512, 256, 512 * 256 * 3]);
  });

  it('are bounded before they are decoded', async () => {
    const large = await sharp({ create: { width: 4097, height: 4096, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const message = 'image: expected a photo of at most 16777216 pixels, got 4097x4096';
    await assert.rejects(decodeImage(large), { message });
  });
});

async function plain(level) {
  return await sharp({
    create: { width: 40, height: 32, channels: 3, background: { r: level, g: 99, b: 255 - level } },
  })
    .png()
    .toBuffer();
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
