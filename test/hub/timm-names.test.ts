/** Names and architectures: what timm calls torchvision's layers, and what isn't one of torchvision's networks. */

import { describe, expect, it } from 'vitest';
import { buildArchitecture } from '../../src/hub/architectures.ts';
import { timmKeys, timmNames } from '../support/timm.ts';

describe.each(timmNames)('$architecture', (names) => {
  const prefixes = /^(efficientnet|mobilenetv3)/.test(names.architecture) ? ['', 'tf_'] : [''];

  it.each(prefixes)("has torchvision's names for each of timm's, with %j before its own", (prefix) => {
    const { name, model, rename } = buildArchitecture('fromHub', prefix + names.architecture, 1000);
    expect(name).toBe(names.model);
    const keys = timmKeys(model, names);
    expect(keys.length).toBeGreaterThan(20);
    expect(keys.map(([timm]) => rename(timm))).toEqual(keys.map(([, own]) => own));
  });
});

describe('architectures whose names are the same', () => {
  it.each([
    ['resnet18', 'resnet18'],
    ['resnext101_64x4d', 'resnext101_64x4d'],
    ['wide_resnet101_2', 'wide_resnet101_2'],
    ['densenet161', 'densenet161'],
  ])('%s keeps its keys', (architecture, name) => {
    const built = buildArchitecture('fromHub', architecture, 10);
    expect(built.name).toBe(name);
    expect([...built.model.stateShapes().keys()].map(built.rename)).toEqual([...built.model.stateShapes().keys()]);
  });

  it.each([
    [4, 128],
    [16, 512],
    [32, 1024],
  ])('resnext101_32x%dd has groups of that width', (width, channels) => {
    const { name, model } = buildArchitecture('fromHub', `resnext101_32x${width}d`, 1000);
    expect(name).toBe('resnet101');
    expect(model.stateShapes().get('layer1.0.conv2.weight')).toEqual([channels, width, 3, 3]);
  });

  it('inception_v3 drops the auxiliary head of torchvision’s file', () => {
    const { rename } = buildArchitecture('fromHub', 'inception_v3', 1000);
    expect(rename('AuxLogits.fc.weight')).toBeNull();
    expect(rename('Mixed_5b.branch1x1.conv.weight')).toBe('Mixed_5b.branch1x1.conv.weight');
  });
});

describe('architectures that torchvision lacks are refused by name', () => {
  const message = (architecture: string, difference = '') =>
    `fromHub: expected one of timm's architectures that torchvision has, got "${architecture}"${difference}; ` +
    'openSafetensors reads its weights for a module of your own';

  it.each([
    ['resnet50d', ', which has a deep stem'],
    ['ecaresnet50d', ', which has efficient channel attention'],
    ['seresnet50', ', which has squeeze-and-excitation'],
    ['resnetblur50', ', which has blur pools'],
    ['resnet50_gn', ', which has group norm'],
    ['efficientnetv2_rw_s', ', which has channels of its own'],
    // By timm's rounding it has 384 channels where torchvision's has 400.
    ['regnetx_004', ', which has channels of its own'],
    ['regnety_008', ', which has channels of its own'],
    ['vit_base_patch16_224', ', which has attention'],
    ['mobilenetv3_large_075', ''],
    ['tf_efficientnet_b8', ''],
    ['tf_efficientnet_lite0', ''],
    ['convnext_nano', ''],
    ['__proto__', ''],
  ])('%s', (architecture, difference) => {
    expect(() => buildArchitecture('fromHub', architecture, 1000)).toThrow(message(architecture, difference));
  });
});
