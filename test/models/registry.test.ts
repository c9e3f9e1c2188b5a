/** createModel, listModels and modelInfo: names, and the numbers that torchvision gives with its weights. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { modelOf } from '../../bench/models.mjs';
import * as models from '../../src/models/index.ts';
import { createModel, listModels, modelInfo } from '../../src/models/registry.ts';
import { thrown } from '../support/thrown.ts';
import { zooCases } from '../support/zoo.ts';

interface Torchvision {
  readonly parameters: number;
  readonly inputSize: number;
  /** Of an input of that size, to three digits. */
  readonly gmacs: number;
  readonly smallestInput: number;
}

/** What torchvision 0.29's weights say of themselves, of the first weights of each builder. */
const torchvision = JSON.parse(readFileSync(new URL('../cases/torchvision.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Torchvision>
>;

/** Options that the models of these weights have, where they aren't the builder's own defaults. */
const OPTIONS: Readonly<Record<string, object>> = {
  ...Object.fromEntries(listModels('*_resnet*').map((name) => [name, { auxLoss: true }])),
  ...{ deeplabv3_mobilenet_v3_large: { auxLoss: true }, googlenet: { auxLogits: false } },
  ...{ wide_resnet50_2: {}, wide_resnet101_2: {} },
};

/**
 * torchvision says 33 for these, which run on one pixel there as well in eval mode: in training, one image of 32 pixels
 * has one pixel in the last stage, and batch norm refuses it.
 */
const ONE_PIXEL = ['efficientnet_v2_s', 'efficientnet_v2_m', 'efficientnet_v2_l'];

it('knows every builder of the package, and those alone', () => {
  const builders = Object.entries(models).filter(([name, one]) => typeof one === 'function' && /^[a-z]/.test(name));
  const names = builders.map(([name]) => name).filter((name) => name === name.toLowerCase());
  expect(listModels()).toEqual(names.sort());
  expect(Object.keys(torchvision).sort()).toEqual(listModels());
});

it('has the input sizes that the benchmarks list, which load no other models than the measured one', () => {
  for (const name of listModels()) {
    const { inputSize } = modelInfo(name, OPTIONS[name]);
    expect(modelOf(name).shape, name).toEqual([1, 3, inputSize, inputSize]);
  }
});

describe.each(listModels())('%s', (name) => {
  const info = modelInfo(name, OPTIONS[name]);
  const expected = torchvision[name]!;

  it("has torchvision's parameters and MACs, and takes its smallest input", () => {
    expect(info).toMatchObject({ name, parameters: expected.parameters, inputSize: expected.inputSize });
    expect((info.macs / 1e9).toFixed(3)).toBe(expected.gmacs.toFixed(3));
    expect(info.smallestInput).toBe(ONE_PIXEL.includes(name) ? 1 : expected.smallestInput);
  });

  it('has goldens of all stages, in a file of its family', () => {
    const golden = zooCases.find((one) => one.name === name)!;
    expect(info.taps.map(({ layer }) => layer)).toEqual(golden.taps);
    expect(info.family).toBe(golden.family);
    expect(readdirSync('test/goldens/zoo')).toContain(`${info.family}.test.ts`);
  });
});

it('modelInfo tells channels and reduction of each stage', () => {
  expect(modelInfo('resnet18').taps).toEqual([
    { layer: 'relu', channels: 64, reduction: 2 },
    { layer: 'layer1', channels: 64, reduction: 4 },
    { layer: 'layer2', channels: 128, reduction: 8 },
    { layer: 'layer3', channels: 256, reduction: 16 },
    { layer: 'layer4', channels: 512, reduction: 32 },
  ]);
});

it("createModel gives the builder's model, with its options", () => {
  const model = createModel('efficientnet_b0', { numClasses: 3 });
  expect(model).toBeInstanceOf(models.EfficientNet);
  expect(model.stateShapes().get('classifier.1.weight')).toEqual([3, 1280]);
});

it('listModels takes a pattern', () => {
  expect(listModels('res*')).toEqual([
    ...['resnet101', 'resnet152', 'resnet18', 'resnet34', 'resnet50'],
    ...['resnext101_32x8d', 'resnext101_64x4d', 'resnext50_32x4d'],
  ]);
  expect(listModels('vgg1[!1]')).toEqual(['vgg13', 'vgg16', 'vgg19']);
  expect(listModels('vgg?[13]')).toEqual(['vgg11', 'vgg13']);
  expect(listModels('resnet50.')).toEqual([]);
  expect(listModels('(')).toEqual([]);
});

describe('a wrong name', () => {
  it.each([
    ['resnet19', '; did you mean resnet18?'],
    ['EfficientNet-B8', '; did you mean efficientnet_b0, efficientnet_b1, efficientnet_b2?'],
    ['vit_b_16', '; listModels() has them all'],
  ])('%s: the nearest names are offered', (name, way) => {
    const message = `expected the name of one of ${listModels().length} models, got ${JSON.stringify(name)}${way}`;
    expect(thrown(() => createModel(name))).toBe(`KeyError: createModel: ${message}`);
    expect(thrown(() => modelInfo(name as 'resnet18'))).toBe(`KeyError: modelInfo: ${message}`);
  });

  it('and a name or pattern of another type is refused', () => {
    const message = `createModel: expected the name of one of ${listModels().length} models, got 18`;
    expect(thrown(() => createModel(18 as never))).toBe(`KeyError: ${message}; listModels() has them all`);
    expect(thrown(() => listModels(/res/ as never))).toBe('ValueError: listModels: expected a pattern, got a RegExp');
  });
});
