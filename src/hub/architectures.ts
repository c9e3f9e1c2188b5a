/** Which of timm's architectures are torchvision's, and how a file's tensors are called in them. */

import { describe, UnsupportedError } from '../errors.ts';
import { createModel, type ModelName } from '../models/registry.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import type { AnyModule } from '../nn/module.ts';
import { padAsTensorflow } from './conv2d-same.ts';
import { builderNames, convnextNames, inceptionNames, type Rename, regnetNames, vggNames } from './timm-names.ts';

/** A model for a file of timm's. */
export interface BuiltModel {
  /** torchvision's name. */
  readonly name: ModelName;
  /** Without weights. */
  readonly model: AnyModule;
  readonly rename: Rename;
}

/** What an architecture is to torchvision. */
interface Architecture {
  readonly name: ModelName;
  readonly options?: object;
  readonly rename?: (model: AnyModule) => Rename;
  /** Of its batch norms, where that isn't told by torchvision's builder. */
  readonly eps?: number;
  readonly isPaddedAsTensorflow?: boolean;
}

/** Networks whose layers have torchvision's names. */
const SAME: readonly ModelName[] = [
  ...(['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152'] as const),
  ...(['resnext50_32x4d', 'resnext101_32x8d', 'resnext101_64x4d', 'wide_resnet50_2', 'wide_resnet101_2'] as const),
  ...(['densenet121', 'densenet161', 'densenet169', 'densenet201'] as const),
];

const VGG = /^vgg1[1369](_bn)?$/;

/** Channels of a group, of the ResNeXt-101 with 32 groups that torchvision has no builder for. */
const RESNEXT101 = /^resnext101_32x(4|16|32)d$/;

/**
 * timm's names of torchvision's RegNets, which say hundreds of MFLOP. Where rounding gives timm's own other channels
 * than torchvision's, those with torchvision's end in `_tv`.
 */
const REGNETS: Readonly<Record<string, ModelName>> = {
  regnetx_004_tv: 'regnet_x_400mf',
  regnetx_008: 'regnet_x_800mf',
  regnetx_016: 'regnet_x_1_6gf',
  regnetx_032: 'regnet_x_3_2gf',
  regnetx_080: 'regnet_x_8gf',
  regnetx_160: 'regnet_x_16gf',
  regnetx_320: 'regnet_x_32gf',
  regnety_004: 'regnet_y_400mf',
  regnety_008_tv: 'regnet_y_800mf',
  regnety_016: 'regnet_y_1_6gf',
  regnety_032: 'regnet_y_3_2gf',
  regnety_080_tv: 'regnet_y_8gf',
  regnety_160: 'regnet_y_16gf',
  regnety_320: 'regnet_y_32gf',
  regnety_1280: 'regnet_y_128gf',
};

/** What timm's EfficientNetBuilder makes of each, as {@link builderNames} takes it. */
const STAGES: Readonly<Record<string, string>> = {
  mobilenet_v2: 'd1i2i3i4i3i3i1',
  mnasnet: 'd1i3i3i3i2i4i1',
  mobilenet_v3_large: 'd1i2I3i4I2I3c1',
  mobilenet_v3_small: 'D1i2I3I2I3c1',
  efficientnet_b0: 'D1I2I2I3I3I4I1',
  efficientnet_b1: 'D2I3I3I4I4I5I2',
  efficientnet_b2: 'D2I3I3I4I4I5I2',
  efficientnet_b3: 'D2I3I3I5I5I6I2',
  efficientnet_b4: 'D2I4I4I6I6I8I2',
  efficientnet_b5: 'D3I5I5I7I7I9I3',
  efficientnet_b6: 'D3I6I6I8I8I11I3',
  efficientnet_b7: 'D4I7I7I10I10I13I4',
  efficientnet_v2_s: 'c2e4e4I6I9I15',
  efficientnet_v2_m: 'c3e5e5I7I14I18I5',
  efficientnet_v2_l: 'c4e7e7I10I19I25I7',
};

const HEAD = ['conv_head', 'bn2', 'classifier'];

/** MobileNet v3's has a convolution after the pooling, without a norm. */
const V3_HEAD = ['conv_head', 'classifier'];

