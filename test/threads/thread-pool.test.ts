/** ThreadPool: the bits of one thread, and what happens when a worker dies. */

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import threads, { type Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ThreadError, UnsupportedError, ValueError } from '../../src/errors.ts';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { densenet121 } from '../../src/models/densenet.ts';
import { efficientnet_b0 } from '../../src/models/efficientnet.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { shufflenet_v2_x0_5 } from '../../src/models/shufflenetv2.ts';
import { nextTurn } from '../../src/next-turn.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import type { CompileOptions } from '../../src/plan/compile-options.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import type { Instance } from '../../src/wasm/instantiate.ts';
import type { Phase } from '../../src/wasm/step.ts';
import { f32_copy } from '../../src/wasm/steps.gen.ts';
import { noise, TinyResNet } from '../nn/support.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { programOf } from '../support/programs.ts';

const worker = new URL('../../dist/threads/worker.js', import.meta.url);
const model = fillParameters(new TinyResNet());
const layers = { layer4: 'out', layer2: 'aux' };
const [x, z] = [noise('x', [1, 3, 65, 47]), noise('z', [2, 3, 33, 40])];

const wide = noise('wide', [1, 64, 64, 64]);

/** All workers that are started from here to the end of the test, in order. */
function recordWorkers(started: (worker: Worker, number: number) => unknown = () => {}): Worker[] {
  const workers: Worker[] = [];
  threads.Worker = class extends RealWorker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      workers.push(this);
      started(this, workers.length);
    }
  };
  return workers;
}
const RealWorker = threads.Worker;
afterEach(() => {
  threads.Worker = RealWorker;
});

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

describe('two threads give an extractor the bits of one', () => {
  // Nodes between layers, views, side branches, and what lies behind the last convolution.
  const networks = [
    ['resnet18', resnet18, ['x', 'layer1.0.add', 'layer2', 'layer3.0.downsample.1', 'flatten', 'fc']],
    ['shufflenet_v2_x0_5', shufflenet_v2_x0_5, ['stage2.0', 'stage2.1.getitem', 'stage3.3.cat', 'mean', 'fc']],
    ['efficientnet_b0', efficientnet_b0, ['features.2.0', 'features.3.1.add', 'features.4.0.block.2', 'classifier']],
    ['densenet121', densenet121, ['features.denseblock2', 'features.transition2.conv', 'relu', 'classifier']],
  ] as const;

  it.each(networks)('of %s, of all nodes and of some, and a getter of its children', async (_, builder, nodes) => {
    const network: Module<any> = fillParameters(builder());
    const pool = await poolOf(2);
    const children = [...network.namedChildren()].slice(0, -1).map(([name]) => [name, name] as const);
    const made = (options: CompileOptions) => ({
      extractor: createFeatureExtractor(network, { returnNodes: nodes as readonly string[] }).compile(options),
      getter: new IntermediateLayerGetter(network, children, { onWarning: null }).compile(options),
    });
    const [alone, shared] = [made({}), made({ pool })];
    for (const input of [noise('square', [1, 3, 64, 64]), noise('odd', [2, 3, 71, 57])]) {
      const all = alone.extractor.forward(input);
      expect([...all.keys()].sort()).toEqual([...nodes].sort());
      expectFeatures(await shared.extractor.forwardAsync(input), all);
      const only = [nodes[1]!, nodes[3]!];
      const some = await shared.extractor.forwardAsync(input, { only });
      expectFeatures(some, alone.extractor.forward(input, { only }));
      for (const name of only) expectBits(some.get(name)!.data, all.get(name)!.data, name);
      for (const [name, { data }] of all) expect(new Set(data).size, name).toBeGreaterThan(100);
      expectFeatures(await shared.getter.forwardAsync(input), alone.getter.forward(input));
    }
    await pool.close();
    await expect(shared.extractor.forwardAsync(x)).rejects.toThrow(ThreadError);
  });

  it('of a model of several inputs', async () => {
    class Pair extends Module {
      readonly conv = new Conv2d(3, 24, 3, { padding: 1 });
      forward(image: Value, other: Value): Value {
        return add(this.conv.call(image), relu(this.conv.call(other)));
      }
    }
    const pair = fillParameters(new Pair());
    const made = () => createFeatureExtractor(pair, { returnNodes: ['conv', 'relu', 'add', 'x_1'] });
    const [a, b] = [noise('a', [1, 3, 33, 47]), noise('b', [1, 3, 33, 47])];
    const shared = made().compile({ pool: await poolOf(2) });
    expectFeatures(await shared.forwardAsync([a, b]), made().forward(a, b));
    expectFeatures(await shared.callAsync([a, b]), made().forward(a, b));
  });
});

