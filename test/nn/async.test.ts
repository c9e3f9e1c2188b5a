/** Asynchronous calls: their turns, progress, aborts, and what else may happen between two children. */

import { describe, expect, it } from 'vitest';
import { ShapeError, StateDictError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { customOp } from '../../src/nn/custom-op.ts';
import type { Progress } from '../../src/nn/execution.ts';
import { add, mean, relu, tanh } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { type Tensor, zeros } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { noise, TinyResNet } from './support.ts';

const model = fillParameters(new TinyResNet());
const getter = new IntermediateLayerGetter(model, { layer4: 'out', layer2: 'aux' });
const [x, z] = [noise('x', [1, 3, 33, 47]), noise('z', [1, 3, 33, 47])];
const expected = getter.forward(x);
const ofZ = getter.forward(z);

function expectFeatures(features: Map<unknown, Tensor<Float32Array>>, like: typeof expected) {
  expect([...features.keys()]).toEqual([...like.keys()]);
  for (const [name, { data }] of like) expectBits(features.get(name)!.data, data, String(name));
}

describe('forwardAsync', () => {
  it('gives the bits of forward', async () => {
    expectFeatures(await getter.forwardAsync(x), expected);
    const only = await getter.forwardAsync(x, { only: ['aux'] });
    expect([...only.keys()]).toEqual(['aux']);
    expectBits(only.get('aux')!.data, expected.get('aux')!.data, 'aux');
  });

  it('tells one stretch of what is soon done, in MACs of what runs', async () => {
    for (const only of [['aux'], ['out', 'aux']] as const) {
      const seen: Progress[] = [];
      await getter.forwardAsync(x, { only, onProgress: (progress) => seen.push(progress) });
      const macs = Math.max(...only.map((name) => getter.featureInfo(x.shape).find((one) => one.name === name)!.macs));
      expect(seen).toEqual([{ child: only.length === 2 ? 'layer4' : 'layer2', done: macs, total: macs }]);
    }
  });

  it('refuses what forward refuses, as a rejection', async () => {
    await expect(getter.forwardAsync(x, { only: ['c9'] as never })).rejects.toThrow(ValueError);
    await expect(getter.forwardAsync(noise('x', [1, 4, 8, 8]))).rejects.toThrow(ShapeError);
    const value = { shape: [1, 3, 8, 8] } as unknown as Tensor;
    await expect(getter.forwardAsync(value)).rejects.toThrow(
      new ValueError('IntermediateLayerGetter: expected a Tensor, got { shape }'),
    );
    expectFeatures(await getter.forwardAsync(x), expected);
  });
});

/** Four convolutions, of which each but the first is worth a stretch; the last two share a child. */
class Tower extends Module {
  readonly first = new Conv2d(4, 512, 1);
  readonly second = new Conv2d(512, 512, 1);
  readonly third = new Sequential(new Conv2d(512, 512, 1), new Conv2d(512, 512, 1));
  readonly last = new Conv2d(512, 4, 1);
  forward(x: Value): Value {
    return this.last.call(this.third.call(relu(this.second.call(this.first.call(x)))));
  }
}

const tower = fillParameters(new Tower());
const [p, q] = [noise('p', [1, 4, 48, 48]), noise('q', [1, 4, 48, 48])];
const [ofP, ofQ] = [tower.call(p).data, tower.call(q).data];
const [thin, thick] = [4 * 512 * 48 * 48, 512 * 512 * 48 * 48];
const total = 2 * thin + 3 * thick;
const STRETCHES: readonly Progress[] = [
  { child: 'second', done: thin + thick, total },
  { child: 'third', done: thin + 2 * thick, total },
  { child: 'third', done: thin + 3 * thick, total },
  { child: 'last', done: total, total },
];

describe('progress', () => {
  it('is told after each stretch of work, in MACs, with the child that it has come to', async () => {
    const seen: Progress[] = [];
    const y = await tower.callAsync(p, { onProgress: (progress) => seen.push(progress) });
    expectBits(y.data, ofP, 'tower');
    expect(seen).toEqual(STRETCHES);
  });

  it('comes with a turn of the event loop after each stretch but the last', async () => {
    const happened: (string | number)[] = [];
    const turn = () => {
      happened.push('turn');
      if (happened.length < 100) setImmediate(turn);
    };
    setImmediate(turn);
    await tower.callAsync(p, { onProgress: ({ done }) => void happened.push(done) });
    const between = happened.filter((what, i) => what !== happened[i - 1]);
    const [one, two, three, four] = STRETCHES.map(({ done }) => done);
    expect(between.slice(between.indexOf(one!))).toEqual([one, 'turn', two, 'turn', three, 'turn', four]);
    happened.length = 100;
  });

  it('comes after each op of a user’s own, and after each large host step', async () => {
    const own = customOp({ name: 'own', inferShape: ([shape]) => shape!, compute: ([t]) => t!.data.slice() });
    class Steps extends Module {
      forward(value: Value): Value {
        return own(tanh(tanh(own(own(value)))));
      }
    }
    const told = async (side: number) => {
      let count = 0;
      await new Steps().callAsync(zeros([1, 1, side, side]), { onProgress: () => void count++ });
      return count;
    };
    expect([await told(2), await told(1024)]).toEqual([3, 5]);
    class Means extends Module {
      forward(value: Value): Value {
        return add(mean(value, [1, 2]), mean(value, [1, 2]));
      }
    }
    let count = 0;
    await new Means().callAsync(zeros([1, 1, 1024, 1024]), { onProgress: () => void count++ });
    expect(count).toBe(3);
  });

  it('is 0 of 0 where nothing multiplies, and of no child where there is none', async () => {
    const seen: Progress[] = [];
    const onProgress = (progress: Progress) => void seen.push(progress);
    await new Sequential().callAsync(x, { onProgress });
    await new ReLU().callAsync(x, { onProgress });
    await new Sequential(new ReLU()).callAsync(x, { onProgress });
    const nothing = { child: '', done: 0, total: 0 };
    expect(seen).toEqual([nothing, nothing, { child: '0', done: 0, total: 0 }]);
  });
});

describe('an abort', () => {
  it('between two stretches rejects with its reason, stops there, and leaves the module usable', async () => {
    const controller = new AbortController();
    const reason = new Error('the user left');
    const seen: number[] = [];
    const onProgress = ({ done }: Progress) => {
      seen.push(done);
      if (done === STRETCHES[1]!.done) controller.abort(reason);
    };
    await expect(tower.callAsync(p, { onProgress, signal: controller.signal })).rejects.toBe(reason);
    expect(seen.at(-1)).toBe(STRETCHES[1]!.done);
    expectBits((await tower.callAsync(q)).data, ofQ, 'q');
    expectBits(tower.call(p).data, ofP, 'p');
  });

  it('in a turn of the event loop does too, whatever is called before it is seen', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ done }: Progress) => {
      seen.push(done);
      queueMicrotask(() => {
        controller.abort();
        expectBits(tower.call(q).data, ofQ, 'q');
      });
    };
    await expect(tower.callAsync(p, { onProgress, signal: controller.signal })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }) as Error,
    );
    expect(seen).toEqual([STRETCHES[0]!.done]);
  });

  it('when all is computed rejects as well', async () => {
    const controller = new AbortController();
    const onProgress = ({ done }: Progress) => void (done === total && controller.abort());
    await expect(tower.callAsync(p, { onProgress, signal: controller.signal })).rejects.toThrow('aborted');
  });

  it('before the call rejects at once', async () => {
    const seen: string[] = [];
    const options = { signal: AbortSignal.abort(), onProgress: ({ child }: Progress) => void seen.push(child) };
    await expect(getter.forwardAsync(x, options)).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }) as Error,
    );
    expect(seen).toEqual([]);
  });

  it('of a call that waits for another rejects before that ends, and the call behind it waits on', async () => {
    const controller = new AbortController();
    const happened: string[] = [];
    const first = tower.callAsync(p, {
      onProgress: ({ done }) => {
        happened.push(String(done));
        if (done === STRETCHES[0]!.done) controller.abort();
      },
    });
    const waiting = tower.callAsync(q, { signal: controller.signal }).catch(() => happened.push('aborted'));
    const behind = tower.callAsync(q);
    await waiting;
    expect(happened).toEqual([String(STRETCHES[0]!.done), 'aborted']);
    expectBits((await first).data, ofP, 'p');
    expectBits((await behind).data, ofQ, 'q');
  });

  it('of one call does not touch the calls behind it', async () => {
    const controller = new AbortController();
    const aborted = getter.forwardAsync(x, { signal: controller.signal, onProgress: () => controller.abort() });
    const behind = getter.forwardAsync(z);
    await expect(aborted).rejects.toThrow();
    expectFeatures(await behind, ofZ);
  });

  it('is not needed to end a call: an error in onProgress does', async () => {
    const onProgress = () => {
      throw new Error('in the caller');
    };
    await expect(getter.forwardAsync(x, { onProgress })).rejects.toThrow('in the caller');
    expectFeatures(await getter.forwardAsync(x), expected);
  });
});

