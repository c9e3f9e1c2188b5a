/** Arguments of a wrong type are refused where they enter: by name, in a few words, in an error of layertap. */

import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LayertapError } from '../src/errors.ts';
import { IntermediateLayerGetter } from '../src/features/intermediate-layer-getter.ts';
import { openSafetensors } from '../src/formats/open-safetensors.ts';
import { readSafetensors } from '../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../src/formats/safetensors-write.ts';
import { Graph, Value } from '../src/graph/graph.ts';
import { Conv2dNormActivation } from '../src/models/blocks.ts';
import * as models from '../src/models/index.ts';
import { Hardswish, ReLU } from '../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../src/nn/batchnorm.ts';
import { ModuleDict, ModuleList, Sequential } from '../src/nn/container.ts';
import { Conv2d } from '../src/nn/conv.ts';
import { Dropout } from '../src/nn/dropout.ts';
import { Flatten, Unflatten } from '../src/nn/flatten.ts';
import * as functional from '../src/nn/functional.ts';
import { Identity, Linear } from '../src/nn/linear.ts';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../src/nn/pooling.ts';
import { Upsample } from '../src/nn/upsampling.ts';
import { Parameter } from '../src/tensor/parameter.ts';
import { Tensor, tensor, zeros } from '../src/tensor/tensor.ts';
import { ThreadPool } from '../src/threads/index.ts';
import { camLayers } from '../src/tools/index.ts';
import { categoriesOf, getModelWeights, licenseNotice, modelOptionsOf, openPretrained } from '../src/weights/index.ts';
import { fillParameters } from './support/generator.ts';
import { thrown } from './support/thrown.ts';

/** Whatever a JavaScript program may hand over by mistake. */
const ANYTHING: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, NaN, Infinity, 5n, '', '10', 'x'.repeat(1e5)],
  ...[Symbol('s'), () => 1, class {}, {}, { length: 2 }, Object.create(null), [], [1], [1, 2], [1, 2, 3], ['1', '2']],
  ...[
    [null, null],
    [NaN, 1],
    Array(1e5),
    Array(2),
    Array(4),
    new Map(),
    new Set([1]),
    new Date(0),
    /x/,
    new Float32Array(4),
    new ArrayBuffer(4),
  ],
  ...[Promise.resolve(1), new Proxy({}, { get: () => undefined }), new ReLU(), ReLU, zeros([1, 2]), new Parameter([1])],
];

/** The functional forms by their names. */
const FORMS = { ...functional };

const value = () => new Graph([[1, 4, 8, 8]]).inputs[0]!;
const getter = () => new IntermediateLayerGetter(new Sequential(new ReLU(), new ReLU()), { '0': 'c4', '1': 'c5' });
const options = (names: readonly string[], take: (options: any) => unknown) =>
  names.map((name) => [name, (given: unknown) => take({ [name]: given })] as const);