describe('a pool', () => {
  const alone = new IntermediateLayerGetter(model, layers);
  const [ofX, ofZ] = [alone.forward(x), alone.forward(z)];

  it('serves several models at once, with calls that overlap and synchronous ones between', async () => {
    const pool = await poolOf(3);
    const getters = [1, 2].map(() => new IntermediateLayerGetter(model, layers).compile({ pool }));
    const onProgress = () => {
      for (const getter of getters) expectFeatures(getter.forward(z), ofZ);
    };
    const calls = [1, 2, 3].flatMap(() => getters.map((getter) => getter.forwardAsync(x, { onProgress })));
    for (const features of await Promise.all(calls)) expectFeatures(features, ofX);
  });

  it('gives the same bits in any number of stretches, a synchronous run any microtasks after one', async () => {
    const pool = await poolOf(2);
    const compiled = new CompiledModel({ pool }, { instance: pool.instantiate('simd') });
    const program = programOf([x.shape], (value) => [model.call(value) as Value]);
    const plan = compiled.plan(program);
    const like = [x, noise('y', x.shape)] as const;
    const [ofOne, ofOther] = like.map((input) => compiled.run(plan, [input])[0]!.data);
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      for (const at of [1, 4, plan.program.nodes.length]) {
        const between: Promise<void>[] = [];
        const later = async () => {
          for (let i = 0; i < microtasks; i++) await null;
          expectBits(compiled.run(plan, [like[1]])[0]!.data, ofOther!, `${microtasks} microtasks after step ${at}`);
        };
        const onProgress = (nodes: number) => void (nodes === at && between.push(later()));
        const [tensor] = await compiled.runAsync(plan, [like[0]], { stretchMs: 0, onProgress });
        expectBits(tensor!.data, ofOne!, `${microtasks} microtasks after step ${at}`);
        await Promise.all(between);
      }
    }
  });

  it('stops after a stretch when a call is aborted, and goes on with the next', async () => {
    const pool = await poolOf(2);
    const compiled = new CompiledModel({ pool });
    const program = programOf([x.shape], (value) => [model.call(value) as Value]);
    const plan = compiled.plan(program);
    const controller = new AbortController();
    const reason = new Error('the user left');
    const seen: number[] = [];
    const onProgress = (nodes: number) => {
      seen.push(nodes);
      if (nodes === 3) controller.abort(reason);
    };
    const options = { stretchMs: 0, signal: controller.signal, onProgress };
    await expect(compiled.runAsync(plan, [x], options)).rejects.toBe(reason);
    expect(seen).toEqual([1, 2, 3]);
    expectBits((await compiled.runAsync(plan, [x]))[0]!.data, model.call(x).data, 'after');
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
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 250_000 });
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

/** Runs phases on a pool as one stretch; what it was told at the end. */
async function runPhases(pool: ThreadPool, instance: Instance, phases: readonly Phase[]): Promise<void> {
  const ends: boolean[] = [];
  const range = { phases, first: 0, last: phases.length };
  const run = pool.run(instance, { begin: () => range, end: (isComplete) => void ends.push(isComplete) });
  const isComplete = await run.then(
    () => true,
    () => false,
  );
  expect(ends).toEqual([isComplete]);
  return run;
}

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
    writeFileSync(marker, way);
    const failing = getter.forwardAsync(x);
    const queued = getter.forwardAsync(x);
    await expect(failing).rejects.toThrow(
      new ThreadError(`ThreadPool: expected a worker to run, got "${cause}"; the next call starts new ones`),
    );
    expectFeatures(await queued, expected);
    expectFeatures(await getter.forwardAsync(x), expected);
    expectFeatures(getter.forward(x), expected);
  });

  it.each([false, true])('leaves a call of another model right; the failed one is called again: %s', async (retry) => {
    for (const threads of [2, 3]) {
      const workers = recordWorkers();
      const pool = await poolOf(threads);
      const [mine, other] = [1, 2].map((seed) => {
        const conv = fillParameters(new Conv2d(64, 64, 1), `${seed}.`);
        return { module: conv.compile({ pool }), right: conv.call(wide).data };
      });
      await mine!.module.callAsync(wide);
      const failing = mine!.module.callAsync(wide).catch((error) => {
        if (!retry) throw error;
        return mine!.module.callAsync(wide);
      });
      const running = other!.module.callAsync(wide);
      void workers.at(-1)!.terminate();
      if (retry) expectBits((await failing).data, mine!.right, 'called again');
      else await expect(failing).rejects.toThrow(/^ThreadPool: expected a worker to run, got "exit code 1"/);
      expectBits((await running).data, other!.right, 'the other model');
      expectBits((await mine!.module.callAsync(wide)).data, mine!.right, 'the next call');
    }
  });

  it('between two stretches of a call does not matter to it', async () => {
    const workers = recordWorkers();
    const pool = await poolOf(3);
    const compiled = new CompiledModel({ pool });
    const program = programOf([x.shape], (value) => [model.call(value) as Value]);
    const plan = compiled.plan(program);
    const deaths: Promise<unknown>[] = [];
    const onProgress = (nodes: number) => void (nodes === 4 && deaths.push(workers[0]!.terminate()));
    const run = compiled.runAsync(plan, [x], { stretchMs: 0, onProgress }).then(
      ([tensor]) => expectBits(tensor!.data, model.call(x).data, 'the call'),
      // The turn may be over before the worker is: then it was in the midst of the next stretch.
      (error) => expect(error).toBeInstanceOf(ThreadError),
    );
    await run;
    await Promise.all(deaths);
    expectBits((await compiled.runAsync(plan, [x]))[0]!.data, model.call(x).data, 'the next call');
  });

  it('in a kernel is told at once', async () => {
    const pool = await poolOf(2);
    const instance = pool.instantiate('simd');
    const copy = (from: number) =>
      f32_copy({ pixels: 1, channels: 4, x: from, pixelBytes: 16, out: 128, outBytes: 16 });
    const outside = 2 ** 31;
    await expect(runPhases(pool, instance, [[copy(64), copy(outside)]])).rejects.toThrow(
      'ThreadPool: expected a worker to run, got "RuntimeError: memory access out of bounds"; the next call ' +
        'starts new ones',
    );
    // The calling thread's own step: the others aren't waited for either.
    await expect(runPhases(pool, instance, [[copy(outside), copy(64)]])).rejects.toThrow(WebAssembly.RuntimeError);
    await runPhases(pool, instance, [[copy(64), copy(64)]]);
  });

  it('rejects the call when no other thread touches the memory any more', async () => {
    const pool = await poolOf(3);
    const instance = pool.instantiate('simd');
    const { memory } = instance.kernels;
    const pixels = 2 ** 21;
    memory.grow((pixels * 2 * 16) / 65536);
    const [from, to] = [64, 64 + pixels * 16];
    const words = () => new Float32Array(memory.buffer);
    words().fill(7, from / 4, to / 4);
    const copy = (count: number, at: number) =>
      f32_copy({ pixels: count, channels: 4, x: at, pixelBytes: 16, out: to, outBytes: 16 });
    // The second worker is in the midst of its step when the first one traps, and would go on to the next phase.
    const [short, long] = [copy(1, from), copy(pixels, from)];
    const phases = [
      [short, copy(pixels / 8, from), long, short, copy(1, 2 ** 31), long],
      [short, short, f32_copy({ pixels, channels: 4, x: to, pixelBytes: 16, out: from, outBytes: 16 })],
    ];
    await expect(runPhases(pool, instance, phases)).rejects.toThrow(/memory access out of bounds/);
    // Whether it has begun its step is chance: then it has ended it, too. The first eighth is the other worker's.
    expect(words()[(to + (pixels / 8) * 16) / 4]).toBe(words()[(to + (pixels - 1) * 16) / 4]);
    // Nothing is written from here on.
    words().fill(9, from / 4, from / 4 + pixels * 8);
    for (let i = 0; i < 20; i++) await nextTurn();
    expect(
      words()
        .subarray(from / 4, from / 4 + pixels * 8)
        .every((word) => word === 9),
    ).toBe(true);
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
        'layertap: expected no run under way, got a synchronous call in the midst of one; await that, or use the ' +
          'asynchronous form',
      ),
    );
    expectFeatures(getter.forward(x), expected);
  });
});

