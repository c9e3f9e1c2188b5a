/** ThreadPool: the bits of one thread, and what happens when a worker dies. */

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ThreadError, UnsupportedError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Progress } from '../../src/nn/execution.ts';
import { stepOf } from '../../src/ops/op.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { noise, TinyResNet } from '../nn/support.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';

const worker = new URL('../../dist/threads/worker.js', import.meta.url);
const model = fillParameters(new TinyResNet());
const layers = { layer4: 'out', layer2: 'aux' };
const [x, z] = [noise('x', [1, 3, 65, 47]), noise('z', [2, 3, 33, 40])];

type Features = Map<unknown, Tensor<Float32Array>>;

function expectFeatures(features: Features, like: Features) {
  expect([...features.keys()]).toEqual([...like.keys()]);
  for (const [name, { data }] of like) expectBits(features.get(name)!.data, data, String(name));
}

const open: ThreadPool[] = [];
async function poolOf(threads: number, url = worker): Promise<ThreadPool> {
  const pool = await ThreadPool.create(threads, { worker: url });
  open.push(pool);
  return pool;
}
afterEach(() => vi.unstubAllGlobals());
afterAll(async () => void (await Promise.all(open.map((pool) => pool.close()))));

describe.each([1, 2, 3, 4])('%i threads', (threads) => {
  let pool: ThreadPool;
  beforeAll(async () => {
    pool = await poolOf(threads);
  });

  it.each(binaries)('give the bits of one, in the %s binary, call after call and shape after shape', async (binary) => {
    const deterministic = binary === 'simd';
    const alone = new IntermediateLayerGetter(model, layers).compile({ deterministic });
    const getter = new IntermediateLayerGetter(model, layers).compile({ deterministic, pool });
    for (const input of [x, z, z, x]) expectFeatures(await getter.forwardAsync(input), alone.forward(input));
    expect(getter.compiled!.binary).toBe(binary);
    expectFeatures(getter.forward(z), alone.forward(z));
  });
});

describe('a pool', () => {
  const alone = new IntermediateLayerGetter(model, layers);
  const [ofX, ofZ] = [alone.forward(x), alone.forward(z)];

  it('serves several models at once, with calls that overlap and synchronous ones between', async () => {
    const pool = await poolOf(3);
    const getters = [1, 2].map(() => new IntermediateLayerGetter(model, layers).compile({ pool }));
    const onProgress = ({ child }: Progress) => {
      if (child === 'layer1') for (const getter of getters) expectFeatures(getter.forward(z), ofZ);
    };
    const calls = [1, 2, 3].flatMap(() => getters.map((getter) => getter.forwardAsync(x, { onProgress })));
    for (const features of await Promise.all(calls)) expectFeatures(features, ofX);
  });

  it('stops between children when a call is aborted, and goes on with the next', async () => {
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool: await poolOf(2) });
    const controller = new AbortController();
    const reason = new Error('the user left');
    const onProgress = ({ child }: Progress) => void (child === 'layer1' && controller.abort(reason));
    await expect(getter.forwardAsync(x, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expectFeatures(await getter.forwardAsync(z), ofZ);
  });

  it('that is closed takes no more calls but synchronous ones', async () => {
    const pool = await poolOf(2);
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool });
    expectFeatures(await getter.forwardAsync(x), ofX);
    await pool.close();
    await expect(getter.forwardAsync(x)).rejects.toThrow(
      new ThreadError('ThreadPool: expected an open pool, got a call after close()'),
    );
    expectFeatures(getter.forward(x), ofX);
  });

  it('does not keep a process alive', () => {
    const script = `
      import { ThreadPool } from './dist/threads/index.js';
      import { Conv2d, zeros } from './dist/index.js';
      const conv = new Conv2d(4, 4, 3);
      conv.loadStateDict({ weight: zeros([4, 4, 3, 3]), bias: zeros([4]) });
      conv.compile({ pool: await ThreadPool.create(2) });
      console.log((await conv.callAsync(zeros([1, 4, 9, 9]))).shape.join());`;
    const args = ['--input-type=module', '-e', script];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000 });
    expect({ stdout, stderr, status }).toEqual({ stdout: '1,4,7,7\n', stderr: '', status: 0 });
  });

  it('lets go of a model that is dropped', async () => {
    const pool = await poolOf(2);
    const { setFlagsFromString } = await import('node:v8');
    setFlagsFromString('--expose-gc');
    const gc = (await import('node:vm')).runInNewContext('gc') as () => void;
    const dropped = await (async () => {
      const getter = new IntermediateLayerGetter(model, layers).compile({ pool });
      await getter.forwardAsync(x);
      return new WeakRef(getter.compiled!);
    })();
    for (let i = 0; i < 20 && dropped.deref(); i++) {
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    }
    expect(dropped.deref()).toBeUndefined();
  });
});

