/**
 * Detectors' backbones by their names in test/cases/zoo.json. The Python side is scripts/goldens/backbones.py, which
 * makes torchvision's of the same options.
 */

import {
  BackboneWithFPN,
  LastLevelP6P7,
  mobilenetBackbone,
  resnetFpnBackbone,
  ssd300Vgg16Backbone,
  ssdlite320MobilenetV3LargeBackbone,
} from '../../src/models/index.ts';
import { createModel } from '../../src/models/registry.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import type { Module } from '../../src/nn/module.ts';

/** Options with the objects that JSON can't hold: a norm by its name, P6 and P7 by their channels. */
function resolved({ normLayer, extraBlocks, ...options }: any): any {
  return {
    ...options,
    ...(normLayer === 'BatchNorm2d' && { normLayer: (channels: number) => new BatchNorm2d(channels) }),
    ...(extraBlocks && { extraBlocks: new LastLevelP6P7(extraBlocks[0], extraBlocks[1]) }),
  };
}

function backboneWithFpn(options: any): BackboneWithFPN {
  const { backbone, returnLayers, inChannelsList, outChannels, ...rest } = options;
  return new BackboneWithFPN(createModel(String(backbone)), returnLayers, inChannelsList, outChannels, rest);
}

const backbones: Readonly<Record<string, (options: any) => Module<any>>> = {
  resnetFpnBackbone,
  mobilenetBackbone,
  BackboneWithFPN: backboneWithFpn,
  ssd300Vgg16Backbone,
  ssdlite320MobilenetV3LargeBackbone,
};

/** The backbone of that name, or torchvision's model. */
export function buildBackbone(name: string, options: object): Module<any> {
  const build = backbones[name];
  return build ? build(resolved(options)) : createModel(name, options);
}