describe('close', () => {
  it('in the midst of a call rejects it, and the calls that wait', async () => {
    // Dead or not, a worker that never arrives keeps the call waiting.
    const workers = recordWorkers();
    const pool = await poolOf(3);
    const getters = [1, 2].map(() => new IntermediateLayerGetter(model, layers).compile({ pool }));
    await getters[0]!.forwardAsync(x);
    void workers[0]!.terminate();
    const calls = [...getters, ...getters].map((getter) => getter.forwardAsync(x));
    const closed = pool.close();
    const messages = (await Promise.allSettled(calls)).map((result) => result.status === 'rejected' && result.reason);
    for (const error of messages) {
      expect(error).toBeInstanceOf(ThreadError);
      expect(error.message).toMatch(
        /^ThreadPool: expected (an open pool, got a call after close\(\)|an open pool until a call ends, got close\(\) in the midst of it)$/,
      );
    }
    await closed;
    await pool.close();
    expectFeatures(getters[0]!.forward(x), new IntermediateLayerGetter(model, layers).forward(x));
  });

  it('while workers are replaced leaves none', async () => {
    const workers = recordWorkers();
    const pool = await poolOf(3);
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool });
    await workers[0]!.terminate();
    const call = getter.forwardAsync(x);
    const settled = call.catch((error) => error);
    while (workers.length < 3) await nextTurn();
    await pool.close();
    expect(await settled).toBeInstanceOf(ThreadError);
    for (const worker of workers) expect(worker.threadId).toBe(-1);
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
      /^ThreadPool: expected a worker to start, got "Error.*nowhere.mjs/,
    );
  });

  it('that fails ends the workers that did start', async () => {
    const workers = recordWorkers((worker, number) => number === 2 && void worker.terminate());
    await expect(ThreadPool.create(4, { worker })).rejects.toThrow(
      /^ThreadPool: expected a worker to start, got "exit code [01]"$/,
    );
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1, -1]);
    const others = recordWorkers();
    const Recording = threads.Worker;
    threads.Worker = class extends Recording {
      constructor(...given: ConstructorParameters<typeof Worker>) {
        if (others.length === 2) throw new Error('no more threads');
        super(...given);
      }
    };
    await expect(ThreadPool.create(4, { worker })).rejects.toThrow(
      new ThreadError('ThreadPool: expected a worker to start, got "Error: no more threads"'),
    );
    expect(others.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });
});