const places: readonly (readonly [name: string, take: (given: any) => unknown])[] = [
  ['Conv2d inChannels', (x) => new Conv2d(x, 4, 3)],
  ['Conv2d kernelSize', (x) => new Conv2d(4, 4, x)],
  ...options(['stride', 'padding', 'dilation', 'groups', 'bias'], (o) => new Conv2d(4, 4, 3, o)),
  ['MaxPool2d', (x) => new MaxPool2d(x)],
  ...options(['stride', 'padding', 'dilation', 'ceilMode'], (o) => new MaxPool2d(2, o)),
  ['AvgPool2d', (x) => new AvgPool2d(x)],
  ...options(['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride'], (o) => new AvgPool2d(2, o)),
  ['AdaptiveAvgPool2d', (x) => new AdaptiveAvgPool2d(x)],
  ['Upsample', (x) => new Upsample(x)],
  ...options(['size', 'scaleFactor', 'mode'], (o) => new Upsample(o)),
  ['Upsample alignCorners', (x) => new Upsample({ size: 2, mode: 'bilinear', alignCorners: x })],
  ['BatchNorm2d', (x) => new BatchNorm2d(x)],
  ...options(['eps', 'momentum', 'affine'], (o) => new BatchNorm2d(4, o)),
  ['FrozenBatchNorm2d', (x) => new FrozenBatchNorm2d(x)],
  ...options(['eps'], (o) => new FrozenBatchNorm2d(4, o)),
  ['Linear inFeatures', (x) => new Linear(x, 4)],
  ['Linear outFeatures', (x) => new Linear(4, x)],
  ...options(['bias'], (o) => new Linear(4, 4, o)),
  ['Dropout p', (x) => new Dropout(x)],
  ['Dropout inplace', (x) => new Dropout(0.5, { inplace: x })],
  ['Flatten', (x) => new Flatten(x)],
  ['ReLU inplace', (x) => new ReLU({ inplace: x })],
  ['Hardswish', (x) => new Hardswish(x)],
  ['Sequential', (x) => new Sequential(x)],
  ['Sequential entries', (x) => new Sequential([[x, new ReLU()]])],
  ['ModuleList', (x) => new ModuleList(x)],
  ['ModuleDict', (x) => new ModuleDict(x)],
  ['ModuleDict set', (x) => new ModuleDict().set(x, x)],
  ['ModuleDict get', (x) => new ModuleDict({ a: new ReLU() }).get(x)],
  ['at', (x) => new Sequential(new ReLU()).at(x)],
  ['set', (x) => new Sequential(new ReLU()).set(x, new ReLU())],
  ['insert', (x) => new Sequential(new ReLU()).insert(x, x)],
  ['pop', (x) => new ModuleList([new ReLU()]).pop(x)],
  ['addModule', (x) => new ReLU().addModule(x, x)],
  ['setSubmodule', (x) => new Sequential(new ReLU()).setSubmodule(x, new ReLU())],
  ['getSubmodule', (x) => new Sequential(new ReLU()).getSubmodule(x)],
  ['train', (x) => new ReLU().train(x)],
  ['apply', (x) => new ReLU().apply(x)],
  ['registerForwardHook', (x) => new ReLU().registerForwardHook(x)],
  ['call', (x) => new ReLU().call(x)],
  ['loadStateDict', (x) => new Linear(1, 1).loadStateDict(x)],
  ['loadStateDict a value', (x) => new Linear(1, 1).loadStateDict({ weight: x, bias: x })],
  ['loadStateDict strict', (x) => new ReLU().loadStateDict({}, { strict: x })],
  ['IntermediateLayerGetter', (x) => new IntermediateLayerGetter(x, {})],
  ['returnLayers', (x) => new IntermediateLayerGetter(new Sequential(new ReLU()), x)],
  ['a layer', (x) => new IntermediateLayerGetter(new Sequential(new ReLU()), [[x, 'a']])],
  ['a feature', (x) => new IntermediateLayerGetter(new Sequential(new ReLU()), [['0', x]])],
  ['forward', (x) => getter().forward(x)],
  ['only', (x) => getter().forward(zeros([1, 1, 2, 2]), { only: x })],
  ['an item of only', (x) => getter().forward(zeros([1, 1, 2, 2]), { only: [x] })],
  ['featureInfo', (x) => getter().featureInfo(x)],
  ['new Tensor, data', (x) => new Tensor(x, [2])],
  ['new Tensor, shape', (x) => new Tensor(new Float32Array(2), x)],
  ['new Tensor, dtype', (x) => new Tensor(new Float32Array(2), [2], x)],
  ['tensor', (x) => tensor(x, [2])],
  ['tensor, shape', (x) => tensor([1, 2], x)],
  ['zeros', (x) => zeros(x)],
  ['Parameter', (x) => new Parameter(x)],
  ...options(['fill', 'dtype'], (o) => new Parameter([2], o)),
  ['Parameter tensor', (x) => (new Parameter([2]).tensor = x)],
  ...Object.entries(functional)
    .filter(([name]) => !name.endsWith('Attrs'))
    .map(([name, take]) => [`${name} of a wrong value`, (x: any) => (take as any)(x, 2)] as const),
  ...(['cat', 'flatten', 'add', 'mul', 'maxPool2d', 'avgPool2d', 'adaptiveAvgPool2d', 'interpolate'] as const).map(
    (name) => [`${name}, second argument`, (x: any) => (FORMS as any)[name](value(), x)] as const,
  ),
  ['cat of an item', (x) => functional.cat([value(), x])],
  ...options(
    ['kernelSize', 'stride', 'groups', 'dilation', 'normLayer', 'activationLayer'],
    (o) => new Conv2dNormActivation(4, 4, o),
  ),
  ...options(['numClasses', 'groups', 'widthPerGroup', 'replaceStrideWithDilation', 'normLayer'], (o) =>
    models.resnet18(o),
  ),
  ...options(['numClasses', 'dropout'], (o) => models.squeezenet1_1(o)),
  ['SqueezeNet version', (x) => new models.SqueezeNet(x)],
  ...options(['numClasses', 'widthMult', 'invertedResidualSetting', 'roundNearest', 'normLayer', 'dropout'], (o) =>
    models.mobilenet_v2(o),
  ),
  ...options(['numClasses', 'widthMult', 'reducedTail', 'dilated', 'normLayer', 'dropout'], (o) =>
    models.mobilenet_v3_small(o),
  ),
  ...options(['numClasses', 'auxLoss', 'normLayer'], (o) => models.deeplabv3_resnet50(o)),
  ...options(['numClasses', 'auxLoss', 'normLayer'], (o) => models.fcn_resnet50(o)),
];

