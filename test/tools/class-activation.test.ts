/** Class activation maps of torchvision's networks: their means are the scores. */

import { describe, expect, it } from 'vitest';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { createModel } from '../../src/models/registry.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { camLayers, classActivationMaps, globalAveragePool } from '../../src/tools/index.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { roundingBound, worstDisagreement } from '../support/tolerance.ts';

const SHAPE = [1, 3, 96, 96];

describe('camLayers', () => {
  it.each([
    ['resnet18', 'layer4', 'fc.weight'],
    ['densenet121', 'relu', 'classifier.weight'],
    ['mobilenet_v2', 'features', 'classifier.1.weight'],
    ['shufflenet_v2_x0_5', 'conv5', 'fc.weight'],
    ['googlenet', 'inception5b', 'fc.weight'],
    ['mnasnet0_5', 'layers', 'classifier.1.weight'],
    ['regnet_y_400mf', 'trunk_output', 'fc.weight'],
    ['efficientnet_b0', 'features', 'classifier.1.weight'],
  ])('of %s are %s and %s', (name, feature, weight) => {
    expect(camLayers(createModel(name), SHAPE)).toEqual({ feature, weight });
  });
});

describe('classActivationMaps', () => {
  it.each(['resnet18', 'densenet121'])('of %s have the scores less biases as means', (name) => {
    const model = fillParameters(createModel(name, { numClasses: 10 }), name);
    const x = generatedTensor('x', SHAPE);
    const layers = camLayers(model, SHAPE);
    const feature = createFeatureExtractor(model, { returnNodes: new Map([[layers.feature, 'map']]) })
      .forward(x)
      .get('map')!;
    const state = model.stateDict();
    const weight = state.get(layers.weight)!;
    const bias = state.get(layers.weight.replace('weight', 'bias'))!.data as Float32Array;
    const classes = [3, 0, 9];
    const means = globalAveragePool(classActivationMaps(feature, weight, classes));
    expect(means.shape).toEqual([1, 3]);
    const scores = (model.call(x) as Tensor<Float32Array>).data;
    const worst = worstDisagreement(
      means.data,
      classes.map((k) => scores[k]! - bias[k]!),
      (at) => {
        const channels = feature.shape[1]!;
        const pooled = globalAveragePool(feature).data;
        const row = (weight.data as Float32Array).subarray(classes[at]! * channels, (classes[at]! + 1) * channels);
        const magnitude = row.reduce((sum, w, c) => sum + Math.abs(w * pooled[c]!), Math.abs(bias[classes[at]!]!));
        // The model's pooling (16), its linear layer (min(C, 256) + 2C/256 + 3), the bias and here a rounding of each.
        return roundingBound(16 + 256 + (2 * channels) / 256 + 3 + 4, magnitude);
      },
    );
    expect(worst.ratio, JSON.stringify(worst)).toBeLessThanOrEqual(1);
  });
});
