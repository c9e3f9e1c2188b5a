/**
 * An empty batch, as a detector that found nothing makes it: empty tensors of the right shapes, as in PyTorch, whatever
 * runs.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { deeplabv3_resnet50 } from '../../src/models/deeplabv3.ts';
import { mobilenet_v3_small } from '../../src/models/mobilenetv3.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import type { Progress } from '../../src/nn/execution.ts';
import { type Tensor, zeros } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { opCases, programOf } from '../support/op-cases.ts';
import { thrown } from '../support/thrown.ts';
import { noise, TinyResNet } from './support.ts';

const EMPTY = [0, 3, 65, 47];
const x = noise('x', [2, 3, 65, 47]);
const layers = { layer4: 'out', layer2: 'aux' };
const model = fillParameters(new TinyResNet());

type Features = ReadonlyMap<unknown, Tensor>;

/** Expects the features of an empty batch: like those of another one, but for the number of images. */
function expectEmpty(features: Features, like: Features): void {
  expect([...features.keys()]).toEqual([...like.keys()]);
  for (const [name, { shape }] of like) expect(features.get(name)).toEqual(zeros([0, ...shape.slice(1)]));
}

describe('an empty batch', () => {
  const perImage = opCases.filter(({ mixesImages }) => !mixesImages);
  const cases = perImage.map((opCase) => ({
    ...opCase,
    inputs: opCase.inputs.map(([, ...rest]) => [0, ...rest]),
    whole: opCase,
  }));

  it.each(cases)('gives an empty tensor of the right shape: $name', ({ whole, ...opCase }) => {
    const program = programOf(opCase);
    const inputs = opCase.inputs.map((shape) => zeros(shape));
    const expected = zeros([0, ...programOf(whole).taps[0]!.shape.slice(1)]);
    expect(interpret(program, inputs)).toEqual([expected]);
    for (const binary of binaries) {
      const compiled = compiledModel(binary);
      const plan = compiled.plan(program);
      expect(compiled.run(plan, inputs)).toEqual([expected]);
    }
  });

  it('is an error where one image would be, too', () => {
    const conv = fillParameters(new Conv2d(3, 4, 9));
    expect(thrown(() => conv.call(zeros([0, 3, 8, 9])))).toBe(
      'ShapeError: conv2d: expected an input of at least 9x9 pixels with padding (kernel 9x9, dilation 1x1), ' +
        'got 8x9 from x ' +
        '[0, 3, 8, 9]',
    );
    expect(thrown(() => conv.call(zeros([0, 4, 9, 9])))).toBe(
      'ShapeError: conv2d: expected x with 3 channels (weight [4, 3, 9, 9], groups 1), got 4 in x [0, 4, 9, 9]',
    );
  });

  it('comes between others on one module and leaves their results as they are', () => {
    const expected = model.call(x);
    expect(model.call(zeros(EMPTY))).toEqual(zeros([0, 10]));
    expect(model.call(x)).toEqual(expected);
    expect(new ReLU().call(zeros([0, 5]))).toEqual(zeros([0, 5]));
  });

  it.each([{}, { deterministic: true }, { weightStorage: 'f16' }, { memoryBudgetBytes: 1 << 20 }] as const)(
    'passes a module compiled with %j',
    (options) => {
      expect(fillParameters(new TinyResNet()).compile(options).call(zeros(EMPTY))).toEqual(zeros([0, 10]));
    },
  );

  it('passes whole networks', () => {
    for (const network of [resnet18(), mobilenet_v3_small(), squeezenet1_1()]) {
      expect(network.call(zeros([0, 3, 64, 64]))).toEqual(zeros([0, 1000]));
    }
    const segmented = deeplabv3_resnet50({ auxLoss: true }).call(zeros([0, 3, 65, 64]));
    expect([...segmented]).toEqual(['out', 'aux'].map((name) => [name, zeros([0, 21, 65, 64])]));
  });

  it('passes a getter, with only some of its features, too', () => {
    const getter = new IntermediateLayerGetter(model, layers);
    const like = getter.forward(x);
    expectEmpty(getter.forward(zeros(EMPTY)), like);
    expectEmpty(getter.forward(zeros(EMPTY), { only: ['aux'] }), new Map([['aux', like.get('aux')!]]));
    expect(getter.forward(x)).toEqual(like);
  });

  it('is told of by featureInfo: no bytes, no multiply-accumulates', () => {
    const getter = new IntermediateLayerGetter(model, layers);
    const like = getter.featureInfo(x.shape);
    expect(getter.featureInfo(EMPTY)).toEqual(
      like.map((info) => ({ ...info, shape: [0, ...info.shape.slice(1)], macs: 0, bytes: 0 })),
    );
  });

  it('passes asynchronous calls, whose children are done one after another', async () => {
    const getter = new IntermediateLayerGetter(model, layers);
    const seen: Progress[] = [];
    const features = await getter.forwardAsync(zeros(EMPTY), { onProgress: (progress) => seen.push(progress) });
    const like: Progress[] = [];
    expectEmpty(features, await getter.forwardAsync(x, { onProgress: (progress) => like.push(progress) }));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
    const calls = [model.callAsync(zeros(EMPTY)), model.callAsync(x), model.callAsync(zeros(EMPTY))];
    const [first, second, third] = await Promise.all(calls);
    expect([first, third]).toEqual([zeros([0, 10]), zeros([0, 10])]);
    expect(second).toEqual(model.call(x));
  });

  it('has no weights packed for it', async () => {
    const file = { tensors: new Map(model.stateDict()), stream: async function* () {} };
    const loading = new TinyResNet().loadStateDictAsync(file as never, { inputShapes: [[1, 3, 32, 32], EMPTY] });
    await expect(loading).rejects.toThrow(
      'loadStateDictAsync: expected inputShapes of at least one image, got [0, 3, 65, 47]',
    );
  });
});

describe('an empty batch on threads', () => {
  let pool: ThreadPool;
  beforeAll(async () => {
    pool = await ThreadPool.create(2, { worker: new URL('../../dist/threads/worker.js', import.meta.url) });
  });
  afterAll(() => pool.close());

  it('gives what it gives on one, between others', async () => {
    const alone = new IntermediateLayerGetter(model, layers).forward(x);
    const getter = new IntermediateLayerGetter(model, layers).compile({ pool });
    for (const input of [zeros(EMPTY), x, zeros(EMPTY)]) {
      const features = await getter.forwardAsync(input);
      if (input === x) expect(features).toEqual(alone);
      else expectEmpty(features, alone);
    }
    expectEmpty(getter.forward(zeros(EMPTY)), alone);
  });
});
