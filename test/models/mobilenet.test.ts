/** MobileNet v2 and v3: torchvision's options, refusals and shapes. Their numbers are the goldens' business. */

import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { makeDivisible } from '../../src/models/blocks.ts';
import { InvertedResidual, MobileNetV2 } from '../../src/models/mobilenetv2.ts';
import { MobileNetV3, mobilenet_v3_large } from '../../src/models/mobilenetv3.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { thrown } from '../support/thrown.ts';

describe('MobileNetV2', () => {
  it("refuses settings in torchvision's words", () => {
    const message = 'ValueError: inverted_residual_setting should be non-empty or a 4-element list, got ';
    expect(thrown(() => new MobileNetV2({ invertedResidualSetting: [] }))).toBe(`${message}[]`);
    expect(thrown(() => new MobileNetV2({ invertedResidualSetting: [[1, 2, 3]] as never }))).toBe(
      `${message}[an array of 3]`,
    );
    expect(thrown(() => new InvertedResidual(3, 3, 3, 1, (channels) => new BatchNorm2d(channels)))).toBe(
      'ValueError: stride should be 1 or 2 instead of 3',
    );
  });

  it('takes a setting of its own', () => {
    const network = new MobileNetV2({
      invertedResidualSetting: [
        [1, 16, 1, 1],
        [6, 24, 2, 2],
      ],
      numClasses: 3,
    });
    expect(network.features.length).toBe(1 + 3 + 1);
    expect(network.forward(new Graph([[1, 3, 32, 32]]).inputs[0]!).shape).toEqual([1, 3]);
  });
});

describe('MobileNetV3', () => {
  it("refuses an empty setting in torchvision's words", () => {
    expect(thrown(() => new MobileNetV3([], 1))).toBe('ValueError: The inverted_residual_setting should not be empty');
  });

  it("refuses strides in torchvision's words", () => {
    const row = [16, 3, 16, 16, false, 'RE', 3, 1] as const;
    expect(thrown(() => new MobileNetV3([row], 1))).toBe(
      'ValueError: illegal stride value; MobileNetV3: expected 1 or 2 in a row, got 3',
    );
  });

  it('dilated, its last stage is not strided', () => {
    const sizeOf = (dilated: boolean) => {
      const { features } = mobilenet_v3_large({ dilated });
      return (features.forward(new Graph([[1, 3, 64, 64]]).inputs[0]!) as { shape: readonly number[] }).shape;
    };
    expect(sizeOf(false)).toEqual([1, 960, 2, 2]);
    expect(sizeOf(true)).toEqual([1, 960, 4, 4]);
  });
});

it('makeDivisible never goes below nine tenths', () => {
  expect([32, 24 * 0.75, 16 * 0.35, 10, 11, 12, 4].map((v) => makeDivisible(v, 8))).toEqual([32, 24, 8, 16, 16, 16, 8]);
});
