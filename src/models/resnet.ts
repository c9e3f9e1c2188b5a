/**
 * ResNet, Wide ResNet and ResNeXt. @see torchvision.models.resnet; arXiv:1512.03385, arXiv:1605.07146, arXiv:1611.05431
 */

import { describe, UnsupportedError, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d } from '../nn/conv.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.ts';
import { add } from '../nn/same-shape.ts';
import { whole, withDefaults } from '../options.ts';
import { checkedNorm, type NormLayer } from './blocks.ts';

/** Options of all builders here, with torchvision's defaults. */
export interface ResNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  readonly groups?: number;
  readonly widthPerGroup?: number;
  /** For layer2, layer3 and layer4: dilate instead of striding. Bottleneck networks only. */
  readonly replaceStrideWithDilation?: readonly boolean[] | null;
  /** BatchNorm2d unless given. */
  readonly normLayer?: NormLayer;
}

/** What a stage tells its blocks. */
interface BlockOptions {
  readonly stride: number;
  readonly downsample: Sequential | null;
  readonly groups: number;
  readonly baseWidth: number;
  readonly dilation: number;
  readonly normLayer: NormLayer;
}

interface BlockClass {
  readonly expansion: number;
  new (inplanes: number, planes: number, options: BlockOptions): Module;
}

const conv3x3 = (from: number, to: number, stride = 1, groups = 1, dilation = 1) =>
  new Conv2d(from, to, 3, { stride, padding: dilation, groups, bias: false, dilation });

const conv1x1 = (from: number, to: number, stride = 1) => new Conv2d(from, to, 1, { stride, bias: false });

/** Two 3×3 convolutions and a shortcut. @see torchvision.models.resnet.BasicBlock */
export class BasicBlock extends Module {
  static get expansion(): number {
    return 1;
  }

  conv1: Conv2d;
  bn1: Module;
  relu: ReLU;
  conv2: Conv2d;
  bn2: Module;
  downsample: Sequential | null;

  /**
   * @throws {@link ValueError} or {@link UnsupportedError}, as torchvision does, for groups, another width, or dilation
   */
  constructor(inplanes: number, planes: number, options: BlockOptions) {
    super();
    const { stride, downsample, groups, baseWidth, dilation, normLayer } = options;
    if (groups !== 1 || baseWidth !== 64) {
      throw new ValueError(
        `BasicBlock only supports groups=1 and base_width=64; got groups ${groups} and widthPerGroup ${baseWidth}`,
      );
    }
    if (dilation > 1) {
      throw new UnsupportedError(`Dilation > 1 not supported in BasicBlock; got dilation ${dilation}`);
    }
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = normLayer(planes);
    this.relu = new ReLU({ inplace: true });
    this.conv2 = conv3x3(planes, planes);
    this.bn2 = normLayer(planes);
    this.downsample = downsample;
  }

  forward(x: Value): Value {
    let y = this.relu.call(this.bn1.call(this.conv1.call(x)));
    y = this.bn2.call(this.conv2.call(y));
    return this.relu.call(add(y, this.downsample ? this.downsample.call(x) : x));
  }
}

/** 1×1, 3×3 (strided) and 1×1 convolutions and a shortcut. @see torchvision.models.resnet.Bottleneck */
export class Bottleneck extends Module {
  static get expansion(): number {
    return 4;
  }

  conv1: Conv2d;
  bn1: Module;
  conv2: Conv2d;
  bn2: Module;
  conv3: Conv2d;
  bn3: Module;
  relu: ReLU;
  downsample: Sequential | null;

  constructor(inplanes: number, planes: number, options: BlockOptions) {
    super();
    const { stride, downsample, groups, baseWidth, dilation, normLayer } = options;
    const width = Math.trunc(planes * (baseWidth / 64)) * groups;
    this.conv1 = conv1x1(inplanes, width);
    this.bn1 = normLayer(width);
    this.conv2 = conv3x3(width, width, stride, groups, dilation);
    this.bn2 = normLayer(width);
    this.conv3 = conv1x1(width, planes * Bottleneck.expansion);
    this.bn3 = normLayer(planes * Bottleneck.expansion);
    this.relu = new ReLU({ inplace: true });
    this.downsample = downsample;
  }

  forward(x: Value): Value {
    let y = this.relu.call(this.bn1.call(this.conv1.call(x)));
    y = this.relu.call(this.bn2.call(this.conv2.call(y)));
    y = this.bn3.call(this.conv3.call(y));
    return this.relu.call(add(y, this.downsample ? this.downsample.call(x) : x));
  }
}

function resolved(options: ResNetOptions) {
  const given = withDefaults('ResNet', options, {
    numClasses: 1000,
    groups: 1,
    widthPerGroup: 64,
    replaceStrideWithDilation: null,
    normLayer: (channels: number) => new BatchNorm2d(channels),
  });
  for (const name of ['numClasses', 'groups', 'widthPerGroup'] as const) whole(`ResNet: ${name}`, given[name]);
  return { ...given, normLayer: checkedNorm('ResNet', given.normLayer) };
}

