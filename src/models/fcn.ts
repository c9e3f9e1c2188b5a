/** FCN. @see torchvision.models.segmentation.fcn; arXiv:1411.4038 */

import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { resnet50, resnet101 } from './resnet.ts';
import { dilatedResnet, type SegmentationOptions, SimpleSegmentationModel, segmentationModel } from './segmentation.ts';

/** 3×3 to a quarter of the channels, then 1×1 to the classes. @see torchvision.models.segmentation.fcn.FCNHead */
export class FCNHead extends Sequential {
  constructor(inChannels: number, channels: number) {
    const between = Math.floor(inChannels / 4);
    super(
      new Conv2d(inChannels, between, 3, { padding: 1, bias: false }),
      new BatchNorm2d(between),
      new ReLU(),
      new Dropout(0.1),
      new Conv2d(between, channels, 1),
    );
  }
}

/** @see torchvision.models.segmentation.FCN */
export class FCN extends SimpleSegmentationModel {}

const PARTS = { model: FCN, head: FCNHead, auxHead: FCNHead };

/** FCN on a dilated ResNet-50. */
export function fcn_resnet50(options: SegmentationOptions = {}): FCN {
  return segmentationModel('fcn_resnet50', options, dilatedResnet(resnet50), PARTS);
}

/** FCN on a dilated ResNet-101. */
export function fcn_resnet101(options: SegmentationOptions = {}): FCN {
  return segmentationModel('fcn_resnet101', options, dilatedResnet(resnet101), PARTS);
}