describe('whatever comes', () => {
  it.each(places)('%s takes it, or refuses it by an error of layertap in at most 600 characters', (_name, take) => {
    let refused = 0;
    for (const given of ANYTHING) {
      try {
        take(given);
      } catch (error) {
        refused++;
        expect(error, String((error as Error)?.stack)).toBeInstanceOf(LayertapError);
        expect((error as Error).message.length).toBeLessThanOrEqual(600);
      }
    }
    expect(refused, 'most of it is nonsense').toBeGreaterThan(10);
  });

  it('callAsync, forwardAsync and loadStateDictAsync reject so', async () => {
    const takes: ((given: any) => Promise<unknown>)[] = [
      (x) => new ReLU().callAsync(x),
      (x) => new ReLU().callAsync(zeros([1, 2]), x),
      (x) => new ReLU().callAsync(zeros([1, 2]), { signal: x }),
      (x) => new ReLU().callAsync(zeros([1, 2]), { onProgress: x }),
      (x) => getter().forwardAsync(x),
      (x) => getter().forwardAsync(zeros([1, 1, 2, 2]), { only: x }),
      (x) => getter().forwardAsync(zeros([1, 1, 2, 2]), { signal: x }),
      (x) => new ReLU().loadStateDictAsync(x),
      (x) => new ReLU().loadStateDictAsync({ tensors: new Map(), async *stream() {} }, { inputShapes: x }),
      (x) => new ReLU().loadStateDictAsync({ tensors: new Map(), async *stream() {} }, { strict: x }),
    ];
    for (const take of takes) {
      let refused = 0;
      for (const given of ANYTHING) {
        const error: unknown = await take(given).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (error === null) continue;
        refused++;
        expect(error, `${take} ${String((error as Error)?.stack)}`).toBeInstanceOf(LayertapError);
        expect((error as Error).message.length).toBeLessThanOrEqual(600);
      }
      expect(refused).toBeGreaterThan(10);
    }
  });
});

