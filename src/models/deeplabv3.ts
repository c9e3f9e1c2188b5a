/** DeepLab v3. @see torchvision.models.segmentation.deeplabv3; arXiv:1706.05587 */

import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { ModuleList, Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { cat } from '../nn/functional.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { interpolate } from '../nn/resize.ts';
import { FCNHead } from './fcn.ts';
import { resnet50, resnet101 } from './resnet.ts';
import {
  dilatedMobileNetV3,
  dilatedResnet,
  type SegmentationOptions,
  SimpleSegmentationModel,
  segmentationModel,
} from './segmentation.ts';

/** @see torchvision.models.segmentation.deeplabv3.ASPPConv */
export class ASPPConv extends Sequential {
  constructor(inChannels: number, outChannels: number, dilation: number) {
    super(
      new Conv2d(inChannels, outChannels, 3, { padding: dilation, dilation, bias: false }),
      new BatchNorm2d(outChannels),
      new ReLU(),
    );
  }
}

/** The image's mean, spread over its size. @see torchvision.models.segmentation.deeplabv3.ASPPPooling */
export class ASPPPooling extends Sequential {
  constructor(inChannels: number, outChannels: number) {
    super(
      new AdaptiveAvgPool2d(1),
      new Conv2d(inChannels, outChannels, 1, { bias: false }),
      new BatchNorm2d(outChannels),
      new ReLU(),
    );
  }

  override forward(x: Value): Value {
    const size = [x.shape[2]!, x.shape[3]!] as const;
    return interpolate(super.forward(x), { size, mode: 'bilinear', alignCorners: false });
  }
}

/** Convolutions of several dilations side by side. @see torchvision.models.segmentation.deeplabv3.ASPP */
export class ASPP extends Module {
  convs: ModuleList;
  project: Sequential;

  constructor(inChannels: number, atrousRates: readonly number[], outChannels = 256) {
    super();
    this.convs = new ModuleList([
      new Sequential(new Conv2d(inChannels, outChannels, 1, { bias: false }), new BatchNorm2d(outChannels), new ReLU()),
      ...atrousRates.map((rate) => new ASPPConv(inChannels, outChannels, rate)),
      new ASPPPooling(inChannels, outChannels),
    ]);
    this.project = new Sequential(
      new Conv2d(this.convs.length * outChannels, outChannels, 1, { bias: false }),
      new BatchNorm2d(outChannels),
      new ReLU(),
      new Dropout(0.5),
    );
  }

  forward(x: Value): Value {
    return this.project.call(cat([...this.convs].map((conv) => conv.call(x))));
  }
}

/** ASPP, 3×3, and 1×1 to the classes. @see torchvision.models.segmentation.deeplabv3.DeepLabHead */
export class DeepLabHead extends Sequential {
  /**
   * @param atrousRates torchvision's are 12, 24 and 36
   * @param outChannels torchvision's are 256
   */
  constructor(
    inChannels: number,
    numClasses: number,
    atrousRates: readonly number[] = [12, 24, 36],
    outChannels = 256,
  ) {
    super(
      new ASPP(inChannels, atrousRates, outChannels),
      new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false }),
      new BatchNorm2d(outChannels),
      new ReLU(),
      new Conv2d(outChannels, numClasses, 1),
    );
  }
}

/** @see torchvision.models.segmentation.DeepLabV3 */
export class DeepLabV3 extends SimpleSegmentationModel {}

const PARTS = { model: DeepLabV3, head: DeepLabHead, auxHead: FCNHead };

/** DeepLab v3 on a dilated ResNet-50. */
export function deeplabv3_resnet50(options: SegmentationOptions = {}): DeepLabV3 {
  return segmentationModel('deeplabv3_resnet50', options, dilatedResnet(resnet50), PARTS);
}

/** DeepLab v3 on a dilated ResNet-101. */
export function deeplabv3_resnet101(options: SegmentationOptions = {}): DeepLabV3 {
  return segmentationModel('deeplabv3_resnet101', options, dilatedResnet(resnet101), PARTS);
}

/** DeepLab v3 on a dilated MobileNet v3 large. */
export function deeplabv3_mobilenet_v3_large(options: SegmentationOptions = {}): DeepLabV3 {
  return segmentationModel('deeplabv3_mobilenet_v3_large', options, dilatedMobileNetV3, PARTS);
}
