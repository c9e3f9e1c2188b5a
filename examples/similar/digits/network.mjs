/**
 * The digits network in layertap: DeepLab v3 over a narrow ResNet of basic blocks, as network.py defines it in PyTorch.
 * Property names are PyTorch's attribute names, so weights.safetensors loads by its keys.
 */

import {
  AdaptiveAvgPool2d,
  add,
  BatchNorm2d,
  Conv2d,
  DeepLabHead,
  DeepLabV3,
  FCNHead,
  functional,
  IntermediateLayerGetter,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from 'layertap';

/** What a pixel can be. */
export const CLASSES = ['background', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

const WIDTHS = [16, 32, 48, 64];

/** torchvision's BasicBlock, with dilation in both convolutions. */
class BasicBlock extends Module {
  constructor(
    inplanes,
    planes,
    { stride = 1, downsample = /** @type {Sequential | null} */ (null), dilation = 1 } = {},
  ) {
    super();
    const options = { padding: dilation, dilation, bias: false };
    this.conv1 = new Conv2d(inplanes, planes, 3, { ...options, stride });
    this.bn1 = new BatchNorm2d(planes);
    this.relu = new ReLU({ inplace: true });
    this.conv2 = new Conv2d(planes, planes, 3, options);
    this.bn2 = new BatchNorm2d(planes);
    this.downsample = downsample;
  }

  forward(x) {
    const shortcut = this.downsample ? this.downsample.call(x) : x;
    const y = this.relu.call(this.bn1.call(this.conv1.call(x)));
    return this.relu.call(add(this.bn2.call(this.conv2.call(y)), shortcut));
  }
}

/** torchvision's ResNet, narrow; layer3 and layer4 are dilated, so their features have stride 4. */
class NarrowResNet extends Module {
  constructor(numClasses = 10) {
    super();
    this.conv1 = new Conv2d(3, WIDTHS[0], 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new BatchNorm2d(WIDTHS[0]);
    this.relu = new ReLU({ inplace: true });
    this.maxpool = new MaxPool2d(3, { stride: 1, padding: 1 });
    this.layer1 = new Sequential(new BasicBlock(WIDTHS[0], WIDTHS[0]));
    this.layer2 = new Sequential(shortened(WIDTHS[0], WIDTHS[1], { stride: 2 }));
    this.layer3 = new Sequential(
      shortened(WIDTHS[1], WIDTHS[2], { dilation: 1 }),
      new BasicBlock(WIDTHS[2], WIDTHS[2], { dilation: 2 }),
    );
    this.layer4 = new Sequential(
      shortened(WIDTHS[2], WIDTHS[3], { dilation: 2 }),
      new BasicBlock(WIDTHS[3], WIDTHS[3], { dilation: 4 }),
    );
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.fc = new Linear(WIDTHS[3], numClasses);
  }

  forward(x) {
    let y = this.maxpool.call(this.relu.call(this.bn1.call(this.conv1.call(x))));
    for (const layer of [this.layer1, this.layer2, this.layer3, this.layer4]) y = layer.call(y);
    return this.fc.call(functional.flatten(this.avgpool.call(y)));
  }
}

/** A block whose shortcut is a strided 1×1 convolution. */
function shortened(inplanes, planes, { stride = 1, dilation = 1 }) {
  const downsample = new Sequential(new Conv2d(inplanes, planes, 1, { stride, bias: false }), new BatchNorm2d(planes));
  return new BasicBlock(inplanes, planes, { stride, downsample, dilation });
}

/** The network: a tapped backbone, an ASPP head on layer4, an auxiliary head on layer3. */
export function digitsNetwork() {
  const backbone = new IntermediateLayerGetter(new NarrowResNet(), { layer4: 'out', layer3: 'aux' });
  const numClasses = CLASSES.length;
  return new DeepLabV3(
    backbone,
    new DeepLabHead(WIDTHS[3], numClasses, [2, 4, 6], 48),
    new FCNHead(WIDTHS[2], numClasses),
  );
}
