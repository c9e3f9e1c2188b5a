/**
 * torchvision's names for timm's. Families that both libraries build of the same layers in the same order are named by
 * position: timm's names follow from its kinds of block. Held to timm's own definitions by test/hub/timm-names.test.ts.
 */

import { assert } from '../errors.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Conv2d } from '../nn/conv.ts';
import { Linear } from '../nn/linear.ts';
import type { AnyModule } from '../nn/module.ts';

/** torchvision's name for one of timm's; null for a tensor that the model has no place for. */
export type Rename = (name: string) => string | null;

/** The layers of a block of each kind, with `se` where those of squeeze-and-excitation may stand. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  c: ['conv', 'bn1'],
  d: ['conv_dw', 'bn1', 'se', 'conv_pw', 'bn2'],
  e: ['conv_exp', 'bn1', 'conv_pwl', 'bn2'],
  i: ['conv_pw', 'bn1', 'conv_dw', 'bn2', 'se', 'conv_pwl', 'bn3'],
};

const SQUEEZE = ['se.conv_reduce', 'se.conv_expand'];

/**
 * Names of a network that timm's EfficientNetBuilder makes.
 *
 * @param stages each one's kind of block and number of blocks, `'D1I2'`; a capital has squeeze-and-excitation
 * @param head the layers after the stages
 */
export function builderNames(model: AnyModule, stages: string, head: readonly string[]): Rename {
  const blocks = [...stages.matchAll(/(\D)(\d+)/g)].flatMap(([, kind, count], stage) => {
    const isSqueezed = kind !== kind!.toLowerCase();
    const layers = KINDS[kind!.toLowerCase()]!.flatMap((layer) => {
      return layer !== 'se' ? layer : isSqueezed ? SQUEEZE : [];
    });
    return Array.from({ length: Number(count) }, (_, block) =>
      layers.map((layer) => `blocks.${stage}.${block}.${layer}`),
    ).flat();
  });
  const names = ['conv_stem', 'bn1', ...blocks, ...head];
  const isLayer = (module: AnyModule) =>
    module instanceof Conv2d || module instanceof BatchNorm2d || module instanceof Linear;
  const paths = [...model.namedModules()].filter(([, module]) => isLayer(module)).map(([path]) => path);
  assert(paths.length === names.length, `${stages} names ${names.length} layers of ${paths.length}`);
  const pathOf = new Map(names.map((name, i) => [name, paths[i]!]));
  return (name) => {
    const at = name.lastIndexOf('.');
    const path = pathOf.get(name.slice(0, at));
    return path === undefined ? name : path + name.slice(at);
  };
}

/** Names of a VGG, whose head timm writes as convolutions. */
export const vggNames: Rename = (name) =>
  name
    .replace(/^pre_logits\.fc1\./, 'classifier.0.')
    .replace(/^pre_logits\.fc2\./, 'classifier.3.')
    .replace(/^head\.fc\./, 'classifier.6.');

/** Names of an Inception v3: some files have the auxiliary head, which has no part in inference. */
export const inceptionNames: Rename = (name) => (name.startsWith('AuxLogits.') ? null : name);

const CONVNEXT_LAYERS: Readonly<Record<string, string>> = {
  conv_dw: 'block.0',
  norm: 'block.2',
  'mlp.fc1': 'block.3',
  'mlp.fc2': 'block.5',
};

/** Names of a ConvNeXt: stages and what halves the size before them take turns among torchvision's features. */
export const convnextNames: Rename = (name) =>
  name
    .replace(/^stem\./, 'features.0.')
    .replace(/^stages\.(\d+)\.downsample\./, (_, stage) => `features.${2 * stage}.`)
    .replace(
      /^stages\.(\d+)\.blocks\.(\d+)\.gamma$/,
      (_, stage, block) => `features.${2 * stage + 1}.${block}.layer_scale`,
    )
    .replace(
      /^stages\.(\d+)\.blocks\.(\d+)\.(conv_dw|norm|mlp\.fc1|mlp\.fc2)\./,
      (_, stage, block, layer) => `features.${2 * stage + 1}.${block}.${CONVNEXT_LAYERS[layer]}.`,
    )
    .replace(/^head\.norm\./, 'classifier.0.')
    .replace(/^head\.fc\./, 'classifier.2.');

const REGNET_LAYERS: Readonly<Record<string, string>> = {
  conv1: 'f.a',
  conv2: 'f.b',
  conv3: 'f.c',
  downsample: 'proj',
};

/** Names of a RegNet: blocks are counted from 1 by timm, and from 0 by torchvision. */
export const regnetNames: Rename = (name) => {
  const block = (stage: string, count: string) => `trunk_output.block${stage}.block${stage}-${Number(count) - 1}`;
  return name
    .replace(/^stem\.(conv|bn)\./, (_, part) => `stem.${part === 'conv' ? 0 : 1}.`)
    .replace(/^s(\d+)\.b(\d+)\.se\./, (_, stage, count) => `${block(stage, count)}.f.se.`)
    .replace(
      /^s(\d+)\.b(\d+)\.(conv[123]|downsample)\.(conv|bn)\./,
      (_, stage, count, layer, part) => `${block(stage, count)}.${REGNET_LAYERS[layer]}.${part === 'conv' ? 0 : 1}.`,
    )
    .replace(/^head\.fc\./, 'fc.');
};