describe('typical mistakes', () => {
  const x = zeros([1, 1, 2, 2]);

  it('of getters', () => {
    const only = "ValueError: IntermediateLayerGetter: expected only as an array of features' names, got";
    expect(thrown(() => getter().forward(x, { only: 'c5' as never }))).toBe(`${only} "c5"`);
    expect(thrown(() => getter().forward(x, { only: 0 as never }))).toBe(`${only} 0`);
    expect(thrown(() => getter().forward(x, { only: false as never }))).toBe(`${only} false`);
    expect(getter().forward(x, { only: [] }).size).toBe(0);
    expect(thrown(() => new IntermediateLayerGetter(new Sequential(new ReLU()), { '0': undefined as never }))).toBe(
      'ValueError: IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries, ' +
        'with strings for layers and strings or numbers for features, got undefined for "0"',
    );
  });

  it('of layers and functional forms', () => {
    const of = (message: string) => `ValueError: ${message}`;
    expect(thrown(() => new Upsample({ scaleFactor: [2] as never }))).toBe(
      of('Upsample: expected scaleFactor as a finite number > 0 or a pair of them, got [2]'),
    );
    expect(thrown(() => new AdaptiveAvgPool2d([1] as never))).toBe(
      of('AdaptiveAvgPool2d: expected outputSize as a number, or a pair of numbers or null, got [1]'),
    );
    expect(thrown(() => functional.cat(5 as never))).toBe(of('cat: expected an array of values, got 5'));
    expect(thrown(() => models.resnet18({ numClasses: '10' as never }))).toBe(
      of('ResNet: numClasses: expected a whole number from 1 to 2147483647, got "10"'),
    );
    expect(thrown(() => models.resnet18({ normLayer: FrozenBatchNorm2d as never }))).toBe(
      of('ResNet: normLayer: expected a function, got the class FrozenBatchNorm2d'),
    );
    expect(thrown(() => models.resnet18({ normLayer: (() => 1) as never }))).toBe(
      of('ResNet: normLayer: expected a function that returns a Module, got 1 from it'),
    );
    expect(thrown(() => new BatchNorm2d(4, { affine: 0 as never }))).toBe(
      of('BatchNorm2d: affine: expected true or false, got 0'),
    );
    expect(thrown(() => models.mobilenet_v2({ widthMult: -1 }))).toBe(
      of('MobileNetV2: widthMult: expected a finite number >= 0, got -1'),
    );
    expect(thrown(() => new ReLU().apply(5 as never))).toBe(of('apply: expected a function, got 5'));
  });

  it.each(['relu', 'relu6', 'sigmoid', 'silu', 'hardswish', 'hardsigmoid', 'flatten'] as const)(
    '%s of a tensor speaks of itself',
    (name) => {
      expect(thrown(() => FORMS[name](x as never))).toMatch(
        new RegExp(`^ValueError: ${name}: expected values, as forward\\(\\) gets them, got a Tensor`),
      );
    },
  );

  it('of channels last: a convolution says so where the last axis fits', () => {
    const conv = new Conv2d(3, 8, 3);
    const message =
      'ShapeError: conv2d: expected x with 3 channels (weight [8, 3, 3, 3], groups 1), got 224 in x [1, 224, 224, 3]';
    expect(thrown(() => conv.call(zeros([1, 224, 224, 3])))).toBe(
      `${message}; it looks like [N, H, W, C], not [N, C, H, W]`,
    );
  });

  it('of loading what is not a state dict yet', async () => {
    const bytes = saveSafetensors({ weight: zeros([1, 1]), bias: zeros([1]) });
    const linear = new Linear(1, 1);
    const opened = await openSafetensors(bytes);
    const dictLike = 'StateDictError: Expected state_dict to be dict-like, got';
    for (const strict of [true, false]) {
      const load = (dict: unknown) => thrown(() => linear.loadStateDict(dict as never, { strict }));
      expect(load(Promise.resolve(new Map()))).toBe(`${dictLike} a Promise that was not awaited.`);
      expect(load(opened)).toBe(`${dictLike} a TensorReader; call loadStateDictAsync(file), or pass await file.load()`);
      expect(load(readSafetensors(bytes))).toBe(
        `${dictLike} { metadata, tensors, get }; pass what loadSafetensors(bytes) returns`,
      );
      expect(load(new Linear(1, 1))).toBe(`${dictLike} a Linear; pass its stateDict()`);
    }
    expect(linear.weight.hasValues).toBe(false);
    const rejection = (file: unknown) => linear.loadStateDictAsync(file as never).catch(String);
    const expected = 'StateDictError: loadStateDictAsync: expected what openWeights gives, got';
    expect(await rejection(openSafetensors(bytes))).toBe(`${expected} a Promise that was not awaited`);
    expect(await rejection(new Map())).toBe(`${expected} a Map; loadStateDict takes that`);
    expect(await linear.loadStateDictAsync(opened)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });

  it('of arrays that were transferred', () => {
    const gone = (shape: number[]) => {
      const lost = zeros(shape);
      structuredClone(lost.data, { transfer: [lost.data.buffer] });
      return lost;
    };
    const message = (n: number, shape: string) =>
      `ValueError: Tensor: expected the ${n} elements of ${shape}, got 0: the array was transferred; post a copy`;
    expect(thrown(() => new Identity().call(gone([1, 2])))).toBe(message(2, '[1, 2]'));
    const linear = new Linear(2, 1);
    expect(thrown(() => linear.loadStateDict({ weight: gone([1, 2]), bias: zeros([1]) }))).toBe(message(2, '[1, 2]'));
    expect(linear.bias!.hasValues, 'nothing is changed where it throws').toBe(false);
    fillParameters(linear);
    const { weight } = linear;
    const { data } = weight.tensor;
    structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
    expect(thrown(() => linear.call(zeros([1, 2])))).toBe(message(2, '[1, 2]'));
    expect(value()).toBeInstanceOf(Value);
  });
});

/** Objects that have no keys of their own: none of what they were meant for would be seen. */
const KEYLESS: readonly (readonly [told: string, object])[] = [
  ['a Promise that was not awaited', Promise.resolve({ numClasses: 7 })],
  ['a Map', new Map([['stride', 2]])],
  ['an AbortSignal', AbortSignal.abort()],
  ['a Date', new Date(0)],
];

describe('objects of another kind', () => {
  it.each(KEYLESS)('%s is refused as options', async (told, given: any) => {
    const net = new Sequential(new ReLU());
    const x = zeros([1, 1, 2, 2]);
    expect(thrown(() => new Conv2d(3, 8, 3, given))).toContain(`got ${told}`);
    expect(thrown(() => models.resnet18(given))).toContain(`got ${told}`);
    expect(thrown(() => net.compile(given))).toContain(`got ${told}`);
    await expect(net.callAsync(x, given)).rejects.toThrow(`callAsync: expected options as an object { onProgress`);
    await expect(getter().forwardAsync(x, given)).rejects.toThrow(`got ${told}`);
  });

  it.each(KEYLESS.filter(([told]) => told !== 'a Map'))('%s is refused as names with items', (told, given: any) => {
    expect(thrown(() => saveSafetensors(given))).toBe(
      `ValueError: saveSafetensors: expected tensors as a Map, entries or an object, got ${told}`,
    );
    expect(thrown(() => saveSafetensors({}, given))).toContain(`got ${told}`);
    expect(thrown(() => new IntermediateLayerGetter(new Sequential(new ReLU()), given))).toContain(`got ${told}`);
    expect(thrown(() => new ModuleDict(given))).toContain(`got ${told}`);
    expect(thrown(() => new Sequential(new ReLU()).loadStateDict(given, { strict: false }))).toContain(`got ${told}`);
  });

  it('plain objects without a prototype, and of other realms, are options and names with items', () => {
    const bare = Object.assign(Object.create(null), { stride: 2 });
    expect(new Conv2d(3, 8, 3, bare).stride).toEqual(new Conv2d(3, 8, 3, { stride: 2 }).stride);
    expect([...new ModuleDict(Object.assign(Object.create(null), { a: new ReLU() }))]).toEqual(['a']);
    const foreign = runInNewContext('({ stride: 2 })');
    expect(new Conv2d(3, 8, 3, foreign).stride).toEqual(new Conv2d(3, 8, 3, { stride: 2 }).stride);
    expect(saveSafetensors(runInNewContext('({})')).length).toBe(16);
  });

  it('are refused by calls of every model, as by asynchronous ones', () => {
    const nets = [new Sequential(new ReLU()), getter(), models.lraspp_mobilenet_v3_large(), models.fcn_resnet50()];
    const x = zeros([1, 3, 8, 8]);
    for (const net of nets as { call(...inputs: any[]): unknown }[]) {
      for (const inputs of [[Promise.resolve(x)], [new Float32Array(3)], [x, { only: ['a'] }], [undefined], []]) {
        expect(thrown(() => net.call(...inputs))).toMatch(/^ValueError: call: expected Tensors, got \[/);
      }
    }
    expect(thrown(() => nets[0]!.call(x, { only: ['a'] }))).toBe(
      'ValueError: call: expected Tensors, got [a Tensor (float32, [1, 3, 8, 8]), { only }]',
    );
  });

  it('are refused by layers and tools that take shapes', () => {
    expect(thrown(() => new models.Permute(0 as never))).toBe(
      'ShapeError: Permute: expected an array of whole numbers >= 0, got 0',
    );
    expect(thrown(() => new Unflatten(1, 2 as never))).toBe(
      'ValueError: Unflatten: expected unflattenedSize as an array, got 2',
    );
    for (const shape of [undefined, 224, { inputShape: [1, 3, 224, 224] }]) {
      expect(thrown(() => camLayers(models.resnet18(), shape as never))).toContain('ShapeError: camLayers: expected');
    }
  });

  it('are refused by what takes weights: a name, and all weights of a model', async () => {
    const way = "expected Weights, such as ResNet50_Weights.DEFAULT or getModelWeights('resnet50').DEFAULT, got";
    for (const given of ['resnet50', getModelWeights('resnet50'), undefined] as any[]) {
      for (const take of [categoriesOf, licenseNotice, modelOptionsOf]) {
        expect(thrown(() => take(given))).toContain(`ValueError: ${take.name}: ${way}`);
      }
      await expect(openPretrained(given)).rejects.toThrow(`openPretrained: ${way}`);
    }
  });

  it('are named where threads are counted', async () => {
    await expect(ThreadPool.create('2' as never)).rejects.toThrow('from 1 to 64, got "2"');
    await expect(ThreadPool.create({ threads: 2 } as never)).rejects.toThrow('got { threads }');
  });
});