describe('a worker that dies', () => {
  const marker = join(tmpdir(), `layertap-die-${process.pid}`);
  const dying = new URL('./dying-worker.mjs', import.meta.url);
  const expected = new IntermediateLayerGetter(model, layers).forward(x);
  afterEach(() => rmSync(marker, { force: true }));

  it.each([
    ['exit', 'exit code 3'],
    ['throw', 'Error: worn out'],
  ])('by %s rejects the call, and the next call works', async (way, cause) => {
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool: await poolOf(3, dying) });
    expectFeatures(await getter.forwardAsync(x), expected);
    const onProgress = ({ child }: Progress) => void (child === 'maxpool' && writeFileSync(marker, way));
    const failing = getter.forwardAsync(x, { onProgress });
    const queued = getter.forwardAsync(x);
    await expect(failing).rejects.toThrow(
      new ThreadError(`ThreadPool: expected a worker to run, got "${cause}"; the next call starts new ones`),
    );
    expectFeatures(await queued, expected);
    expectFeatures(await getter.forwardAsync(x), expected);
    expectFeatures(getter.forward(x), expected);
  });

  it('in a kernel is told at once', async () => {
    const pool = await poolOf(2);
    const instance = pool.instantiate('simd');
    const copy = (from: number) => stepOf('f32_copy', 1, 4, from, 16, 128, 16);
    const outside = 2 ** 31;
    await expect(pool.run(instance, [[copy(64), copy(outside)]], 0, 1)).rejects.toThrow(
      'ThreadPool: expected a worker to run, got "RuntimeError: memory access out of bounds"; the next call starts new ones',
    );
    await pool.ready();
    // The calling thread's own step: the others aren't waited for either.
    await expect(pool.run(instance, [[copy(outside), copy(64)]], 0, 1)).rejects.toThrow(WebAssembly.RuntimeError);
    await pool.ready();
    await pool.run(instance, [[copy(64), copy(64)]], 0, 1);
  });

  it('leaves a synchronous call to wait for its turn', async () => {
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool: await poolOf(2, dying) });
    await getter.forwardAsync(x);
    writeFileSync(marker, 'exit');
    const failing = getter.forwardAsync(x);
    // The first turn that the call leaves is the one in which it looks for dead workers.
    const refused = new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          resolve(getter.forward(x));
        } catch (error) {
          reject(error);
        }
      });
    });
    const results = await Promise.allSettled([failing, refused]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(refused).rejects.toThrow(
      new ThreadError(
        'layertap: expected no threads to be running, got a synchronous call in the midst of an asynchronous one; await that, or ' +
          'use the asynchronous form',
      ),
    );
    expectFeatures(getter.forward(x), expected);
  });
});

describe('ThreadPool.create', () => {
  it('refuses what is not a number of threads', async () => {
    for (const threads of [0, 1.5, 65, Number.NaN]) {
      await expect(ThreadPool.create(threads)).rejects.toThrow(
        new ValueError(`ThreadPool.create: expected a whole number of threads from 1 to 64, got ${threads}`),
      );
    }
  });

  const refused = (what: string) =>
    new UnsupportedError(`ThreadPool.create: expected workers and shared memory, got ${what}`);

  it('refuses a host without shared memory, isolation or workers, but for one thread', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    await expect(ThreadPool.create(2)).rejects.toThrow(refused('no SharedArrayBuffer'));
    expect((await ThreadPool.create(1)).threads).toBe(1);
    vi.unstubAllGlobals();
    vi.stubGlobal('crossOriginIsolated', false);
    vi.stubGlobal('location', new URL('http://127.0.0.1/'));
    await expect(ThreadPool.create(2)).rejects.toThrow(refused('a page that is not cross-origin isolated'));
    vi.unstubAllGlobals();
    vi.stubGlobal('process', {});
    await expect(ThreadPool.create(2)).rejects.toThrow(refused('no workers'));
  });

  it('rejects where the worker cannot be loaded', async () => {
    await expect(ThreadPool.create(2, { worker: new URL('./nowhere.mjs', import.meta.url) })).rejects.toThrow(
      /^ThreadPool: expected a worker to run, got "Error.*nowhere.mjs/,
    );
  });
});
