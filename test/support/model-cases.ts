/** test/cases/models.json as modules with generated parameters. The Python side is scripts/goldens/models.py. */

import { readFileSync } from 'node:fs';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { type FeatureName, IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import * as models from '../../src/models/index.ts';
import { FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { generatedTensor } from './generator.ts';

/** A line of the table. */
export interface ModelCase {
  readonly name: string;
  /** A builder's name in src/models. */
  readonly model: string;
  /** The builder's options; `normLayer` by its class's name. */
  readonly options: Readonly<Record<string, unknown>>;
  /** For an IntermediateLayerGetter of the model. */
  readonly returnLayers?: Readonly<Record<string, FeatureName>>;
  /** For a feature extractor of it. */
  readonly returnNodes?: Readonly<Record<string, FeatureName>>;
  readonly input: Shape;
}

/** The table. */
export const modelCases = JSON.parse(
  readFileSync(new URL('../cases/models.json', import.meta.url), 'utf8'),
) as readonly ModelCase[];

/** Every builder in src/models by its torchvision name: all exported functions in lower case. */
export const builders: ReadonlyMap<string, (options?: object) => Module<any>> = new Map(
  Object.entries(models)
    .filter(([name, value]) => typeof value === 'function' && name === name.toLowerCase())
    .map(([name, value]) => [name, value as (options?: object) => Module<any>]),
);

/** torchvision's model of that name and options, without values. */
export function buildModel({ model, options }: Pick<ModelCase, 'model' | 'options'>): Module<any> {
  if (options.normLayer === undefined) return builders.get(model)!(options);
  const norms = new Map([['FrozenBatchNorm2d', (channels: number) => new FrozenBatchNorm2d(channels)]]);
  return builders.get(model)!({ ...options, normLayer: norms.get(String(options.normLayer))! });
}

/** The module that the case runs, without values: the model, its getter, or an extractor. */
export function moduleOf(modelCase: ModelCase): Module<any> {
  const model = buildModel(modelCase);
  const { returnNodes } = modelCase;
  if (returnNodes) return createFeatureExtractor(model, { returnNodes });
  return modelCase.returnLayers ? new IntermediateLayerGetter(model, modelCase.returnLayers) : model;
}

/** The case's input. */
export function inputOf({ input }: ModelCase): Tensor<Float32Array> {
  return generatedTensor('input', input);
}

/** The outputs by name, in order; of a module that returns one tensor it is "out". */
export function outputsOf(result: unknown): ReadonlyMap<FeatureName, Tensor<Float32Array>> {
  return new Map(result instanceof Tensor ? [['out', result]] : (result as Map<FeatureName, Tensor<Float32Array>>));
}

/** The index of the largest channel of each pixel of `[N, C, H, W]`, the first of equals. */
export function classesOf({ data, shape }: Tensor<Float32Array>): Uint8Array {
  const [images, channels, height, width] = shape as [number, number, number, number];
  const pixels = height * width;
  const classes = new Uint8Array(images * pixels);
  for (let i = 0; i < classes.length; i++) {
    const first = Math.floor(i / pixels) * channels * pixels + (i % pixels);
    for (let c = 1; c < channels; c++) {
      if (data[first + c * pixels]! > data[first + classes[i]! * pixels]!) classes[i] = c;
    }
  }
  return classes;
}
