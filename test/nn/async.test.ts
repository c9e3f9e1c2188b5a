/** Asynchronous calls: their turns, progress, aborts, and what else may happen between two children. */

import { describe, expect, it } from 'vitest';
import { ShapeError, StateDictError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import type { Progress } from '../../src/nn/execution.ts';
import { add, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { noise, TinyResNet } from './support.ts';

const CHILDREN = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4', 'avgpool', 'fc'];
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

  it('tells each child that is done, of those that run', async () => {
    const seen: Progress[] = [];
    await getter.forwardAsync(x, { onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual(CHILDREN.slice(0, 8).map((child, i) => ({ child, done: i + 1, total: 8 })));
    seen.length = 0;
    await getter.forwardAsync(x, { only: ['aux'], onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ child, total }) => [child, total])).toEqual(CHILDREN.slice(0, 6).map((child) => [child, 6]));
  });

  it('leaves the event loop a turn between children', async () => {
    const happened: string[] = [];
    const turn = () => {
      happened.push('turn');
      if (happened.length < 100) setImmediate(turn);
    };
    setImmediate(turn);
    await getter.forwardAsync(x, { onProgress: ({ child }) => void happened.push(child) });
    // Batch norm and ReLU are computed with the convolution before them.
    const between = happened.slice(happened.indexOf('conv1')).filter((name, i, all) => name !== all[i - 1]);
    const layers = CHILDREN.slice(3, 8).flatMap((child) => ['turn', child]);
    expect(between.slice(0, 13)).toEqual(['conv1', 'bn1', 'relu', ...layers]);
    happened.length = 100;
  });

  it('refuses what forward refuses, as a rejection', async () => {
    await expect(getter.forwardAsync(x, { only: ['c9'] })).rejects.toThrow(ValueError);
    await expect(getter.forwardAsync(noise('x', [1, 4, 8, 8]))).rejects.toThrow(ShapeError);
    const value = { shape: [1, 3, 8, 8] } as unknown as Tensor;
    await expect(getter.forwardAsync(value)).rejects.toThrow(
      new ValueError('IntermediateLayerGetter: expected a Tensor, got Object'),
    );
    expectFeatures(await getter.forwardAsync(x), expected);
  });
});

describe('an abort', () => {
  it('between two children rejects with its reason, stops there, and leaves the getter usable', async () => {
    const controller = new AbortController();
    const reason = new Error('the user left');
    const seen: string[] = [];
    const onProgress = ({ child }: Progress) => {
      seen.push(child);
      if (child === 'layer1') controller.abort(reason);
    };
    await expect(getter.forwardAsync(x, { onProgress, signal: controller.signal })).rejects.toBe(reason);
    expect(seen.at(-1)).toBe('layer1');
    expectFeatures(await getter.forwardAsync(z), ofZ);
    expectFeatures(getter.forward(x), expected);
  });

  it('before the call rejects at once', async () => {
    const seen: string[] = [];
    const options = { signal: AbortSignal.abort(), onProgress: ({ child }: Progress) => void seen.push(child) };
    await expect(getter.forwardAsync(x, options)).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }) as Error,
    );
    expect(seen).toEqual([]);
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
    const call = (name: string, input: Tensor, shape?: readonly string[]) =>
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

  it('may be synchronous between two children of an asynchronous one', async () => {
    for (const other of [z, noise('another size', [2, 3, 21, 40])]) {
      const between = new Map<string, typeof expected>();
      const seen: string[] = [];
      const onProgress = ({ child }: Progress) => {
        seen.push(child);
        if (child === 'conv1' || child === 'layer2' || child === 'layer4') between.set(child, getter.forward(other));
      };
      expectFeatures(await getter.forwardAsync(x, { onProgress }), expected);
      expect(seen).toEqual(CHILDREN.slice(0, 8));
      for (const features of between.values()) expectFeatures(features, getter.forward(other));
    }
  });
});

describe('callAsync', () => {
  it('gives the bits of call, for any module, with the steps between children and after the last', async () => {
    class Steps extends Module {
      readonly first = new Conv2d(3, 8, 3, { padding: 1 });
      readonly second = new Conv2d(8, 8, 3, { padding: 1 });
      forward(a: Value, b: Value): Value {
        const y = this.first.call(add(a, b));
        return relu(add(relu(this.second.call(relu(y))), y));
      }
    }
    const steps = fillParameters(new Steps());
    const seen: Progress[] = [];
    const y = await steps.callAsync([x, z], { onProgress: (progress) => seen.push(progress) });
    expectBits(y.data, steps.call(x, z).data, 'steps');
    expect(seen).toEqual([
      { child: 'first', done: 1, total: 2 },
      { child: 'second', done: 2, total: 2 },
    ]);
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