describe('calls on one module', () => {
  it('that overlap run one after the other', async () => {
    const order: string[] = [];
    const call = (name: string, input: Tensor, shape?: readonly ('out' | 'aux')[]) =>
      getter.forwardAsync(input, {
        ...(shape ? { only: shape } : {}),
        onProgress: ({ done, total }) => void (done === total && order.push(name)),
      });
    const [first, second, third] = await Promise.all([call('x', x), call('z', z), call('x, aux', x, ['aux'])]);
    expect(order).toEqual(['x', 'z', 'x, aux']);
    expectFeatures(first, expected);
    expectFeatures(second, ofZ);
    expectBits(third.get('aux')!.data, expected.get('aux')!.data, 'aux');
  });

  it('may be synchronous between two stretches of an asynchronous one, which goes on from there', async () => {
    for (const [i, other] of [q, noise('another size', [2, 4, 21, 40])].entries()) {
      for (const stretch of STRETCHES.filter((_, at) => at % 2 === i)) {
        const seen: Progress[] = [];
        const between: Float32Array[] = [];
        const onProgress = (progress: Progress) => {
          seen.push(progress);
          if (progress.done === stretch.done) between.push(tower.call(other).data);
        };
        expectBits((await tower.callAsync(p, { onProgress })).data, ofP, 'p');
        expect(seen).toEqual([...STRETCHES.slice(0, STRETCHES.indexOf(stretch) + 1), STRETCHES.at(-1)].slice(0, 4));
        expectBits(between[0]!, tower.call(other).data, 'between');
      }
    }
  });
});

