/** Feature pyramids and detectors' backbones: what they take and refuse. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import {
  BackboneWithFPN,
  ExtraFPNBlock,
  FeaturePyramidNetwork,
  LastLevelMaxPool,
  LastLevelP6P7,
  mobilenet_v3_large,
  mobilenetBackbone,
  type NamedMaps,
  resnet18,
  resnetFpnBackbone,
  SSDFeatureExtractorVGG,
  SSDLiteFeatureExtractorMobileNet,
  ssd300Vgg16Backbone,
  ssdlite320MobilenetV3LargeBackbone,
  vgg11,
} from '../../src/models/index.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { maxPool2d } from '../../src/nn/functional.ts';
import type { Module } from '../../src/nn/module.ts';
import { noise } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const norm = (channels: number) => new BatchNorm2d(channels);

/** The shapes of a backbone's maps, by their names. */
function shapesOf(backbone: Module<any>, size = 64): [name: string, channels: number, height: number][] {
  const maps: Map<string, Value> = backbone.call(new Graph([[1, 3, size, size]]).inputs[0]);
  return [...maps].map(([name, { shape }]) => [name, shape[1]!, shape[2]!]);
}

describe('resnetFpnBackbone', () => {
  it("gives torchvision's maps, each of 256 channels", () => {
    const backbone = resnetFpnBackbone({ backboneName: 'resnet50' });
    expect(backbone.outChannels).toBe(256);
    expect(shapesOf(backbone)).toEqual([
      ['0', 256, 16],
      ['1', 256, 8],
      ['2', 256, 4],
      ['3', 256, 2],
      ['pool', 256, 1],
    ]);
  });

  it.each([0, 5])('takes %i layers as trainable, which changes nothing', (trainableLayers) => {
    const [one, other] = [{ trainableLayers }, {}].map((options) =>
      String(resnetFpnBackbone({ backboneName: 'resnet18', ...options })),
    );
    expect(one).toBe(other);
  });

  it('takes the weights of the whole ResNet and of the pyramid', () => {
    const model = fillParameters(resnet18({ numClasses: 3 }));
    const backbone = new BackboneWithFPN(model, { layer2: 'c3' }, [128], 8);
    const keys = [...backbone.stateShapes().keys()];
    expect(keys[0]).toBe('body.conv1.weight');
    expect(keys.slice(-4)).toEqual([
      'fpn.inner_blocks.0.0.weight',
      'fpn.inner_blocks.0.0.bias',
      'fpn.layer_blocks.0.0.weight',
      'fpn.layer_blocks.0.0.bias',
    ]);
    const { fpn } = fillParameters(new BackboneWithFPN(resnet18(), { layer2: 'c3' }, [128], 8));
    const state = [
      ...[...model.stateDict()].map(([key, tensor]) => [`body.${key}`, tensor] as const),
      ...[...fpn.stateDict()].map(([key, tensor]) => [`fpn.${key}`, tensor] as const),
    ];
    expect(backbone.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });

  it('layers that do not ascend have the channels of others, as in torchvision', () => {
    const backbone = resnetFpnBackbone({ backboneName: 'resnet18', returnedLayers: [4, 3] });
    expect(thrown(() => shapesOf(backbone))).toBe(
      'ShapeError: conv2d: expected x with 256 channels (weight [256, 256, 1, 1], groups 1), got 512 in x [1, 512, 2, 2]',
    );
  });
});

describe('mobilenetBackbone', () => {
  it('gives the last two sizes, and all that are asked for', () => {
    expect(shapesOf(mobilenetBackbone({ backboneName: 'mobilenet_v3_large', fpn: true }), 128)).toEqual([
      ['0', 256, 4],
      ['1', 256, 4],
      ['pool', 256, 2],
    ]);
    const all = mobilenetBackbone({ backboneName: 'mobilenet_v2', fpn: true, returnedLayers: [0, 1, 2, 3, 4, 5] });
    expect([...all.body.returnLayers.keys()]).toEqual(['0', '2', '4', '7', '14', '18']);
  });

  it('without a pyramid gives the last map with 256 channels', () => {
    const backbone = mobilenetBackbone({ backboneName: 'mobilenet_v3_small', fpn: false });
    expect(backbone.outChannels).toBe(256);
    expect(backbone.call(new Graph([[1, 3, 64, 64]]).inputs[0]).shape).toEqual([1, 256, 2, 2]);
  });
});

describe('FeaturePyramidNetwork', () => {
  const maps = () =>
    new Map([
      ['a', noise('a', [2, 3, 9, 7])],
      ['b', noise('b', [2, 5, 4, 4])],
    ]);

  it('computes of a Map of tensors', () => {
    const fpn = fillParameters(new FeaturePyramidNetwork([3, 5], 4));
    const results = fpn.call(maps());
    expect([...results].map(([name, { shape }]) => [name, shape])).toEqual([
      ['a', [2, 4, 9, 7]],
      ['b', [2, 4, 4, 4]],
    ]);
    // The smallest map is its own alone.
    const { inner_blocks: inner, layer_blocks: layer } = fpn;
    const alone = layer.at(1).call(inner.at(1).call(maps().get('b')!));
    expect(results.get('b')!.data).toEqual(alone.data);
  });

  it('takes extra blocks of a class of its own', () => {
    class Twice extends ExtraFPNBlock {
      forward(results: readonly Value[], x: readonly Value[], names: readonly (string | number)[]): NamedMaps {
        expect(x.map(({ shape }) => shape[1])).toEqual([3, 5]);
        return [
          [maxPool2d(results[0]!, 2), ...results],
          ['half', ...names],
        ];
      }
    }
    const fpn = fillParameters(new FeaturePyramidNetwork([3, 5], 4, { extraBlocks: new Twice() }));
    expect([...fpn.call(maps()).keys()]).toEqual(['half', 'a', 'b']);
  });

  it('P6 is made of the last feature where its channels are not those of the pyramid', () => {
    expect(new LastLevelP6P7(5, 4).useP5).toBe(false);
    expect(new LastLevelP6P7(4, 4).useP5).toBe(true);
    const fpn = fillParameters(new FeaturePyramidNetwork([3, 5], 4, { extraBlocks: new LastLevelP6P7(5, 4) }));
    expect([...fpn.call(maps())].map(([name, { shape }]) => [name, shape[2]])).toEqual([
      ['a', 9],
      ['b', 4],
      ['p6', 2],
      ['p7', 1],
    ]);
  });

  it('loads the keys of before version 2, in which a block was a convolution', () => {
    const fpn = fillParameters(new FeaturePyramidNetwork([3, 5], 4, { extraBlocks: new LastLevelP6P7(5, 4) }));
    const older = [...fpn.stateDict()].map(
      ([key, tensor]) => [key.replace(/^((?:inner|layer)_blocks\.\d)\.0/, '$1'), tensor] as const,
    );
    expect(older[0]![0]).toBe('inner_blocks.0.weight');
    const loaded = new FeaturePyramidNetwork([3, 5], 4, { extraBlocks: new LastLevelP6P7(5, 4) });
    expect(loaded.loadStateDict(older)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(loaded.call(maps()).get('a')!.data).toEqual(fpn.call(maps()).get('a')!.data);
    expect(fpn.stateDict().metadata.get('')).toEqual({ version: 2 });
  });
});

describe('SSD', () => {
  it('sets the third pooling to ceil mode, so that 300 pixels give the sizes of the paper', () => {
    const backbone = ssd300Vgg16Backbone();
    expect(shapesOf(backbone, 300)).toEqual([
      ['0', 512, 38],
      ['1', 1024, 19],
      ['2', 512, 10],
      ['3', 256, 5],
      ['4', 256, 3],
      ['5', 256, 1],
    ]);
  });

  it('has a seventh map for 512 pixels', () => {
    expect(shapesOf(new SSDFeatureExtractorVGG(vgg11().features, true), 512).map(([, , height]) => height)).toEqual([
      ...[64, 32, 16, 8, 6, 4, 1],
    ]);
  });

  it("SSDlite's first map is inside of a block, and its detector has the reduced tail", () => {
    const backbone = ssdlite320MobilenetV3LargeBackbone();
    expect(shapesOf(backbone, 320)).toEqual([
      ['0', 672, 20],
      ['1', 480, 10],
      ['2', 512, 5],
      ['3', 256, 3],
      ['4', 256, 2],
      ['5', 128, 1],
    ]);
    expect(shapesOf(ssdlite320MobilenetV3LargeBackbone({ reducedTail: false }), 320)[1]).toEqual(['1', 960, 10]);
  });
});

describe('what is wrong is refused', () => {
  const { features } = mobilenet_v3_large();
  it.each([
    [
      () => resnetFpnBackbone({ backboneName: 'resnet51' }),
      'KeyError: resnetFpnBackbone: expected backboneName of "resnet50", "resnet18", "resnet34", "resnet101", ' +
        '"resnet152", "resnext50_32x4d", "wide_resnet50_2", "resnext101_32x8d", "resnext101_64x4d", ' +
        '"wide_resnet101_2", got "resnet51"',
    ],
    [
      () => resnetFpnBackbone({ backboneName: 'resnet18', trainableLayers: 6 }),
      'ValueError: Trainable layers should be in the range [0,5], got 6',
    ],
    [
      () => resnetFpnBackbone({ backboneName: 'resnet18', returnedLayers: [0, 1] }),
      'ValueError: Each returned layer should be in the range [1,4]. Got [0, 1]',
    ],
    [
      () => mobilenetBackbone({ backboneName: 'mobilenet_v1', fpn: true }),
      'KeyError: mobilenetBackbone: expected backboneName of "mobilenet_v2", "mobilenet_v3_large", ' +
        '"mobilenet_v3_small", got "mobilenet_v1"',
    ],
    [
      () => mobilenetBackbone({ backboneName: 'mobilenet_v2' } as never),
      'ValueError: mobilenetBackbone: fpn: expected true or false, got undefined',
    ],
    [
      () => mobilenetBackbone({ backboneName: 'mobilenet_v3_large', fpn: true, returnedLayers: [-1] }),
      'ValueError: Each returned layer should be in the range [0,5], got [-1] ',
    ],
    [
      () => mobilenetBackbone({ backboneName: 'mobilenet_v3_large', fpn: false, trainableLayers: -1 }),
      'ValueError: Trainable layers should be in the range [0,6], got -1 ',
    ],
    [
      () => new FeaturePyramidNetwork([8, 0], 4),
      'ValueError: in_channels=0 is currently not supported; FeaturePyramidNetwork: got inChannelsList [8, 0]',
    ],
    [
      () => new FeaturePyramidNetwork([], 4),
      'ValueError: FeaturePyramidNetwork: expected inChannelsList as an array of numbers, got []',
    ],
    [
      () => new FeaturePyramidNetwork([8], 4, { extraBlocks: LastLevelMaxPool as never }),
      'ValueError: extra_blocks should be of type ExtraFPNBlock not a function LastLevelMaxPool',
    ],
    [
      () => new FeaturePyramidNetwork([3, 5], 4).call(new Map([['a', noise('a', [1, 3, 4, 4])]])),
      'ValueError: FeaturePyramidNetwork: expected a Map of 2 features, got "a"',
    ],
    [
      () => new SSDFeatureExtractorVGG(vgg11().features.slice(0, -1), false),
      'ValueError: SSDFeatureExtractorVGG: expected a Sequential with 5 max poolings, got 4',
    ],
    [
      () => ssd300Vgg16Backbone({ trainableLayers: 6 }),
      'ValueError: trainable_layers should be in the range [0, 5]. Instead got 6',
    ],
    [
      () => new SSDLiteFeatureExtractorMobileNet(features, 14, norm),
      'ValueError: backbone[c4_pos].use_res_connect should be False',
    ],
    [
      () => new SSDLiteFeatureExtractorMobileNet(new Sequential(new Conv2d(3, 4, 1)), 0, norm),
      "ValueError: SSDLiteFeatureExtractorMobileNet: expected a MobileNet v3's features and the index of a block, " +
        'got a Sequential and 0',
    ],
    [
      () => new SSDLiteFeatureExtractorMobileNet(new ModuleList() as never, 0, norm),
      "ValueError: SSDLiteFeatureExtractorMobileNet: expected a MobileNet v3's features and the index of a block, " +
        'got a ModuleList and 0',
    ],
    [
      () => ssdlite320MobilenetV3LargeBackbone({ trainableLayers: 7 }),
      'ValueError: trainable_layers should be in the range [0, 6], instead got 7',
    ],
  ])('%#', (run, message) => {
    expect(thrown(run)).toBe(message);
  });
});