/** A residual network of four stages. @see torchvision.models.ResNet */
export class ResNet extends Module {
  conv1: Conv2d;
  bn1: Module;
  relu: ReLU;
  maxpool: MaxPool2d;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  layer4: Sequential;
  avgpool: AdaptiveAvgPool2d;
  fc: Linear;

  /** @throws {@link ValueError} where `replaceStrideWithDilation` isn't of three elements */
  constructor(block: BlockClass, layers: readonly [number, number, number, number], options: ResNetOptions = {}) {
    super();
    const { numClasses, groups, widthPerGroup: baseWidth, normLayer, ...rest } = resolved(options);
    const { replaceStrideWithDilation } = rest;
    const dilate = replaceStrideWithDilation ?? [false, false, false];
    if (!Array.isArray(dilate) || dilate.length !== 3 || ![...dilate].every((one) => typeof one === 'boolean')) {
      const got = describe(replaceStrideWithDilation);
      throw new ValueError(`replace_stride_with_dilation should be None or a 3-element tuple, got ${got}`);
    }
    let inplanes = 64;
    let dilation = 1;
    const stage = (planes: number, blocks: number, stride: number, dilated: boolean): Sequential => {
      const before = dilation;
      if (dilated) dilation *= stride;
      const step = dilated ? 1 : stride;
      const out = planes * block.expansion;
      const shortcut =
        step !== 1 || inplanes !== out ? new Sequential(conv1x1(inplanes, out, step), normLayer(out)) : null;
      const shared = { groups, baseWidth, normLayer };
      const items = [new block(inplanes, planes, { ...shared, stride: step, downsample: shortcut, dilation: before })];
      inplanes = out;
      for (let i = 1; i < blocks; i++) {
        items.push(new block(inplanes, planes, { ...shared, stride: 1, downsample: null, dilation }));
      }
      return new Sequential(...items);
    };
    this.conv1 = new Conv2d(3, inplanes, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = normLayer(inplanes);
    this.relu = new ReLU({ inplace: true });
    this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
    this.layer1 = stage(64, layers[0], 1, false);
    this.layer2 = stage(128, layers[1], 2, dilate[0]!);
    this.layer3 = stage(256, layers[2], 2, dilate[1]!);
    this.layer4 = stage(512, layers[3], 2, dilate[2]!);
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.fc = new Linear(512 * block.expansion, numClasses);
  }

  forward(x: Value): Value {
    let y = this.maxpool.call(this.relu.call(this.bn1.call(this.conv1.call(x))));
    for (const layer of [this.layer1, this.layer2, this.layer3, this.layer4]) y = layer.call(y);
    return this.fc.call(flatten(this.avgpool.call(y)));
  }
}

/** ResNet-18. */
export function resnet18(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [2, 2, 2, 2], options);
}

/** ResNet-34. */
export function resnet34(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [3, 4, 6, 3], options);
}

/** ResNet-50, with the stride in the 3×3 convolution ("ResNet V1.5"). */
export function resnet50(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], options);
}

/** ResNet-101. */
export function resnet101(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 23, 3], options);
}

/** ResNet-152. */
export function resnet152(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 8, 36, 3], options);
}

/**
 * A network of bottlenecks with options that its name decides.
 *
 * @throws {@link ValueError} where they are given otherwise, in torchvision's words
 */
function withDecided(
  layers: readonly [number, number, number, number],
  options: ResNetOptions,
  decided: Pick<ResNetOptions, 'groups' | 'widthPerGroup'>,
): ResNet {
  const given = resolved(options);
  for (const [name, value] of Object.entries(decided)) {
    const got = options[name as keyof typeof decided] ?? value;
    if (got !== value) throw new ValueError(`The parameter '${name}' expected value ${value} but got ${got} instead.`);
  }
  return new ResNet(Bottleneck, layers, { ...given, ...decided });
}

/** ResNeXt-50 32×4d. */
export function resnext50_32x4d(options: ResNetOptions = {}): ResNet {
  return withDecided([3, 4, 6, 3], options, { groups: 32, widthPerGroup: 4 });
}

/** ResNeXt-101 32×8d. */
export function resnext101_32x8d(options: ResNetOptions = {}): ResNet {
  return withDecided([3, 4, 23, 3], options, { groups: 32, widthPerGroup: 8 });
}

/** ResNeXt-101 64×4d. */
export function resnext101_64x4d(options: ResNetOptions = {}): ResNet {
  return withDecided([3, 4, 23, 3], options, { groups: 64, widthPerGroup: 4 });
}

/** Wide ResNet-50-2: the 3×3 convolutions have twice the channels. */
export function wide_resnet50_2(options: ResNetOptions = {}): ResNet {
  return withDecided([3, 4, 6, 3], options, { widthPerGroup: 128 });
}

/** Wide ResNet-101-2. */
export function wide_resnet101_2(options: ResNetOptions = {}): ResNet {
  return withDecided([3, 4, 23, 3], options, { widthPerGroup: 128 });
}