describe('weights that are replaced', () => {
  // The small input takes other algorithms than the large one: its call has weights to pack when its turn comes.
  const [large, small] = [noise('large', [1, 8, 64, 64]), noise('small', [1, 8, 10, 10])];
  class Normed extends Module {
    readonly conv = new Conv2d(8, 64, 3, { padding: 1 });
    readonly bn = new BatchNorm2d(64);
    readonly body = new Conv2d(64, 64, 3, { padding: 1 });
    readonly head = new Conv2d(64, 4, 1);
    forward(x: Value): Value {
      return this.head.call(relu(this.body.call(relu(this.bn.call(this.conv.call(x))))));
    }
  }
  const filled = (prefix: string) => fillParameters(new Normed(), prefix);
  const [before, after] = ['a.', 'b.'].map((prefix) => {
    const module = filled(prefix);
    return { dict: module.stateDict(), large: module.call(large).data, small: module.call(small).data };
  });

  const stream = (dict: ReadonlyMap<string, Tensor>): TensorStream => ({
    tensors: dict,
    async *stream(names) {
      for (const name of names) yield [name, dict.get(name)!];
    },
  });

  it.each(['loadStateDict', 'loadStateDictAsync', 'inputShapes'] as const)(
    'by %s leave a call that was made before with the old ones alone',
    async (how) => {
      const [first, wide] = [noise('first', [1, 8, 40, 40]), noise('wide', [2, 8, 96, 96])];
      for (const isRunning of [false, true]) {
        const module = filled('a.');
        // What is packed for one shape may be dropped to make room for what another one needs.
        if (isRunning) module.call(wide);
        module.call(large);
        let loading: Promise<unknown> | undefined;
        const reload = () => {
          if (how === 'loadStateDict') module.loadStateDict(after!.dict);
          else {
            const options = how === 'inputShapes' ? { inputShapes: [large.shape, small.shape] } : {};
            loading ??= module.loadStateDictAsync(stream(after!.dict), options);
          }
        };
        const running = module.callAsync(first, isRunning ? { onProgress: reload } : {});
        const queued = [module.callAsync(small), module.callAsync(large)];
        if (!isRunning) reload();
        await running;
        expectBits((await queued[0]!).data, before!.small, 'other algorithms');
        expectBits((await queued[1]!).data, before!.large, 'the same');
        await loading;
        expectBits((await module.callAsync(small)).data, after!.small, 'after, other algorithms');
        expectBits(module.call(large).data, after!.large, 'after');
      }
    },
  );
});

describe('callAsync', () => {
  it('gives the bits of call, for any module, with steps between children and after the last', async () => {
    class Steps extends Module {
      readonly first = new Conv2d(3, 8, 3, { padding: 1 });
      readonly second = new Conv2d(8, 8, 3, { padding: 1 });
      forward(a: Value, b: Value): Value {
        const y = this.first.call(add(a, b));
        return relu(add(relu(this.second.call(relu(y))), y));
      }
    }
    const steps = fillParameters(new Steps());
    expectBits((await steps.callAsync([x, z])).data, steps.call(x, z).data, 'steps');
  });

  it('works for a layer, and for a module without one', async () => {
    const conv = fillParameters(new Conv2d(3, 8, 3));
    expectBits((await conv.callAsync(x)).data, conv.call(x).data, 'a layer');
    expectBits((await new Sequential().callAsync(x)).data, x.data, 'nothing');
  });

  it('refuses unknown options', async () => {
    const options = { abort: true } as object;
    await expect(new Conv2d(3, 8, 3).callAsync(x, options)).rejects.toThrow(
      new ValueError('callAsync: expected options of onProgress, signal, got "abort"'),
    );
    await expect(getter.forwardAsync(x, options)).rejects.toThrow(
      new ValueError('forwardAsync: expected options of only, onProgress, signal, got "abort"'),
    );
  });

  it('rejects without values', async () => {
    await expect(new Conv2d(3, 8, 3).callAsync(x)).rejects.toThrow(StateDictError);
  });
});
