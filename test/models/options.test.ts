/** The options of the builders, and what they refuse. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/formats/open-safetensors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { Graph } from '../../src/graph/graph.ts';
import * as models from '../../src/models/index.ts';
import { SiLU } from '../../src/nn/activation.ts';
import { FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import type { AnyModule } from '../../src/nn/module.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const frozen = (channels: number) => new FrozenBatchNorm2d(channels);

describe('a wrong option is refused by the name of the class', () => {
  it.each([
    [
      () => models.alexnet({ numClasses: 0 }),
      'AlexNet: numClasses: expected a whole number from 1 to 2147483647, got 0',
    ],
    [() => models.vgg11({ numClasses: 1.5 }), 'VGG: numClasses: expected a whole number from 1 to 2147483647, got 1.5'],
    [
      () => models.resnet18({ zeroInitResidual: true } as object),
      'ResNet: expected options of numClasses, groups, widthPerGroup, replaceStrideWithDilation, normLayer, ' +
        'got "zeroInitResidual"',
    ],
    [
      () => models.vgg11({ initWeights: false } as object),
      'VGG: expected options of numClasses, dropout, got "initWeights"',
    ],
    [() => models.vgg11({ dropout: 2 }), 'dropout probability has to be between 0 and 1, but got 2'],
    [
      () => models.densenet161({ growthRate: 12 } as object),
      'DenseNet: expected options of numClasses, bnSize, dropRate, memoryEfficient, got "growthRate"',
    ],
    [() => models.densenet121({ dropRate: -1 }), 'DenseNet: dropRate: expected a finite number >= 0, got -1'],
    [() => models.densenet121({ bnSize: 0 }), 'DenseNet: bnSize: expected a whole number from 1 to 2147483647, got 0'],
    [
      () => models.densenet121({ memoryEfficient: 1 as never }),
      'DenseNet: memoryEfficient: expected true or false, got 1',
    ],
    [() => models.googlenet({ auxLogits: 0 as never }), 'GoogLeNet: auxLogits: expected true or false, got 0'],
    [
      () => models.inception_v3({ transformInput: 'yes' as never }),
      'Inception3: transformInput: expected true or false, got "yes"',
    ],
    [() => new models.MNASNet(0), 'alpha should be greater than 0.0 instead of 0'],
    [
      () => models.efficientnet_b0({ stochasticDepthProb: 2 }),
      'drop probability has to be between 0 and 1, but got 1.125',
    ],
    [
      () => new models.StochasticDepth(0.1, 'column' as never),
      "mode has to be either 'batch' or 'row', but got \"column\"",
    ],
    [
      () => models.regnet_x_400mf({ stemWidth: 0 }),
      'RegNet: stemWidth: expected a whole number from 1 to 2147483647, got 0',
    ],
    [
      () => models.regnet_x_400mf({ activation: SiLU as never }),
      'RegNet: activation: expected a function, got the class SiLU',
    ],
    [() => models.lraspp_mobilenet_v3_large({ auxLoss: true as never }), 'This model does not use auxiliary loss'],
    [
      () => models.lraspp_mobilenet_v3_large({ numClasses: -1 }),
      'lraspp_mobilenet_v3_large: numClasses: expected a whole number from 1 to 2147483647, got -1',
    ],
    [
      () => models.deeplabv3_mobilenet_v3_large({ auxLoss: null as never }),
      'deeplabv3_mobilenet_v3_large: auxLoss: expected true or false, got null',
    ],
  ])('%#', (run, message) => {
    expect(thrown(run)).toMatch(/^(?:Value|Unsupported)Error: /);
    expect(thrown(run).replace(/^\w+: /, '')).toBe(message);
  });
});

it('normLayer reaches every norm', () => {
  const build = [
    models.efficientnet_b0,
    models.efficientnet_v2_s,
    models.regnet_y_400mf,
    models.mobilenet_v2,
    models.mobilenet_v3_small,
  ];
  for (const builder of build)
    expect(String(builder({ normLayer: frozen })), builder.name).not.toMatch(/\bBatchNorm2d/);
});

it("a segmentation network's normLayer reaches its backbone, and its head has norms of its own", () => {
  const model = models.lraspp_mobilenet_v3_large({ normLayer: frozen });
  expect(String(model.backbone)).not.toMatch(/\bBatchNorm2d/);
  expect(String(model.classifier)).toMatch(/\bBatchNorm2d/);
  expect(String(models.lraspp_mobilenet_v3_large().backbone)).toContain('eps=0.001');
});

it("RegNet's activation is used in its stem, its blocks and its squeezes", () => {
  const model = models.regnet_y_400mf({ activation: (options) => new SiLU(options) });
  expect(String(model)).not.toContain('ReLU');
  expect(String(model.stem)).toContain('SiLU(inplace=True)');
});

it('the results of GoogLeNet and Inception v3 are the logits, with auxiliary heads in the state or without', () => {
  for (const auxLogits of [true, false]) {
    const graph = new Graph([[2, 3, 99, 99]]);
    const x = graph.inputs[0]!;
    expect(models.googlenet({ auxLogits, numClasses: 4 }).forward(x).shape).toEqual([2, 4]);
    expect(models.inception_v3({ auxLogits, numClasses: 4 }).forward(x).shape).toEqual([2, 4]);
  }
  expect(models.googlenet({ auxLogits: false }).aux1).toBe(null);
  expect(String(models.googlenet().aux1)).toMatch(/^InceptionAux\(/);
});

it('LRASPP says which feature its backbone lacks', () => {
  const lraspp = models.lraspp_mobilenet_v3_large();
  const graph = new Graph([[1, 40, 4, 4]]);
  expect(thrown(() => lraspp.classifier.forward(new Map([['low', graph.inputs[0]!]])))).toBe(
    'KeyError: LRASPP: expected the backbone to return "high", got "low"',
  );
});

it('ShuffleNet says what its stages have to be', () => {
  const five = [24, 48, 96, 192, 1024];
  expect(thrown(() => new models.ShuffleNetV2([4, 8], five))).toBe(
    'ValueError: expected stages_repeats as list of 3 positive ints, got [4, 8]',
  );
  expect(thrown(() => new models.ShuffleNetV2([4, 8, 4], [24, 48, 96, 192, -1]))).toBe(
    'ValueError: expected stages_out_channels as list of 5 positive ints, got [24, 48, 96, 192, -1]',
  );
});

describe('a state dict with auxiliary heads, or without', () => {
  it.each([
    ['googlenet', 'auxLogits', 'aux1', (has: boolean) => models.googlenet({ auxLogits: has, numClasses: 2 })],
    [
      'inception_v3',
      'auxLogits',
      'AuxLogits',
      (has: boolean) => models.inception_v3({ auxLogits: has, numClasses: 2 }),
    ],
    ['fcn_resnet50', 'auxLoss', 'aux_classifier', (has: boolean) => models.fcn_resnet50({ auxLoss: has })],
  ])('says for %s that the option %s decides', async (_, option, head, build) => {
    for (const has of [true, false]) {
      const file = openSafetensors(saveSafetensors(fillParameters(build(!has) as AnyModule).stateDict()));
      const message =
        `\n\tThe option ${option} decides about keys of "${head}": this model has ${option}: ${has}, ` +
        `the state dict is one of ${option}: ${!has}.`;
      await expect(build(has).loadStateDictAsync(await file)).rejects.toThrow(message);
      const stateDict = fillParameters(build(!has) as AnyModule).stateDict();
      expect(thrown(() => build(has).loadStateDict(stateDict))).toContain(message);
      expect(thrown(() => build(has).loadStateDict([]))).not.toContain('The option');
    }
  });
});
