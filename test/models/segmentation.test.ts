/** FCN and DeepLab v3: heads, options and sizes. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { DeepLabHead, DeepLabV3, deeplabv3_resnet50 } from '../../src/models/deeplabv3.ts';
import { FCNHead, fcn_resnet50 } from '../../src/models/fcn.ts';
import { SimpleSegmentationModel } from '../../src/models/segmentation.ts';
import { FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { interpolate } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { noise, TinyResNet } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const backbone = (layers: Record<string, string>) => new IntermediateLayerGetter(new TinyResNet(), layers);
const x = noise('x', [1, 3, 45, 37]);

describe('SimpleSegmentationModel', () => {
  it('gives the logits of both heads in the size of the input, aux in eval mode too', () => {
    const model = fillParameters(
      new DeepLabV3(backbone({ layer4: 'out', layer3: 'aux' }), new DeepLabHead(32, 5, [1, 2], 8), new FCNHead(24, 5)),
    );
    for (const mode of [model.eval(), model.train()]) {
      const logits = mode.call(x);
      expect([...logits].map(([name, { shape }]) => [name, shape])).toEqual([
        ['out', [1, 5, 45, 37]],
        ['aux', [1, 5, 45, 37]],
      ]);
    }
  });

  it('upsamples bilinearly without aligned corners', () => {
    const model = fillParameters(new SimpleSegmentationModel(backbone({ layer3: 'out' }), new FCNHead(24, 2)));
    class Parts extends Module {
      readonly model = model;
      forward(image: Value): Value {
        const head = this.model.classifier.call(this.model.backbone.call(image).get('out'));
        return interpolate(head, { size: [45, 37], mode: 'bilinear', alignCorners: false });
      }
    }
    expect(model.call(x).get('out')).toEqual(new Parts().call(x));
    expect([...model.call(x).keys()]).toEqual(['out']);
  });

  it('refuses a backbone that lacks a feature', () => {
    const model = new SimpleSegmentationModel(backbone({ layer4: 'x', layer3: 'aux' }), new FCNHead(32, 2));
    expect(thrown(() => model.call(x))).toBe(
      'KeyError: SimpleSegmentationModel: expected the backbone to return "out", got "aux", "x"',
    );
    const aux = new DeepLabV3(backbone({ layer4: 'out' }), new FCNHead(32, 2), new FCNHead(24, 2));
    expect(thrown(() => aux.call(x))).toBe('KeyError: DeepLabV3: expected the backbone to return "aux", got "out"');
    const none = new SimpleSegmentationModel(backbone({}), new FCNHead(32, 2));
    expect(thrown(() => none.call(x))).toBe(
      'KeyError: SimpleSegmentationModel: expected the backbone to return "out", got nothing',
    );
  });
});

describe('builders', () => {
  it('dilate the last two stages: features are an eighth of the image', () => {
    for (const model of [deeplabv3_resnet50({ auxLoss: true }), fcn_resnet50({ auxLoss: true })]) {
      const info = (model.backbone as IntermediateLayerGetter).featureInfo([1, 3, 64, 96]);
      expect(info.map(({ name, module, shape }) => [name, module, shape])).toEqual([
        ['aux', 'layer3', [1, 1024, 8, 12]],
        ['out', 'layer4', [1, 2048, 8, 12]],
      ]);
    }
  });

  it("have torchvision's keys: of the backbone without its fc, of the heads by their names", () => {
    const keys = [...deeplabv3_resnet50({ auxLoss: true }).stateShapes().keys()];
    expect(keys[0]).toBe('backbone.conv1.weight');
    expect(keys).toContain('classifier.0.convs.4.1.weight');
    expect(keys).toContain('classifier.0.project.0.weight');
    expect(keys.at(-1)).toBe('aux_classifier.4.bias');
    expect(keys.some((key) => key.startsWith('backbone.fc'))).toBe(false);
  });

  it('without aux, a checkpoint with an auxiliary head has unexpected keys', () => {
    const model = fcn_resnet50();
    const weights = fillParameters(fcn_resnet50({ auxLoss: true })).stateDict();
    const { missingKeys, unexpectedKeys } = model.loadStateDict(weights, { strict: false });
    expect(missingKeys).toEqual([]);
    expect(unexpectedKeys).toEqual([...weights.keys()].filter((key) => key.startsWith('aux_classifier.')));
    expect(thrown(() => fcn_resnet50().loadStateDict(weights))).toMatch(
      /^StateDictError: Error\(s\) in loading state_dict for FCN:\n\tUnexpected key\(s\) in state_dict: "aux_classifier.0.weight", /,
    );
  });

  it('take another norm for the backbone', () => {
    const { backbone: body, classifier } = fcn_resnet50({ normLayer: (channels) => new FrozenBatchNorm2d(channels) });
    const types = (module: Module<any>) => [...module.modules()].map((part) => part.constructor.name);
    expect(types(body)).not.toContain('BatchNorm2d');
    expect(types(classifier)).toContain('BatchNorm2d');
  });
});
