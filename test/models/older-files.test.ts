/** State dicts of older forms load: DenseNet's keys with dots, MNASNet's first stem. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { openSafetensors } from '../../src/formats/open-safetensors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { densenet121 } from '../../src/models/densenet.ts';
import { mnasnet0_5 } from '../../src/models/mnasnet.ts';
import type { Module } from '../../src/nn/module.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { noise } from '../nn/support.ts';
import { fillParameters, generatedParameter } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

/** A state dict without num_batches_tracked, its keys renamed. */
const renamed = (model: Module<any>, rename: (key: string) => string) =>
  new Map(
    [...model.stateDict()]
      .filter(([key]) => !key.endsWith('num_batches_tracked'))
      .map(([key, tensor]) => [rename(key), tensor] as const),
  );

describe('DenseNet', () => {
  const model = fillParameters(densenet121({ numClasses: 3 }));
  const toOld = (key: string) => key.replace(/(denselayer\d+\.(?:norm|conv))([12])/, '$1.$2');
  const old = renamed(model, toOld);
  const x = noise('x', [1, 3, 33, 35]);

  it("takes torchvision's files, whose keys have a dot in a layer's names", () => {
    expect(old.has('features.denseblock1.denselayer1.norm.1.weight')).toBe(true);
    const loaded = densenet121({ numClasses: 3 });
    expect(loaded.loadStateDict(old)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(loaded.call(x).data).toEqual(model.call(x).data);
  });

  it('takes them from a file that is read tensor by tensor, below a getter of the features too', async () => {
    const file = await openSafetensors(new Blob([saveSafetensors(old)]));
    const loaded = densenet121({ numClasses: 3 });
    await loaded.loadStateDictAsync(file, { inputShapes: [x.shape] });
    expect(loaded.call(x).data).toEqual(model.call(x).data);
    const getter = new IntermediateLayerGetter(densenet121().features, { denseblock1: 'out' });
    const features = new Map([...old].map(([key, tensor]) => [key.replace('features.', ''), tensor]));
    features.delete('classifier.weight');
    features.delete('classifier.bias');
    expect(getter.loadStateDict(features)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });

  it('names a missing key as it is called now, and an old one of which both are there as unexpected', () => {
    const without = new Map(old);
    without.delete('features.denseblock1.denselayer2.conv.1.weight');
    expect(thrown(() => densenet121({ numClasses: 3 }).loadStateDict(without))).toBe(
      'StateDictError: Error(s) in loading state_dict for DenseNet:\n' +
        '\tMissing key(s) in state_dict: "features.denseblock1.denselayer2.conv1.weight". ',
    );
    const both = new Map([
      ...old,
      ['features.denseblock1.denselayer1.norm1.bias', new Tensor(new Float32Array(64), [64])],
    ]);
    expect(thrown(() => densenet121({ numClasses: 3 }).loadStateDict(both))).toBe(
      'StateDictError: Error(s) in loading state_dict for DenseNet:\n' +
        '\tUnexpected key(s) in state_dict: "features.denseblock1.denselayer1.norm.1.bias". ',
    );
  });
});

describe('MNASNet', () => {
  /** The stem of the first version, whatever alpha is, in the second version's names. */
  const firstStem = (model: Module<any>) =>
    new Map(
      [...model.stateShapes()].map(([key, shape]) => {
        const layer = Number(/^layers\.(\d+)/.exec(key)?.[1] ?? 99);
        const channels = layer < 5 ? 32 : 16;
        let first = shape;
        if (key === 'layers.0.weight') first = [32, 3, 3, 3];
        else if (key === 'layers.3.weight') first = [32, 1, 3, 3];
        else if (key === 'layers.6.weight') first = [16, 32, 1, 1];
        else if (layer < 8 && shape.length === 1) first = [channels];
        else if (key.startsWith('layers.8.0.layers.')) {
          if (key.endsWith('layers.0.weight')) first = [48, 16, 1, 1];
          else if (key.endsWith('layers.3.weight')) first = [48, 1, 3, 3];
          else if (key.endsWith('layers.6.weight')) first = [16, 48, 1, 1];
          else if (shape.length === 1 && !/layers\.7\.\w+$/.test(key)) first = [48];
        }
        return [key, first] as const;
      }),
    );

  it('takes the stem of its first version, of the same channels for every alpha, and says so in its state', () => {
    const model = mnasnet0_5({ numClasses: 3 });
    const shapes = [...firstStem(model)].filter(([key]) => !key.endsWith('num_batches_tracked'));
    const first = new Map(shapes.map(([key, shape]) => [key, generatedParameter(key, shape)]));
    expect(model.loadStateDict(first)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(model.stateShapes().get('layers.0.weight')).toEqual([32, 3, 3, 3]);
    expect(model.stateDict().metadata.get('')).toEqual({ version: 1 });
    expect(model.call(noise('x', [1, 3, 33, 35])).shape).toEqual([1, 3]);
  });

  it('keeps the stem of its second version for all other state dicts', () => {
    const model = fillParameters(mnasnet0_5());
    expect(model.stateShapes().get('layers.0.weight')).toEqual([16, 3, 3, 3]);
    expect(model.stateDict().metadata.get('')).toEqual({ version: 2 });
  });
});
