/** Sizes of all builders, as torchvision's; keys, shapes and prints are the goldens' business. */

import { describe, expect, it } from 'vitest';
import * as models from '../../src/models/index.ts';
import type { Module } from '../../src/nn/module.ts';

const parametersOf = (model: Module<any>) => [...model.parameters()].reduce((sum, p) => sum + p.numel(), 0);

/** Parameters and state-dict keys in torchvision, counted there. */
const sizes: Readonly<Record<string, readonly [parameters: number, keys: number]>> = {
  resnet18: [11_689_512, 122],
  resnet34: [21_797_672, 218],
  resnet50: [25_557_032, 320],
  resnet101: [44_549_160, 626],
  resnet152: [60_192_808, 932],
  resnext50_32x4d: [25_028_904, 320],
  resnext101_32x8d: [88_791_336, 626],
  resnext101_64x4d: [83_455_272, 626],
  wide_resnet50_2: [68_883_240, 320],
  wide_resnet101_2: [126_886_696, 626],
  squeezenet1_0: [1_248_424, 52],
  squeezenet1_1: [1_235_496, 52],
  mobilenet_v2: [3_504_872, 314],
  mobilenet_v3_large: [5_483_032, 312],
  mobilenet_v3_small: [2_542_856, 244],
  fcn_resnet50: [32_957_013, 326],
  fcn_resnet101: [51_949_141, 632],
  deeplabv3_resnet50: [39_638_869, 362],
  deeplabv3_resnet101: [58_630_997, 668],
};

const build = (name: string, options = {}) =>
  (models as unknown as Record<string, (options: object) => Module<any>>)[name]!(options);

describe.each(Object.entries(sizes))('%s', (name, [parameters, keys]) => {
  const model = build(name);

  it("has torchvision's number of parameters and state-dict keys", () => {
    expect(parametersOf(model)).toBe(parameters);
    expect(model.stateShapes().size).toBe(keys);
  });

  it('is constructed without values: only what batch norm starts with is known, and held as one number', () => {
    const known = [...model.namedParameters()].filter(([, parameter]) => parameter.hasValues).map(([path]) => path);
    expect(known.filter((path) => model.stateShapes().get(path)!.length !== 1)).toEqual([]);
    const weights = [...model.parameters()].filter((parameter) => parameter.shape.length > 1);
    expect(weights.length).toBeGreaterThan(10);
    expect(weights.some((parameter) => parameter.hasValues)).toBe(false);
    expect([...model.buffers()].every((buffer) => buffer.hasValues)).toBe(true);
  });
});

it('the auxiliary head adds 8 keys and 2,365,205 parameters', () => {
  for (const name of ['fcn_resnet50', 'fcn_resnet101', 'deeplabv3_resnet50', 'deeplabv3_resnet101']) {
    const [parameters, keys] = sizes[name]!;
    const model = build(name, { auxLoss: true });
    expect(model.stateShapes().size).toBe(keys + 8);
    expect(parametersOf(model)).toBe(parameters + 2_365_205);
  }
});

it('numClasses is the size of the last layer, in every family', () => {
  const last = (name: string) => [...build(name, { numClasses: 7 }).stateShapes()].at(-1);
  expect(last('resnet18')).toEqual(['fc.bias', [7]]);
  expect(last('squeezenet1_1')).toEqual(['classifier.1.bias', [7]]);
  expect(last('mobilenet_v2')).toEqual(['classifier.1.bias', [7]]);
  expect(last('mobilenet_v3_small')).toEqual(['classifier.3.bias', [7]]);
  expect(last('fcn_resnet50')).toEqual(['classifier.4.bias', [7]]);
  const deeplab = build('deeplabv3_resnet50', { numClasses: 7, auxLoss: true }).stateShapes();
  expect(deeplab.get('classifier.4.bias')).toEqual([7]);
  expect(deeplab.get('aux_classifier.4.weight')).toEqual([7, 256, 1, 1]);
});
