/** Networks from TensorFlow: padding that depends on the input's size, and batch norm's eps. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { readSafetensors } from '../../src/formats/safetensors-read.ts';
import { buildArchitecture } from '../../src/hub/architectures.ts';
import { Conv2dSame } from '../../src/hub/conv2d-same.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { worstDisagreement } from '../support/tolerance.ts';

interface Tap {
  readonly architecture: string;
  readonly size: readonly [number, number];
  readonly layer: string;
  readonly shape: readonly number[];
  readonly largest: number;
}

const file = readSafetensors(readFileSync(new URL('../goldens/hub/same.safetensors', import.meta.url)));
const taps = JSON.parse(file.metadata.get('taps')!) as readonly Tap[];

/** As of all networks here: rounding errors of the layers add up to less than this part of the largest value. */
const RELATIVE = 1e-4;

const runs = [...new Set(taps.map(({ architecture, size }) => `${architecture} ${size.join('x')}`))];

describe.each(runs)('%s', (run) => {
  it.each(binaries)("gives PyTorch's values with SAME padding, in the %s binary", (binary) => {
    const own = taps.filter(({ architecture, size }) => `${architecture} ${size.join('x')}` === run);
    const [{ architecture, size }] = own as [Tap];
    const { model } = buildArchitecture('fromHub', architecture, 1000);
    const inner = own.map(({ layer }) => layer).filter((layer) => layer !== 'out');
    const nodes = Object.fromEntries([...inner.map((layer) => [layer, layer]), ['classifier', 'out']]);
    const extractor = createFeatureExtractor(fillParameters(model), { returnNodes: nodes });
    extractor.compile({ deterministic: binary === 'simd' });
    const features = extractor.forward(generatedTensor('input', [1, 3, ...size]));
    for (const { layer, shape, largest } of own) {
      const feature = features.get(layer)!;
      expect(feature.shape, layer).toEqual(shape);
      const samples = file.get(`${run} ${layer}`).float().data;
      const got = samples.map((_, i) => feature.data[Math.floor((i * feature.numel()) / samples.length)]!);
      const worst = worstDisagreement(got, samples, () => RELATIVE * largest);
      expect(worst.ratio, `${layer}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    }
  });
});

describe('what is changed', () => {
  const modules = (architecture: string) =>
    [...buildArchitecture('fromHub', architecture, 10).model.namedModules()].map(([, module]) => module);

  it('tf_efficientnet_b0 has SAME padding where a stride is, and eps 1e-3', () => {
    const all = modules('tf_efficientnet_b0');
    expect(all.filter((module) => module instanceof Conv2dSame)).toHaveLength(5);
    expect(new Set(all.flatMap((module) => (module instanceof BatchNorm2d ? [module.eps] : [])))).toEqual(
      new Set([1e-3]),
    );
  });

  it.each(['efficientnet_b5', 'efficientnetv2_s', 'mobilenetv3_small_100'])(
    "%s of PyTorch has torchvision's padding, and eps 1e-5 unlike torchvision's",
    (architecture) => {
      const all = modules(architecture);
      expect(all.some((module) => module instanceof Conv2dSame)).toBe(false);
      const eps = all.flatMap((module) => (module instanceof BatchNorm2d ? [module.eps] : []));
      expect(new Set(eps)).toEqual(new Set([1e-5]));
    },
  );
});
