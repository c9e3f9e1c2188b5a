/** featuresOnly: timm's stages of each family, by index and by reduction, and dilation in the place of strides. */

import { describe, expect, expectTypeOf, it } from 'vitest';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { type FeaturesOnlyOptions, featuresOnly } from '../../src/features/features-only.ts';
import type { Value } from '../../src/graph/graph.ts';
import * as L from '../../src/index.ts';
import * as models from '../../src/models/index.ts';
import { createModel } from '../../src/models/registry.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Flatten } from '../../src/nn/flatten.ts';
import { Module } from '../../src/nn/module.ts';
import { MaxPool2d } from '../../src/nn/pooling.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { worstDisagreement } from '../support/tolerance.ts';

/** What timm 1.0.29 tells with features_only=True: channels, and reductions where they aren't 2, 4, 8, 16, 32. */
const TIMM: readonly (readonly [name: string, channels: readonly number[], reductions?: readonly number[]])[] = [
  ['resnet18', [64, 64, 128, 256, 512]],
  ['resnet50', [64, 256, 512, 1024, 2048]],
  ['resnext50_32x4d', [64, 256, 512, 1024, 2048]],
  ['densenet121', [64, 256, 512, 1024, 1024]],
  ['densenet161', [96, 384, 768, 2112, 2208]],
  ['vgg11', [64, 128, 256, 512, 512, 512], [1, 2, 4, 8, 16, 32]],
  ['vgg16_bn', [64, 128, 256, 512, 512, 512], [1, 2, 4, 8, 16, 32]],
  ['inception_v3', [64, 192, 288, 768, 2048]],
  ['mobilenet_v2', [16, 24, 32, 96, 320]],
  ['mobilenet_v3_large', [16, 24, 40, 112, 960]],
  ['mobilenet_v3_small', [16, 16, 24, 48, 576]],
  ['efficientnet_b0', [16, 24, 40, 112, 320]],
  ['efficientnet_b7', [32, 48, 80, 224, 640]],
  ['efficientnet_v2_s', [24, 48, 64, 160, 256]],
  ['efficientnet_v2_m', [24, 48, 80, 176, 512]],
  ['efficientnet_v2_l', [32, 64, 96, 224, 640]],
  ['regnet_y_400mf', [32, 48, 104, 208, 440]],
  ['regnet_y_3_2gf', [32, 72, 216, 576, 1512]],
  ['regnet_x_400mf', [32, 32, 64, 160, 400]],
  ['convnext_tiny', [96, 192, 384, 768], [4, 8, 16, 32]],
  ['convnext_base', [128, 256, 512, 1024], [4, 8, 16, 32]],
  ['mnasnet1_0', [16, 24, 40, 96, 320]],
];

/** torchvision's layers that are the modules that timm names. */
const LAYERS: readonly (readonly [name: string, layers: readonly string[]])[] = [
  ['resnet18', ['relu', 'layer1', 'layer2', 'layer3', 'layer4']],
  ['densenet121', ['features.relu0', 'features.denseblock1', 'features.denseblock2', 'features.denseblock3', 'relu']],
  ['vgg16', ['features.3', 'features.8', 'features.15', 'features.22', 'features.29', 'features.30']],
  ['inception_v3', ['Conv2d_2b_3x3', 'Conv2d_4a_3x3', 'Mixed_5d', 'Mixed_6e', 'Mixed_7c']],
  ['mobilenet_v2', ['features.1', 'features.3', 'features.6', 'features.13', 'features.17']],
  ['mobilenet_v3_large', ['features.1', 'features.3', 'features.6', 'features.12', 'features.16']],
  ['efficientnet_v2_s', ['features.1', 'features.2', 'features.3', 'features.5', 'features.6']],
  ['mnasnet1_0', ['layers.7', 'layers.8', 'layers.9', 'layers.11', 'layers.13']],
  ['regnet_y_400mf', ['stem', ...[1, 2, 3, 4].map((i) => `trunk_output.block${i}`)]],
  ['convnext_tiny', ['features.1', 'features.3', 'features.5', 'features.7']],
];

describe('stages', () => {
  const rows = TIMM.map(([name, channels, reductions = [2, 4, 8, 16, 32]]) => ({ name, channels, reductions }));
  it.each(rows)('of $name are those of timm', ({ name, channels, reductions }) => {
    const { featureInfo } = featuresOnly(createModel(name));
    expect(featureInfo.channels()).toEqual(channels);
    expect(featureInfo.reduction()).toEqual(reductions);
  });

  it.each(LAYERS)('of %s end in the layers that timm names', (name, layers) => {
    expect(featuresOnly(createModel(name)).featureInfo.moduleName()).toEqual(layers);
  });

  it('are those of modelInfo where timm lacks the family', () => {
    const { featureInfo } = featuresOnly(models.shufflenet_v2_x0_5());
    expect(featureInfo.moduleName()).toEqual(['conv1', 'maxpool', 'stage2', 'stage3', 'conv5']);
    expect(featuresOnly(models.fcn_resnet50()).featureInfo.getDicts().at(-1)).toEqual({
      index: 2,
      numChs: 2048,
      reduction: 8,
      module: 'backbone.layer4',
    });
  });
});

