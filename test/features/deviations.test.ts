/**
 * Which children of torchvision's networks a getter gives the model's own values of. The table is torchvision's: each
 * child's value in its own forward was compared with what its IntermediateLayerGetter returns.
 */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { builders } from '../support/model-cases.ts';

/** Networks by their names, and their children that are valid; null for all of them. */
const VALID: readonly (readonly [RegExp, readonly string[] | null])[] = [
  [
    /^(wide_)?(resnet|resnext)\d/,
    ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4', 'avgpool'],
  ],
  [/^(alexnet|vgg|efficientnet|mobilenet_v3)/, ['features', 'avgpool']],
  [/^(mobilenet_v2|densenet)/, ['features']],
  [/^(squeezenet|convnext)/, null],
  [/^regnet/, ['stem', 'trunk_output', 'avgpool']],
  [/^shufflenet/, ['conv1', 'maxpool', 'stage2', 'stage3', 'stage4', 'conv5']],
  [/^mnasnet/, ['layers']],
  [/^(fcn|deeplabv3)/, ['backbone']],
  [/^lraspp/, ['backbone', 'classifier']],
  // With auxiliary heads, which are registered before what follows.
  [
    /^googlenet/,
    [
      ...['conv1', 'maxpool1', 'conv2', 'conv3', 'maxpool2', 'inception3a', 'inception3b', 'maxpool3'],
      ...['inception4a', 'inception4b', 'inception4c', 'inception4d', 'inception4e', 'maxpool4'],
      ...['inception5a', 'inception5b'],
    ],
  ],
  [
    /^inception_v3/,
    [
      ...['Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3', 'maxpool1', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3', 'maxpool2'],
      ...['Mixed_5b', 'Mixed_5c', 'Mixed_5d', 'Mixed_6a', 'Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'],
    ],
  ],
];

/** The children that a getter of all of them gives the model's own values of. */
function validChildren(name: string, options: object = {}): string[] {
  const model = builders.get(name)!(options);
  const names = [...model.namedChildren()].map(([child]) => child);
  const getter = new IntermediateLayerGetter(
    model,
    names.map((child) => [child, child] as const),
  );
  const deviating = getter.deviations([1, 3, 224, 224]).map(({ module }) => module);
  return names.filter((child) => !deviating.includes(child));
}

describe('the children that a getter may be asked for', () => {
  it.each([...builders.keys()])('of %s are those of torchvision', (name) => {
    const row = VALID.find(([networks]) => networks.test(name));
    expect(row, 'the table has a row').toBeDefined();
    const [, valid] = row!;
    const all = [...builders.get(name)!().namedChildren()].map(([child]) => child);
    expect(validChildren(name)).toEqual(valid ?? all);
  });

  it.each(['googlenet', 'inception_v3'].filter((name) => builders.has(name)))(
    'of %s are none where it changes its input first',
    (name) => {
      expect(validChildren(name, { transformInput: true })).toEqual([]);
    },
  );
});
