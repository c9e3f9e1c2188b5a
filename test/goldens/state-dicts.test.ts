/**
 * Every builder in src/models, and every backbone of a detector, has torchvision's state-dict keys and shapes, in its
 * order, and prints as PyTorch prints.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { resnet18, resnet50, squeezenet1_1 } from '../../src/models/index.ts';
import { formatShape } from '../../src/tensor/shape.ts';
import { buildBackbone } from '../support/backbones.ts';
import { builders } from '../support/model-cases.ts';
import { zooCases } from '../support/zoo.ts';

interface StateDictGolden {
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly count: number;
  readonly sha256: string;
  readonly reprSha256: string;
  readonly keys?: readonly string[];
}

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const goldens = JSON.parse(text('state-dicts.json')) as readonly StateDictGolden[];
const sha256 = (value: string) => createHash('sha256').update(value).digest('hex');

it('has a golden for every builder and every backbone', () => {
  const all = new Set([...builders.keys(), ...zooCases.map(({ model }) => model)]);
  expect(new Set(goldens.map(({ model }) => model))).toEqual(all);
});

describe.each(goldens)('$model $options', (golden) => {
  const model = buildBackbone(golden.model, golden.options);

  it("has torchvision's keys and shapes, in its order", () => {
    const lines = [...model.stateShapes()].map(([key, shape]) => `${key} ${formatShape(shape)}`);
    if (golden.keys) expect(lines).toEqual(golden.keys);
    expect(lines.length).toBe(golden.count);
    expect(sha256(lines.join('\n'))).toBe(golden.sha256);
  });

  it('prints as PyTorch prints', () => {
    expect(sha256(String(model))).toBe(golden.reprSha256);
  });
});

describe('the whole text is what PyTorch prints', () => {
  it.each([
    ['resnet18', resnet18()],
    ['squeezenet1_1', squeezenet1_1()],
    ['resnet50-getter', new IntermediateLayerGetter(resnet50(), { layer1: 'aux', layer2: 'out' })],
  ] as const)('of %s', (name, module) => {
    expect(`${module}\n`).toBe(text(`repr/${name}.txt`));
  });
});
