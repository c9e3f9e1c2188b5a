/** Whole models and their layers equal torchvision's, in both binaries. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureName } from '../../src/features/intermediate-layer-getter.ts';
import { readSafetensors } from '../../src/formats/safetensors-read.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { binaries } from '../support/binaries.ts';
import { generatedParameter } from '../support/generator.ts';
import { classesOf, inputOf, modelCases, moduleOf, outputsOf } from '../support/model-cases.ts';
import { largest, worstDisagreement } from '../support/tolerance.ts';

/**
 * The part of an output's largest absolute value by which it may be off. Rounding errors of 50 and more layers add up;
 * each layer's own are held to a derived bound in ops.test.ts.
 */
const RELATIVE = 1e-4;

/**
 * The part of the pixels whose class has to be torchvision's: two classes may be equal to within the rounding errors.
 */
const SAME_CLASSES = 0.9999;

interface TapGolden {
  readonly name: FeatureName;
  readonly shape: Shape;
  readonly largest: number;
}

/** Gives the module its values; a tensor is made once for all cases of a model. */
function fill(module: Module<any>, made: Map<string, Tensor>): void {
  const keys = [...module.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'));
  module.loadStateDict(
    keys.map(([key, shape]) => {
      const id = `${key} ${shape}`;
      const values = made.get(id) ?? generatedParameter(key, shape);
      made.set(id, values);
      return [key, values] as const;
    }),
  );
}

describe.each([...new Set(modelCases.map(({ model }) => model))])("%s gives torchvision's features", (model) => {
  const made = new Map<string, Tensor>();
  afterAll(() => made.clear());

  describe.each(modelCases.filter((modelCase) => modelCase.model === model))('$name', (modelCase) => {
    let module: Module<any>;
    beforeAll(() => {
      module = moduleOf(modelCase);
      fill(module, made);
    });

    it.each(binaries)('in the %s binary', (binary) => {
      const file = readSafetensors(readFileSync(new URL(`models/${modelCase.name}.safetensors`, import.meta.url)));
      const goldens = JSON.parse(file.metadata.get('taps')!) as TapGolden[];
      module.compile({ deterministic: binary === 'simd' });
      const outputs = outputsOf(module.call(inputOf(modelCase)));
      expect(module.compiled!.binary).toBe(binary);
      expect([...outputs].map(([name, { shape }]) => [name, shape])).toEqual(goldens.map((g) => [g.name, g.shape]));

      for (const golden of goldens) {
        const output = outputs.get(golden.name)!;
        const bound = RELATIVE * golden.largest;
        const samples = file.get(String(golden.name)).float().data;
        const sampled = samples.map((_, i) => output.data[Math.floor((i * output.numel()) / samples.length)]!);
        const worst = worstDisagreement(sampled, samples, () => bound);
        expect(worst.ratio, `${golden.name}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
        expect(Math.abs(largest(output) - golden.largest), `${golden.name}: largest`).toBeLessThanOrEqual(bound);
      }
      if (file.tensors.has('classes')) {
        const expected = file.get('classes').data as Uint8Array;
        const classes = classesOf(outputs.get('out')!);
        const same = classes.reduce((count, c, i) => count + Number(c === expected[i]), 0);
        expect(same / expected.length).toBeGreaterThanOrEqual(SAME_CLASSES);
      }
    });
  });
});