describe('features', () => {
  const model = fillParameters(models.resnet18({ numClasses: 3 }));
  const x = generatedTensor('input', [1, 3, 61, 67]);

  it('have the numbers that asked for them as names, and are in order of execution', () => {
    const net = featuresOnly(model, { outIndices: [-1, 1] });
    const features = net.forward(x);
    expectTypeOf(features).toEqualTypeOf<Map<1 | -1, Tensor<Float32Array>>>();
    expect([...features].map(([name, { shape }]) => [name, shape])).toEqual([
      [1, [1, 64, 16, 17]],
      [-1, [1, 512, 2, 3]],
    ]);
    expect(net.featureInfo.channels()).toEqual([64, 512]);
    expect(net.featureInfo.reduction()).toEqual([4, 32]);
    expect(net.featureInfo(x.shape).map(({ name, shape }) => [name, shape])).toEqual(
      [...features].map(([name, { shape }]) => [name, shape]),
    );
    expect([...net.forward(x, { only: [1] }).keys()]).toEqual([1]);
  });

  it('are picked by reduction, and as so many at the end', () => {
    expect([
      ...featuresOnly(model, { reductions: [8, 16] })
        .forward(x)
        .keys(),
    ]).toEqual([8, 16]);
    expect([...featuresOnly(model, { outIndices: 2 }).forward(x).keys()]).toEqual([3, 4]);
    expect([...featuresOnly(model).forward(x).keys()]).toEqual([0, 1, 2, 3, 4]);
  });

  it('featureInfo tells of any stage by its index', () => {
    const { featureInfo } = featuresOnly(model, { outIndices: [0] });
    expect([featureInfo.channels(3), featureInfo.reduction(-1), featureInfo.moduleName(-2)]).toEqual([
      256,
      32,
      'layer3',
    ]);
    expect(featureInfo.getDicts()).toEqual([{ index: 0, numChs: 64, reduction: 2, module: 'relu' }]);
    expect(thrown(() => featureInfo.channels(5))).toBe(
      'ValueError: featureInfo: expected an index from -5 to 4, got 5',
    );
  });

  it("take the whole model's weights, and need none of what follows", () => {
    const net = featuresOnly(models.resnet18({ numClasses: 3 }), { outIndices: [1] });
    expect(net.loadStateDict(model.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect([...net.stateShapes().keys()].at(-1)).toMatch(/^layer1\.1\./);
    expect(net.forward(x).get(1)!.data).toEqual(featuresOnly(model).forward(x).get(1)!.data);
  });

  it("DenseNet's last one is after the activation, as timm's", () => {
    const net = featuresOnly(fillParameters(models.densenet121()), { outIndices: [-1] });
    expect(Math.min(...net.forward(x).get(-1)!.data)).toBe(0);
  });
});

/** Every `step`-th pixel of `[N, C, H, W]`. */
function thinned({ data, shape }: Tensor<Float32Array>, step: number): Float32Array {
  const [, , height, width] = shape as [number, number, number, number];
  return data.filter((_, i) => (i % width) % step === 0 && (Math.floor(i / width) % height) % step === 0);
}

describe('outputStride', () => {
  const x = generatedTensor('input', [1, 3, 67, 75]);

  it.each([
    [8, [false, true, true]],
    [16, [false, false, true]],
  ] as const)('%i gives the bits of a ResNet built with dilation', (outputStride, replaceStrideWithDilation) => {
    const narrow = { numClasses: 3, widthPerGroup: 16 };
    const net = featuresOnly(fillParameters(models.resnet50(narrow)), { outputStride });
    const built = featuresOnly(fillParameters(models.resnet50({ ...narrow, replaceStrideWithDilation })));
    expect(net.featureInfo.reduction()).toEqual([2, 4, 8, 16, 32].map((size) => Math.min(size, outputStride)));
    const [features, expected] = [net.forward(x), built.forward(x)];
    expect(features.get(4)!.shape).toEqual(expected.get(built.featureInfo.channels().length - 1)!.shape);
    expect(features.get(4)!.data).toEqual(expected.get(built.featureInfo.channels().length - 1)!.data);
    expect(net.featureInfo(x.shape).map(({ reduction }) => reduction)).toEqual(net.featureInfo.reduction());
  });

  // Without a squeeze, whose mean is of more pixels.
  it.each(['resnet18', 'mobilenet_v2', 'mnasnet0_5', 'regnet_x_400mf', 'shufflenet_v2_x0_5'])(
    '8 gives the pixels of %s, and those between',
    (name) => {
      const model = fillParameters(createModel(name));
      const [strided, dense] = [featuresOnly(model).forward(x), featuresOnly(model, { outputStride: 8 }).forward(x)];
      const last = strided.get(4)!;
      expect(dense.get(4)!.shape).toEqual([1, last.shape[1], 9, 10]);
      // Other algorithms, whose roundings add up as between layertap and PyTorch.
      const bound = 1e-4 * last.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(worstDisagreement(thinned(dense.get(4)!, 4), last.data, () => bound).ratio).toBeLessThanOrEqual(1);
    },
  );

  it.each([
    ['mobilenet_v3_large', [9, 9, 9]],
    ['efficientnet_b0', [9, 9, 9]],
    ['regnet_y_400mf', [9, 9, 9]],
  ] as const)('8 keeps the sizes of %s', (name, heights) => {
    const net = featuresOnly(createModel(name), { outIndices: [-3, -2, -1], outputStride: 8 });
    expect(net.featureInfo.reduction()).toEqual([8, 8, 8]);
    expect(net.featureInfo(x.shape).map(({ shape }) => shape[2])).toEqual(heights);
  });

  /** A 3×3 convolution of stride 2, and a patch of 2×2 beside it. */
  class Shortcut extends Module {
    readonly conv = new Conv2d(3, 3, 3, { stride: 2, padding: 1 });
    readonly patch = new Conv2d(3, 3, 2, { stride: 2 });
    forward(v: Value): Value {
      return L.add(this.conv.call(v), this.patch.call(v));
    }
  }

  it('gives the pixels of patches and of branches beside them, and refuses those that leave rows out', () => {
    const names = Array.from({ length: 4 }, (_, i) => [`layer${i + 1}`, new Shortcut()] as const);
    for (const model of [new L.Sequential(names), createModel('convnext_tiny')]) {
      fillParameters(model);
      const even = generatedTensor('input', [1, 3, 96, 64]);
      const strided = [...featuresOnly(model).forward(even).values()].at(-1)!;
      const dilated = featuresOnly(model, { outputStride: 8 });
      const dense = [...dilated.forward(even).values()].at(-1)!;
      expect(dense.shape.slice(2)).toEqual([12, 8]);
      const bound = 1e-4 * strided.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const thin = thinned(dense, 96 / 8 / strided.shape[2]!);
      expect(worstDisagreement(thin, strided.data, () => bound).ratio).toBeLessThanOrEqual(1);
    }
    const convnext = featuresOnly(createModel('convnext_tiny'), { outputStride: 8 });
    const message = 'got a convolution of 2x2 that leaves rows out at reduction 8';
    expect(thrown(() => convnext.featureInfo([1, 3, 112, 64]))).toContain(message);
  });

  it('leaves the model as it is', () => {
    const model = models.resnet18();
    const before = String(model);
    featuresOnly(model, { outputStride: 8 }).featureInfo([1, 3, 64, 64]);
    expect(String(model)).toBe(before);
  });

  const expected = (stride: number) =>
    `UnsupportedError: featuresOnly: expected a model that outputStride ${stride} can dilate, whose convolutions keep ` +
    'their size without stride, got ';
  it.each([
    [models.vgg11, 16, 'max_pool2d of stride 2 at reduction 16'],
    [models.densenet121, 8, 'avg_pool2d of stride 2 at reduction 8'],
    [models.inception_v3, 16, 'a convolution of 3x3, stride 2x2 at reduction 16'],
  ] as const)('is refused where %o has other strides, as in timm', (build, outputStride, got) => {
    expect(thrown(() => featuresOnly(build(), { outputStride }))).toBe(expected(outputStride) + got);
  });
});

describe('a model of more stages', () => {
  /** A convolution of stride 2 for each stage. */
  class Deep extends Module {
    constructor(pools = false) {
      super();
      const self = this as Record<string, unknown>;
      for (let i = 0; i < 6; i++) self[`l${i}`] = new Conv2d(i === 0 ? 3 : 1, 1, 3, { stride: 2, padding: 1 });
      if (pools) self.l5 = new MaxPool2d(2);
      self.l6 = new Conv2d(1, 1, 3, { padding: 1 });
    }
    forward(x: Value): Value {
      let y = x;
      for (const child of this.children()) y = child.call(y) as Value;
      return y;
    }
  }

  it('is as it was built without outputStride', () => {
    const model = fillParameters(new Deep());
    const x = generatedTensor('input', [1, 3, 256, 200]);
    for (const options of [{}, { outputStride: null }, { outputStride: 64 }]) {
      const net = featuresOnly(model, options);
      expect(net.featureInfo.reduction()).toEqual([2, 4, 8, 16, 32, 64]);
      const [own] = createFeatureExtractor(model, { returnNodes: ['l6'] })
        .forward(x)
        .values();
      const last = net.forward(x).get(5)!;
      expect(last.shape).toEqual([1, 1, 4, 4]);
      expect(last.data).toEqual((own as typeof last).data);
    }
    expect(featuresOnly(new Deep(true)).featureInfo.reduction()).toEqual([2, 4, 8, 16, 32, 64]);
    expect(thrown(() => featuresOnly(new Deep(true), { outputStride: 32 }))).toContain('max_pool2d of stride 2');
    expect(featuresOnly(model, { outputStride: 32 }).featureInfo.reduction()).toEqual([2, 4, 8, 16, 32, 32]);
  });
});

describe('what pools the whole image', () => {
  const strided = (inChannels: number) => new Conv2d(inChannels, 4, 3, { stride: 2, padding: 1 });

  /** Two convolutions of stride 2, what may be a pooling, and what comes after it. */
  class Pooled extends Module {
    readonly a = strided(3);
    readonly b = strided(4);
    readonly pool: Module | null;
    readonly head: Module;
    readonly run: (x: Value) => Value;

    constructor(pool: Module | ((x: Value) => Value), head: Module = new Conv2d(4, 2, 1)) {
      super();
      this.pool = pool instanceof Module ? pool : null;
      this.head = head;
      this.run = pool instanceof Module ? (x) => pool.call(x) as Value : pool;
    }

    forward(x: Value): Value {
      return this.head.call(this.run(this.b.call(this.a.call(x)))) as Value;
    }
  }

  const keepdim = { keepdim: true };
  const poolings: readonly (readonly [string, Module | ((x: Value) => Value)])[] = [
    ['mean', (x) => L.mean(x, [2, 3], keepdim)],
    ['mean of one axis after the other', (x) => L.mean(L.mean(x, 3, keepdim), 2, keepdim)],
    ['mean of [N, H, W, C]', (x) => L.permute(L.mean(L.permute(x, [0, 2, 3, 1]), [1, 2], keepdim), [0, 3, 1, 2])],
    ['mean without pixels', (x) => L.reshape(L.mean(x, [2, 3]), [1, 4, 1, 1])],
    ['AvgPool2d', new L.AvgPool2d(56)],
    ['avgPool2d', (x) => L.avgPool2d(x, [56, 56])],
    ['maxPool2d', (x) => L.maxPool2d(x, 56)],
    ['adaptiveAvgPool2d', (x) => L.adaptiveAvgPool2d(x, 1)],
    ['AdaptiveAvgPool2d', new L.AdaptiveAvgPool2d(1)],
    ['AdaptiveMaxPool2d', new L.AdaptiveMaxPool2d(1)],
    ['AdaptiveMaxPool2d to several pixels', new L.AdaptiveMaxPool2d(5)],
    ['AdaptiveAvgPool2d to several pixels', new L.AdaptiveAvgPool2d(5)],
  ];
  it.each(poolings)('ends the stages: %s', (_name, pool) => {
    const { featureInfo } = featuresOnly(new Pooled(pool));
    expect(featureInfo.moduleName()).toEqual(['a', 'b']);
    expect(featureInfo.reduction()).toEqual([2, 4]);
  });

  it.each([
    ['AdaptiveMaxPool2d', new L.AdaptiveMaxPool2d(1)],
    ['AvgPool2d', new L.AvgPool2d([7, 3])],
  ])('ends the stages of a narrow map: %s', (_name, pool) => {
    const { featureInfo } = featuresOnly(new Pooled(pool), { inputShape: [1, 3, 28, 12] });
    expect(featureInfo.reduction()).toEqual([2, 4]);
  });

  it('ends them where attention weighs all pixels', () => {
    const attention = (x: Value) => {
      const weights = L.softmax(L.flatten(L.mean(x, 1, keepdim), 2), -1);
      return L.unsqueeze(L.matmul(L.flatten(x, 2), L.transpose(weights, 1, 2)), -1);
    };
    const { featureInfo } = featuresOnly(new Pooled(attention));
    expect(featureInfo.moduleName()).toEqual(['a', 'b']);
    expect(featureInfo.reduction()).toEqual([2, 4]);
  });

  it('ends them for what is computed of it with parameters, too', () => {
    class Scaled extends Module {
      readonly scale = new L.Parameter([1, 4, 1, 1]);
      readonly norm = new Conv2d(4, 4, 1);

      forward(x: Value): Value {
        const y = L.mul(x, this.scale);
        return L.add(y, this.norm.call(y));
      }
    }
    const model = new Pooled((x) => L.mean(x, [2, 3], keepdim), new Scaled());
    expect(featuresOnly(model).featureInfo.moduleName()).toEqual(['a', 'b']);
  });

  it('does not end them where the pixels come in besides, as in a squeeze', () => {
    const squeeze = (x: Value) => L.mul(x, L.sigmoid(L.mean(x, [2, 3], keepdim)));
    expect(featuresOnly(new Pooled(squeeze)).featureInfo.moduleName()).toEqual(['a', 'head']);
  });

  it.each<readonly [string, Module, number]>([
    ['a stride', strided(4), 8],
    ['a pooling of stride 2', new L.AvgPool2d(2), 8],
    ['a pooling of 3 pixels', new MaxPool2d(3, { stride: 2, padding: 1 }), 8],
  ])('is not what comes to one pixel by %s', (_name, pool, size) => {
    const { featureInfo } = featuresOnly(new Pooled(pool), { inputShape: [1, 3, size, size] });
    expect(featureInfo.reduction()).toEqual([2, 4, 8]);
    expect(featureInfo([1, 3, size, size]).at(-1)!.shape).toEqual([1, 2, 1, 1]);
  });

  it.each(['densenet121', 'vgg11', 'squeezenet1_1', 'convnext_tiny'])('%s has its stages on a small input', (name) => {
    const [small, usual] = [{ inputShape: [1, 3, 33, 33] }, {}].map((options) =>
      featuresOnly(createModel(name), options).featureInfo.getDicts(),
    );
    expect(small).toEqual(usual);
  });
});

describe('what reads neighbours', () => {
  class Row extends Module {
    readonly stem = new Conv2d(3, 4, 7, { stride: 4, padding: 3 });
    readonly a = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    b = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    readonly run: (x: Value) => Value;
    readonly c = new Conv2d(4, 4, 1);
    readonly head: (x: Value) => Value;
    constructor(run: (x: Value) => Value, head: (x: Value) => Value = (x) => x) {
      super();
      this.run = run;
      this.head = head;
    }
    forward(x: Value): Value {
      return this.head(this.c.call(this.run(this.b.call(this.a.call(this.stem.call(x))))));
    }
  }

  const mixing: readonly (readonly [string, (x: Value) => Value])[] = [
    ['interpolate', (x) => L.interpolate(x, { scaleFactor: 2 })],
    ['interpolate', (x) => L.interpolate(x, { size: [x.shape[2]!, x.shape[3]!], mode: 'bilinear' })],
    ['interpolate', (x) => L.interpolate(x, { scaleFactor: 2, mode: 'bicubic' })],
    ['adaptive_avg_pool2d', (x) => L.interpolate(x, { scaleFactor: 0.5, mode: 'area' })],
    ['softmax', (x) => L.softmax(x, 3)],
    ['log_softmax', (x) => L.logSoftmax(x, -2)],
    ['max_pool2d', (x) => L.maxPool2d(x, 3, { stride: 1, padding: 1 })],
    ['avg_pool2d', (x) => L.avgPool2d(x, 3, { stride: 1, padding: 1 })],
    ['lp_pool2d', (x) => L.lpPool2d(x, 2, 2, { stride: 1 })],
    ['pad', (x) => L.pad(x, [1, 1, 1, 1])],
    ['pad', (x) => L.pad(x, [1, -1])],
    ['slice', (x) => L.slice(x, 2, 1)],
    ['slice', (x) => L.slice(x, 3, 1, Infinity, 2)],
    ['cat', (x) => L.cat([x, x], 3)],
    ['matmul', (x) => L.matmul(x, L.transpose(x, 2, 3))],
    ['channel_shuffle', (x) => L.transpose(L.channelShuffle(L.transpose(x, 1, 2), 2), 1, 2)],
    ['local_response_norm', (x) => L.transpose(L.localResponseNorm(L.transpose(x, 1, 2), 3), 1, 2)],
    ['group_norm', (x) => L.transpose(L.groupNorm(L.transpose(x, 1, 2), 2), 1, 2)],
    ['group_norm', (x) => L.transpose(L.groupNorm(L.transpose(x, 1, 3), 2), 1, 3)],
    ['reshape', (x) => L.pixelShuffle(L.cat([x, x, x, x]), 2)],
    ['reshape', (x) => L.unflatten(L.flatten(x, 2), 2, [x.shape[2]!, x.shape[3]!])],
  ];
  it.each(mixing)('by %s (%#) is refused where strides were dilated', (name, run) => {
    expect(featuresOnly(new Row(run)).featureInfo.channels().length).toBeGreaterThan(1);
    expect(thrown(() => featuresOnly(new Row(run), { outputStride: 8 }))).toMatch(
      new RegExp(`UnsupportedError: featuresOnly: expected a model that outputStride 8 can dilate.*, got ${name}.* at`),
    );
  });

  it('what stages have that were not asked for is told of the dilated model', () => {
    class Strides extends Module {
      readonly a = new Conv2d(3, 4, 3, { stride: 2, padding: 1 });
      readonly b = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
      readonly c = new Conv2d(4, 4, 5, { stride: 4, padding: 2 });
      forward(x: Value): Value {
        return this.c.call(this.b.call(this.a.call(x)));
      }
    }
    const { featureInfo } = featuresOnly(new Strides(), { outputStride: 8, outIndices: [0] });
    expect([0, 1, 2, -1].map((index) => featureInfo.reduction(index))).toEqual([2, 4, 4, 4]);
    expect(featuresOnly(new Strides(), { outputStride: 8 }).featureInfo.reduction()).toEqual([2, 4, 4]);
  });

  it.each(mixing)('by %s (%#) is right after the last stage', (_name, run) => {
    const model = fillParameters(new Row((x) => x, run));
    const net = featuresOnly(model, { outputStride: 8, inputShape: [1, 3, 64, 64] });
    const plain = featuresOnly(fillParameters(new Row((x) => x)), { outputStride: 8 });
    const x = generatedTensor('input', [1, 3, 64, 64]);
    expect(net.forward(x).get(2)!.data).toEqual(plain.forward(x).get(2)!.data);
  });

  /** A value, and a pixel that a convolution of stride 4 has for all of it. */
  class Gate extends Module {
    readonly gate = new Conv2d(4, 4, 4, { stride: 4 });
    readonly op: typeof L.mul | typeof L.add;
    constructor(op: typeof L.mul | typeof L.add) {
      super();
      this.op = op;
    }
    forward(x: Value): Value {
      return this.op(x, L.sigmoid(this.gate.call(x))) as Value;
    }
  }

  it.each([
    ['mul', L.mul],
    ['add', L.add],
  ] as const)('one pixel for all others is refused where %s has several for them', (name, op) => {
    const layers = [3, 4, 4].map((channels) => new Conv2d(channels, 4, 3, { stride: 2, padding: 1 }));
    const model = new L.Sequential(...layers, new Gate(op), new Conv2d(4, 4, 3, { stride: 2, padding: 1 }));
    const options = { outputStride: 8, inputShape: [1, 3, 32, 32] };
    expect(thrown(() => featuresOnly(model, options))).toContain(`UnsupportedError: featuresOnly:`);
    expect(thrown(() => featuresOnly(model, options))).toContain(`got ${name} at reduction 8`);
  });

  it.each([
    ['adaptiveAvgPool2d', L.adaptiveAvgPool2d],
    ['adaptiveMaxPool2d', L.adaptiveMaxPool2d],
  ] as const)('%s of all pixels is of those between, too', (_name, pool) => {
    const model = fillParameters(new Row((x) => L.mul(x, L.sigmoid(pool(x, 1)))));
    const net = featuresOnly(model, { outputStride: 8, inputShape: [1, 3, 64, 64] });
    // A model built with dilation.
    const [b, own] = [model.b, fillParameters(new Row(model.run))];
    own.b = new Conv2d(4, 4, 3, { padding: 1 });
    own.b.loadStateDict(b.stateDict());
    const x = generatedTensor('input', [1, 3, 64, 64]);
    expect(net.forward(x).get(2)!.data).toEqual(own.call(x).data);
  });

  /** Attention of all pixels before the last stride, and a gate by a pooling whose window is the map. */
  class Early extends Module {
    readonly stem = new Conv2d(3, 4, 7, { stride: 8, padding: 3 });
    readonly a = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    readonly b = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    readonly gate = new Conv2d(4, 4, 1);
    forward(x: Value): Value {
      const map = this.a.call(this.stem.call(x));
      const tokens = L.permute(L.flatten(map, 2), [0, 2, 1]);
      const y = L.matmul(L.softmax(L.matmul(tokens, L.transpose(tokens, 1, 2)), -1), tokens);
      const mixed = L.reshape(L.transpose(L.layerNorm(y, [4]), 1, 2), map.shape);
      const squeezed = L.avgPool2d(mixed, [mixed.shape[2]!, mixed.shape[3]!]);
      return this.b.call(L.mul(mixed, L.sigmoid(this.gate.call(squeezed))));
    }
  }

  it.each([
    [224, 224],
    [512, 512],
    [128, 96],
    [97, 131],
    [96, 640],
  ])('what mixes pixels before anything is dilated is free to, at %ix%i', (height, width) => {
    const model = fillParameters(new Early());
    const net = featuresOnly(model, { outputStride: 16 });
    const dense = fillParameters(new Early());
    Object.assign(dense, { b: new Conv2d(4, 4, 3, { padding: 1 }) });
    dense.b.loadStateDict(model.b.stateDict());
    const x = generatedTensor('input', [1, 3, height, width]);
    expect(net.forward(x).get(2)!.data).toEqual(dense.call(x).data);
    expect(net.featureInfo([1, 3, height, width]).map(({ reduction }) => reduction)).toEqual([8, 16, 16]);
  });

  it.each<readonly [string, readonly [number, number], (x: Value) => Value]>([
    ['columns alone', [1, 2], (x) => x],
    ['columns that are rows', [1, 2], (x) => L.transpose(x, 2, 3)],
    ['rows alone', [2, 1], (x) => x],
  ])('strides of %s are refused', (_name, stride, turned) => {
    class Turned extends Row {
      readonly by = new Conv2d(4, 4, 3, { stride, padding: 1 });
      constructor() {
        super((x) => turned(this.by.call(turned(x))));
      }
    }
    const of = () => featuresOnly(new Turned(), { inputShape: [1, 3, 96, 64], outputStride: 8 });
    expect(thrown(of)).toMatch(/, got a convolution of 3x3, stride (1x2|2x1) at reduction 8$/);
  });

  it('strides of convolutions of rows of numbers are refused', () => {
    class Columns extends Row {
      readonly by = new L.Conv1d(4, 4, 3, { stride: 2, padding: 1 });
      constructor() {
        super((x) => {
          const [images, channels, rows, columns] = x.shape as [number, number, number, number];
          const turned = L.reshape(L.permute(x, [0, 3, 1, 2]), [images * columns, channels, rows]);
          return L.permute(L.unflatten(this.by.call(turned), 0, [images, columns]), [0, 2, 3, 1]);
        });
      }
    }
    const of = () => featuresOnly(new Columns(), { inputShape: [1, 3, 96, 64], outputStride: 16 });
    expect(thrown(of)).toMatch(/, got a convolution of 3, stride 1x2 at reduction 16$/);
  });

  it('rows as channels of a convolution are refused', () => {
    class Rows extends Row {
      readonly by = new Conv2d(6, 6, 1);
      constructor() {
        super((x) => L.transpose(this.by.call(L.transpose(x, 1, 2)), 1, 2));
      }
    }
    const options = { inputShape: [1, 3, 96, 64] };
    expect(featuresOnly(new Rows(), options).featureInfo.reduction()).toEqual([4, 8, 16]);
    expect(thrown(() => featuresOnly(new Rows(), { ...options, outputStride: 8 }))).toMatch(
      /^UnsupportedError: featuresOnly: expected a model that outputStride 8 can dilate.*, got conv2d at reduction 8$/,
    );
  });

  it.each<readonly [string, (x: Value) => Value]>([
    ['softmax of channels', (x) => L.softmax(x, 1)],
    ['channels side by side', (x) => L.cat([L.slice(x, 1, 2), L.slice(x, 1, 0, 2)], 1)],
    ['padded channels', (x) => L.slice(L.pad(x, [0, 0, 0, 0, 1, 1]), 1, 1, -1)],
    ['[N, H, W, C]', (x) => L.permute(L.layerNorm(L.permute(x, [0, 2, 3, 1]), [4]), [0, 3, 1, 2])],
    ['products of channels', (x) => L.permute(L.relu(L.permute(x, [0, 2, 3, 1])), [0, 3, 1, 2])],
    ['channel shuffle', (x) => L.channelShuffle(x, 2)],
    ['local response norm', (x) => L.localResponseNorm(x, 3)],
    [
      'channels in turn by reshape',
      (x) => L.reshape(L.transpose(L.reshape(x, [1, 2, 2, ...x.shape.slice(2)]), 1, 2), x.shape),
    ],
    ['the largest of all pixels', (x) => L.add(x, L.mul(L.adaptiveMaxPool2d(x, 1), 0))],
  ])('%s gives the pixels, and those between', (_name, run) => {
    const model = fillParameters(new Row(run));
    const x = generatedTensor('input', [1, 3, 67, 75]);
    const [strided, dense] = [featuresOnly(model), featuresOnly(model, { outputStride: 8 })];
    const last = strided.forward(x).get(2)!;
    const bound = 1e-5 * last.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const thin = thinned(dense.forward(x).get(2)!, 2);
    expect(worstDisagreement(thin, last.data, () => bound).ratio).toBeLessThanOrEqual(1);
  });
});

describe('outputStride is kept', () => {
  const conv = (stride: number, channels = 4) => new Conv2d(channels, 4, 3, { stride, padding: 1 });
  const reductionsAt = (net: L.FeatureListNet<any>, shape: readonly number[]) =>
    net.featureInfo(shape).map(({ reduction }) => reduction);

  it('where strides change afterwards', () => {
    const model = new L.Sequential(conv(2, 3), conv(2), conv(2));
    const net = featuresOnly(model, { outputStride: 8 });
    expect(reductionsAt(net, [1, 3, 64, 64])).toEqual([2, 4, 8]);
    (model.at(0) as Conv2d).stride = [4, 4];
    expect(reductionsAt(net, [1, 3, 64, 64])).toEqual([4, 8, 8]);
  });

  it('where inputs of other sizes run otherwise', () => {
    class Sized extends Module {
      readonly a = conv(4, 3);
      readonly b = conv(2);
      forward(x: Value): Value {
        const small = this.a.call(x);
        return this.b.call(x.shape[2]! > 100 ? L.maxPool2d(small, 2) : small);
      }
    }
    const net = featuresOnly(new Sized(), { outputStride: 8, inputShape: [1, 3, 64, 64] });
    expect(reductionsAt(net, [1, 3, 64, 64])).toEqual([4, 8]);
    expect(reductionsAt(net, [1, 3, 224, 224])).toEqual([4, 8]);
  });

  it.each([
    ['densenet121', 'features.denseblock1'],
    ['vgg11', 'features.4'],
    ['googlenet', 'conv3'],
  ] as const)('of %s, whose later stages go down by pooling', (name, module) => {
    const net = featuresOnly(createModel(name), { outIndices: [1], outputStride: 16 });
    expect(net.featureInfo.moduleName()).toEqual([module]);
    expect(thrown(() => featuresOnly(createModel(name), { outputStride: 16 }))).toMatch(/^UnsupportedError: /);
  });

  it('where windows come before strides', () => {
    class Windows extends Module {
      readonly a = conv(4, 3);
      readonly b = conv(2);
      readonly c = conv(2);
      forward(x: Value): Value {
        const image = this.a.call(x);
        const [n, c, h, w] = image.shape as [number, number, number, number];
        const parts = L.permute(L.reshape(image, [n, c, h / 4, 4, w / 4, 4]), [0, 2, 4, 3, 5, 1]);
        const windows = L.reshape(L.relu(L.reshape(parts, [-1, 16, c])), [n, h / 4, w / 4, 4, 4, c]);
        return this.c.call(this.b.call(L.reshape(L.permute(windows, [0, 5, 1, 3, 2, 4]), image.shape)));
      }
    }
    for (const images of [1, 2]) {
      const net = featuresOnly(new Windows(), { outputStride: 8, inputShape: [images, 3, 64, 96] });
      expect(net.featureInfo.reduction()).toEqual([4, 8, 8]);
    }
  });

  it('or the model is refused, where a stage goes down by a reshape', () => {
    class Shuffled extends Module {
      readonly a = conv(8, 3);
      readonly b = conv(1, 16);
      forward(x: Value): Value {
        const image = this.a.call(x);
        const [n, c, h, w] = image.shape as [number, number, number, number];
        const parts = L.permute(L.reshape(image, [n, c, h / 2, 2, w / 2, 2]), [0, 1, 3, 5, 2, 4]);
        return this.b.call(L.reshape(parts, [n, 4 * c, h / 2, w / 2]));
      }
    }
    expect(featuresOnly(new Shuffled()).featureInfo.reduction()).toEqual([8, 16]);
    expect(thrown(() => featuresOnly(new Shuffled(), { outputStride: 8 }))).toBe(
      'UnsupportedError: featuresOnly: expected a model that outputStride 8 can dilate, got "b" of reduction 16, which ' +
        "is no convolution's stride",
    );
  });
});

it('an empty batch is dilated or refused as one image is', () => {
  class Net extends Module {
    readonly a = new Conv2d(3, 4, 3, { stride: 4, padding: 1 });
    readonly b = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    readonly c = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    readonly eca = new L.Conv1d(1, 1, 3, { padding: 1 });
    readonly d = new Conv2d(4, 4, 1);
    readonly isRowMean: boolean;
    constructor(isRowMean: boolean) {
      super();
      this.isRowMean = isRowMean;
    }
    forward(x: Value): Value {
      const y = this.c.call(this.b.call(this.a.call(x)));
      if (this.isRowMean) return this.d.call(L.sub(y, L.mean(y, 2, { keepdim: true })) as Value);
      const means = L.reshape(L.mean(y, [2, 3]), [y.shape[0]!, 1, 4]);
      const gates = L.reshape(this.eca.call(means), [y.shape[0]!, 4, 1, 1]);
      return this.d.call(L.mul(y, gates) as Value);
    }
  }
  for (const images of [0, 1, 2]) {
    const options = { inputShape: [images, 3, 64, 64], outputStride: 8 };
    expect(featuresOnly(new Net(false), options).featureInfo.reduction()).toEqual([4, 8, 8]);
    expect(thrown(() => featuresOnly(new Net(true), options))).toMatch(
      /^UnsupportedError: .*, got mean at reduction 8$/,
    );
  }
});

it('a layer of tokens is no stage', () => {
  class Tokens extends Module {
    readonly a = new Conv2d(3, 4, 3, { stride: 8, padding: 1 });
    readonly heads = new L.Unflatten(2, [2, 2]);
    readonly b = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    forward(x: Value): Value {
      const map = this.a.call(x);
      const tokens = this.heads.call(L.transpose(L.flatten(map, 2), 1, 2));
      return this.b.call(L.reshape(L.transpose(L.flatten(L.relu(tokens), 2), 1, 2), map.shape));
    }
  }
  expect(featuresOnly(new Tokens()).featureInfo.moduleName()).toEqual(['a', 'b']);
});

it('a layer of [N, H, W, C] is no stage', () => {
  class Last extends Module {
    readonly a = new Conv2d(3, 4, 3, { stride: 2, padding: 1 });
    readonly b = new L.LayerNorm(4);
    readonly c = new Conv2d(4, 4, 3, { stride: 2, padding: 1 });
    forward(x: Value): Value {
      return this.c.call(L.permute(this.b.call(L.permute(this.a.call(x), [0, 2, 3, 1])), [0, 3, 1, 2]));
    }
  }
  expect(featuresOnly(new Last()).featureInfo.moduleName()).toEqual(['a', 'c']);
});

describe('what is wrong is refused', () => {
  class Flat extends Module {
    flat = new Flatten();

    forward(x: Value): Value {
      return this.flat.call(x);
    }
  }
  const of = (options: object) => () => featuresOnly(models.resnet18(), options as FeaturesOnlyOptions<number[]>);
  it.each([
    [of({ outIndices: [5] }), 'expected outIndices from -5 to 4, for layers of reduction 2, 4, 8, 16, 32, got 5'],
    [of({ outIndices: [-6] }), 'expected outIndices from -5 to 4, for layers of reduction 2, 4, 8, 16, 32, got -6'],
    [of({ outIndices: [4, -1] }), 'expected each stage once, got [4, -1]'],
    [of({ outIndices: [] }), 'outIndices: expected an array of whole numbers, got []'],
    [of({ outIndices: new Array(2) }), 'outIndices: expected an array of whole numbers, got [, ]'],
    [of({ outIndices: -1 }), 'outIndices: expected a number of stages from 1 to 5, or an array of indices, got -1'],
    [of({ reductions: [64] }), 'expected reductions of 2, 4, 8, 16, 32, got 64'],
    [of({ reductions: 8 }), 'reductions: expected an array of whole numbers, got 8'],
    [of({ outIndices: [1], reductions: [8] }), 'expected outIndices or reductions, got both'],
    [of({ outputStride: 4 }), 'outputStride: expected 8, 16, 32 or 64, got 4'],
    [() => featuresOnly('resnet18' as never), 'expected a Module, got "resnet18"'],
    [() => featuresOnly(new Flat()), 'expected a model with layers of [N, C, H, W], got a Flat'],
  ])('%#', (run, message) => {
    expect(thrown(run)).toBe(`ValueError: featuresOnly: ${message}`);
  });
});