const ofBuilder = (stages: string, head = HEAD) => ({
  rename: (model: AnyModule) => builderNames(model, STAGES[stages]!, head),
});

/** What is torchvision's of an architecture's name; null where nothing is. */
function architectureOf(name: string): Architecture | null {
  const same = SAME.find((one) => one === name);
  if (same) return { name: same };
  if (VGG.test(name)) return { name: name as ModelName, rename: () => vggNames };
  if (name === 'inception_v3') return { name, options: { auxLogits: false }, rename: () => inceptionNames };
  const width = RESNEXT101.exec(name)?.[1];
  if (width) return { name: 'resnet101', options: { groups: 32, widthPerGroup: Number(width) } };
  if (Object.hasOwn(REGNETS, name)) return { name: REGNETS[name]!, rename: () => regnetNames };
  if (/^convnext_(tiny|small|base|large)$/.test(name)) return { name: name as ModelName, rename: () => convnextNames };
  const percent = /^mobilenetv2_(035|050|075|100|140)$/.exec(name)?.[1];
  if (percent)
    return { name: 'mobilenet_v2', options: { widthMult: Number(percent) / 100 }, ...ofBuilder('mobilenet_v2') };
  const alpha = { '050': '0_5', '075': '0_75', '100': '1_0' }[/^mnasnet_(050|075|100)$/.exec(name)?.[1] ?? ''];
  if (alpha) return { name: `mnasnet${alpha}` as ModelName, ...ofBuilder('mnasnet') };
  // The rest came from TensorFlow with its eps and its padding, or was trained in PyTorch without either.
  const own = name.replace(/^tf_/, '');
  const origin = own === name ? { eps: 1e-5 } : { eps: 1e-3, isPaddedAsTensorflow: true };
  const size = /^mobilenetv3_(large|small)_100$/.exec(own)?.[1];
  if (size) {
    const model = `mobilenet_v3_${size}` as ModelName;
    return { name: model, ...origin, ...ofBuilder(model, V3_HEAD) };
  }
  const efficientnet = own.replace(/^efficientnetv2_/, 'efficientnet_v2_');
  if (/^efficientnet_(b[0-7]|v2_[sml])$/.test(efficientnet)) {
    return { name: efficientnet as ModelName, ...origin, ...ofBuilder(efficientnet) };
  }
  return null;
}

/** Why an architecture isn't one of torchvision's, where its name tells. */
const DIFFERENCES: readonly (readonly [RegExp, string])[] = [
  [/^eca/, 'efficient channel attention'],
  [/^(se|legacy_se)/, 'squeeze-and-excitation'],
  [/blur|aa$/, 'blur pools'],
  [/^(res|wide_res|skres)ne.*[dts]$|^resnet.*c$/, 'a deep stem'],
  [/_gn$|gn_/, 'group norm'],
  [/_rw|^regnet/, 'channels of its own'],
  [/^(vit|deit|swin|beit|eva|maxvit|coat)/, 'attention'],
];

/**
 * A model of torchvision's for an architecture of timm's.
 *
 * @param caller the public function, for messages
 * @throws {@link UnsupportedError} naming the architecture, where torchvision has none like it
 */
export function buildArchitecture(caller: string, architecture: string, numClasses: number): BuiltModel {
  const found = architectureOf(architecture);
  if (!found) {
    const difference = DIFFERENCES.find(([pattern]) => pattern.test(architecture))?.[1];
    throw new UnsupportedError(
      `${caller}: expected one of timm's architectures that torchvision has, got ${describe(architecture)}` +
        `${difference ? `, which has ${difference}` : ''}; openSafetensors reads its weights for a module of your own`,
    );
  }
  const { name, options, eps, isPaddedAsTensorflow, rename } = found;
  const norm = eps === undefined ? {} : { normLayer: (channels: number) => new BatchNorm2d(channels, { eps }) };
  const model: AnyModule = createModel(name as string, { ...options, ...norm, numClasses });
  if (isPaddedAsTensorflow) padAsTensorflow(model);
  return { name, model, rename: rename?.(model) ?? ((key) => key) };
}
