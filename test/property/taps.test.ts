/** A tap is a value: it doesn't depend on which other taps are asked for. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { BasicBlock, ResNet } from '../../src/models/resnet.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';

const LAYERS = ['conv1', 'bn1', 'maxpool', 'layer1', 'layer2.0.conv1', 'layer2', 'layer3', 'layer4'];

describe.each(binaries)('in the %s binary', (binary) => {
  it('every subset of taps gives each tap the same bits', () => {
    const model = fillParameters(new ResNet(BasicBlock, [1, 1, 1, 1]));
    const x = generatedTensor('input', [2, 3, 43, 37], 2);
    const all = new IntermediateLayerGetter(model, new Map(LAYERS.map((name) => [name, name])));
    all.compile({ deterministic: binary === 'simd' });
    const expected = all.forward(x);
    expect(all.compiled!.binary).toBe(binary);
    for (let mask = 1; mask < 2 ** LAYERS.length - 1; mask++) {
      const only = LAYERS.filter((_, i) => mask & (1 << i));
      const features = all.forward(x, { only });
      expect([...features.keys()]).toEqual([...expected.keys()].filter((name) => only.includes(name as string)));
      for (const [name, { data }] of features) {
        const same = Buffer.compare(Buffer.from(data.buffer), Buffer.from(expected.get(name)!.data.buffer)) === 0;
        expect(same, `${name} of ${only.join(', ')}`).toBe(true);
      }
    }
  });
});
