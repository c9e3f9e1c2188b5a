/** The catalogue against torchvision 0.29's own: every member of every file, and the names by which they are found. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalogueText } from '../../scripts/weights.mjs';
import { listModels } from '../../src/models/registry.ts';
import * as weights from '../../src/weights/index.ts';
import {
  COCO_CATEGORIES,
  categoriesOf,
  getModelWeights,
  getWeight,
  IMAGENET_CATEGORIES,
  listWeights,
  ResNet50_Weights,
  VGG16_Weights,
  VOC_CATEGORIES,
} from '../../src/weights/index.ts';
import { thrown } from '../support/thrown.ts';

interface Facts {
  readonly weights: string;
  readonly model: string;
  readonly default: boolean;
  readonly url: string;
  readonly preset: string;
  readonly transforms: object;
  readonly numParams: number;
  readonly minSize: readonly number[];
  readonly categories: string | null;
  readonly recipe: string;
  readonly license: string | null;
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  readonly ops: number;
  readonly fileSize: number;
}

const facts: readonly Facts[] = JSON.parse(readFileSync('test/goldens/weights/torchvision.json', 'utf8'));
const goldens = JSON.parse(readFileSync('test/goldens/weights/presets.json', 'utf8'));

it('is what its script writes', () => {
  expect(readFileSync('src/weights/catalogue.ts', 'utf8')).toBe(catalogueText(facts));
});

it('has the 104 weights of 74 models, and a default for each', () => {
  const byModel = [...facts].sort((a, b) => (a.model < b.model ? -1 : Number(a.model > b.model)));
  expect(listWeights().map(String)).toEqual(byModel.map((one) => one.weights));
  expect(facts.length).toBe(104);
  expect([...new Set(listWeights().map(({ model }) => model))].sort()).toEqual(listModels());
  for (const one of facts.filter((some) => some.default)) {
    expect(String(getModelWeights(one.model).DEFAULT)).toBe(one.weights);
    expect(getWeight(one.weights.replace(/\..*/, '.DEFAULT'))).toBe(getWeight(one.weights));
  }
});

describe.each(facts.map((one) => [one.weights, one] as const))('%s', (name, one) => {
  const found = getWeight(name);

  it('has what torchvision says of it', () => {
    expect(getModelWeights(one.model)[found.name]).toBe(found);
    expect((weights as unknown as Record<string, object>)[name.split('.')[0]!]).toBe(getModelWeights(one.model));
    const { model, url, meta } = found;
    const { metrics, ...rest } = meta;
    const measured = Object.fromEntries(
      Object.entries(one.metrics).map(([set, measures]) => [
        set,
        Object.fromEntries(Object.entries(measures).map(([measure, value]) => [measure, value ?? Number.NaN])),
      ]),
    );
    expect({ model, url, metrics, ...rest }).toEqual({
      ...{ model: one.model, url: one.url, metrics: measured, numParams: one.numParams, minSize: one.minSize },
      ...{ categories: one.categories, recipe: one.recipe, license: one.license },
      ...{ ops: one.ops, fileSize: one.fileSize },
    });
    expect(one.url).toContain(`-${found.sha256}.pth`);
    expect(found.sha256).toMatch(/^([0-9a-f]{8}|[0-9a-f]{10})$/);
  });

  it('wants the preset that torchvision says, with these options', () => {
    const { preset, options } = found.transforms();
    expect({ preset, options }).toEqual({ preset: one.preset, options: one.transforms });
    expect(found.transforms({ resizeSize: 300 }).options).toEqual({ ...one.transforms, resizeSize: 300 });
  });
});

describe('classes', () => {
  it.each([
    ['IMAGENET', IMAGENET_CATEGORIES],
    ['VOC', VOC_CATEGORIES],
    ['COCO', COCO_CATEGORIES],
  ])("%s has torchvision's names, in torchvision's order", (name, list) => {
    const { count, first, last, sha256 } = goldens.categories[name];
    expect([list.length, list[0], list.at(-1)]).toEqual([count, first, last]);
    expect(createHash('sha256').update(list.join('\n')).digest('hex')).toBe(sha256);
  });

  it('belong to weights, unless these have no use for scores', () => {
    expect(categoriesOf(ResNet50_Weights.DEFAULT)).toBe(IMAGENET_CATEGORIES);
    expect(categoriesOf(getWeight('FCN_ResNet50_Weights.DEFAULT'))).toBe(VOC_CATEGORIES);
    expect(categoriesOf(VGG16_Weights.IMAGENET1K_FEATURES)).toBe(null);
  });
});

describe('names', () => {
  it('DEFAULT is another name of one of the weights, which lists leave out', () => {
    expect(ResNet50_Weights.DEFAULT).toBe(ResNet50_Weights.IMAGENET1K_V2);
    expect(Object.keys(ResNet50_Weights)).toEqual(['IMAGENET1K_V1', 'IMAGENET1K_V2']);
    expect(VGG16_Weights.DEFAULT).toBe(VGG16_Weights.IMAGENET1K_V1);
  });

  it('listWeights takes a pattern of the model’s name or of their own', () => {
    expect(listWeights('resnet?0').map(String)).toEqual([
      'ResNet50_Weights.IMAGENET1K_V1',
      'ResNet50_Weights.IMAGENET1K_V2',
    ]);
    expect(listWeights('*SWAG_LINEAR*').map(({ model }) => model)).toEqual([
      'regnet_y_128gf',
      'regnet_y_16gf',
      'regnet_y_32gf',
    ]);
    expect(listWeights('nothing')).toEqual([]);
    expect(thrown(() => listWeights(5 as never))).toBe('ValueError: listWeights: expected a pattern, got 5');
  });

  it('wrong ones are told, with what is most like them', () => {
    expect(thrown(() => getWeight('ResNet51_Weights.DEFAULT'))).toBe(
      'KeyError: getWeight: expected the name of weights, such as "ResNet50_Weights.DEFAULT", got ' +
        '"ResNet51_Weights.DEFAULT"; did you mean ResNet50_Weights?',
    );
    expect(thrown(() => getWeight('DEFAULT'))).toBe(
      'KeyError: getWeight: expected the name of weights, such as "ResNet50_Weights.DEFAULT", got "DEFAULT"; ' +
        'listWeights() has them all',
    );
    for (const name of ['ResNet50_Weights', 'ResNet50_Weights.IMAGENET1K_V3', 'ResNet50_Weights.DEFAULT.x']) {
      expect(thrown(() => getWeight(name))).toBe(
        `KeyError: getWeight: expected one of ResNet50_Weights: DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2, got "${name}"`,
      );
    }
    expect(thrown(() => getWeight('ResNet50_Weights.toString'))).toContain('got "ResNet50_Weights.toString"');
    expect(thrown(() => getModelWeights('resnet51'))).toBe(
      'KeyError: getModelWeights: expected the name of one of 74 models, got "resnet51"; did you mean resnet50?',
    );
    expect(thrown(() => getModelWeights(50 as never))).toBe(
      'KeyError: getModelWeights: expected the name of one of 74 models, got 50',
    );
  });
});
