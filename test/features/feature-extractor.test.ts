/**
 * createFeatureExtractor: torchvision's semantics, its agreement with the getter bit for bit, and that what no feature
 * needs isn't computed, stored, packed or read. Expected orders and names were printed by torchvision.
 */

import { describe, expect, it } from 'vitest';
import {
  createFeatureExtractor,
  type FeatureExtractorOptions,
  getGraphNodeNames,
} from '../../src/features/feature-extractor.ts';
import { featuresOnly } from '../../src/features/features-only.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Conv2dNormActivation } from '../../src/models/blocks.ts';
import { FeaturePyramidNetwork } from '../../src/models/fpn.ts';
import { resnetFpnBackbone } from '../../src/models/fpn-backbones.ts';
import { googlenet } from '../../src/models/googlenet.ts';
import { mobilenet_v3_small } from '../../src/models/mobilenetv3.ts';
import { createModel } from '../../src/models/registry.ts';
import { vgg11 } from '../../src/models/vgg.ts';
import { ReLU } from '../../src/nn/activation.ts';
import type { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { ConvTranspose2d } from '../../src/nn/conv-transpose.ts';
import { Conv1d } from '../../src/nn/conv1d.ts';
import {
  add,
  cat,
  chunk,
  flatten,
  maxPool2d,
  mean,
  mul,
  narrow,
  pixelShuffle,
  pixelUnshuffle,
  relu,
  sigmoid,
  slice,
  split,
  sub,
} from '../../src/nn/functional.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { type AnyModule, Module } from '../../src/nn/module.ts';
import { MaxPool2d } from '../../src/nn/pooling.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { noise, smallest, TinyResNet } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const model = fillParameters(new TinyResNet());
const x = noise('input', [2, 3, 33, 47]);
const extractor = <const Node extends string>(...nodes: readonly Node[]) =>
  createFeatureExtractor(model, { returnNodes: nodes });

/** A model whose forward does more than run its children. */
class Branches extends Module {
  readonly conv_1 = new Conv2d(3, 4, 1);
  readonly conv_2 = new Conv2d(4, 4, 1);
  readonly act = new ReLU();
  readonly sequence = new Sequential(new Identity(), new ReLU());
  readonly again = this.act;
  readonly sub = new Sub();
  readonly unused = new ReLU();

  forward(image: Value): Value {
    let y = this.again.call(this.conv_2.call(this.act.call(this.conv_1.call(image))));
    y = this.act.call(relu(this.sequence.call(y)));
    y = this.sub.call(this.sub.call(y));
    return add(relu(y), y);
  }
}

/** Computes something that it doesn't return. */
class Sub extends Module {
  forward(image: Value): Value {
    const y = relu(image);
    sigmoid(y);
    return y;
  }
}

describe('getGraphNodeNames', () => {
  it('names leaves by paths, functions by names, and what comes again by a number, as torchvision does', () => {
    expect(getGraphNodeNames(new Branches())).toEqual([
      ...['x', 'conv', 'act', 'conv_1', 'act_1', 'sequence.0', 'sequence.1', 'relu', 'act_2'],
      ...['sub.relu', 'sub.sigmoid', 'sub.relu_1', 'sub.sigmoid_1', 'relu_1', 'add'],
    ]);
  });

  it('numbers a layer whose own name ends in numbers as torchvision does', () => {
    // What each list is in torchvision 0.14, for the same modules.
    const called = (names: readonly string[], ...order: readonly string[]) => {
      class Chain extends Module {
        constructor() {
          super();
          for (const name of names) this.addModule(name, new ReLU());
        }
        forward(image: Value): Value {
          return order.reduce((y, name) => this.getSubmodule(name).call(y) as Value, image);
        }
      }
      return new Chain();
    };
    const [two, three] = [
      ['conv', 'conv_1'],
      ['conv', 'conv_1', 'conv_1_1'],
    ];
    expect(getGraphNodeNames(called(two, 'conv', 'conv', 'conv_1'))).toEqual(['x', 'conv', 'conv_1', 'conv_2']);
    expect(getGraphNodeNames(called(two, 'conv', 'conv_1', 'conv'))).toEqual(['x', 'conv', 'conv_1', 'conv_2']);
    expect(getGraphNodeNames(called(two, 'conv_1', 'conv', 'conv'))).toEqual(['x', 'conv', 'conv_1', 'conv_2']);
    expect(getGraphNodeNames(called(two, 'conv_1'))).toEqual(['x', 'conv']);
    expect(getGraphNodeNames(called(three, 'conv', 'conv_1_1', 'conv_1', 'conv_1_1', 'conv_1'))).toEqual([
      ...['x', 'conv', 'conv_1', 'conv_2', 'conv_1_1', 'conv_3'],
    ]);
    expect(getGraphNodeNames(called(three, 'conv_1_1', 'conv'))).toEqual(['x', 'conv_1', 'conv_2']);
    expect(thrown(() => createFeatureExtractor(called(two, 'conv_1'), { returnNodes: ['conv_1'] }))).toBe(
      'ValueError: createFeatureExtractor: node: "conv_1" is not present in model; its nodes are "conv", "x"; ' +
        'the node of "conv_1" is "conv"',
    );
  });

  it('names a transformed input as torchvision does', () => {
    const names = getGraphNodeNames(googlenet({ transformInput: true, auxLogits: false }));
    expect(names.slice(0, 3)).toEqual(['x', 'cat', 'conv1.conv']);
  });

  it('names functions as torchvision does, whatever they consist of', () => {
    class Functions extends Module {
      forward(image: Value): Value {
        const y = sub(sub(add(image, 1), 1), image);
        return sub(1, pixelUnshuffle(pixelShuffle(slice(narrow(y, 1, 0, 4), 1, 0, 4), 2), 2));
      }
    }
    expect(getGraphNodeNames(new Functions(), { inputShape: [1, 8, 2, 2] })).toEqual([
      ...['x', 'add', 'sub', 'sub_1', 'narrow', 'getitem', 'pixel_shuffle', 'pixel_unshuffle', 'sub_2'],
    ]);
  });

  it('finds the input that a model takes by its first weight, or is given it', () => {
    class Flat extends Module {
      readonly conv = new Conv2d(1, 2, 1);
      readonly fc = new Linear(2 * 8 * 8, 3);
      forward(image: Value): Value {
        return this.fc.call(flatten(this.conv.call(image)));
      }
    }
    expect(getGraphNodeNames(new Sequential(new Conv2d(1, 2, 3)))).toEqual(['x', '0']);
    expect(getGraphNodeNames(new Sequential(new Linear(5, 2)))).toEqual(['x', '0']);
    expect(getGraphNodeNames(new Sequential(new ReLU()))).toEqual(['x', '0']);
    expect(getGraphNodeNames(new Conv2d(3, 4, 1))).toEqual(['x', 'conv2d']);
    expect(getGraphNodeNames(new Flat(), { inputShape: [1, 1, 8, 8] })).toEqual(['x', 'conv', 'flatten', 'fc']);
    expect(thrown(() => getGraphNodeNames(new Flat()))).toBe(
      'ShapeError: getGraphNodeNames: expected a model that takes an input of [1, 1, 224, 224], got ' +
        '"Flat: fc: linear: mat1 and mat2 shapes cannot be multiplied (1x100352 and 128x3): expected x of shape […, 128], got [1, 100352]"; ' +
        'give the shape of an input that it takes as inputShape',
    );
  });

  it('says of an inputShape that is too small which layer it is, and what works', () => {
    const inputShape = [1, 3, 31, 31];
    const said = (name: string) =>
      `ShapeError: ${name}: expected a model that takes an input of [1, 3, 31, 31], got "VGG: features.20: ` +
      'max_pool2d: expected an input of at least 2x2 pixels with padding (kernel 2x2, dilation 1x1), got 1x1 from x ' +
      '[1, 512, 1, 1]; the smallest input that works is [1, 3, 32, 32]"; give the shape of an input that it takes as ' +
      'inputShape';
    expect(thrown(() => getGraphNodeNames(vgg11(), { inputShape }))).toBe(said('getGraphNodeNames'));
    expect(thrown(() => createFeatureExtractor(vgg11(), { returnNodes: ['features.4'], inputShape }))).toBe(
      said('createFeatureExtractor'),
    );
    expect(thrown(() => featuresOnly(vgg11(), { inputShape }))).toBe(said('featuresOnly'));
  });

  it("goes on after a module threw that its caller caught, and passes on the model's other errors", () => {
    class Catching extends Module {
      readonly bad = new Conv2d(7, 1, 1);
      readonly good = new ReLU();
      forward(image: Value): Value {
        try {
          return this.bad.call(image);
        } catch {
          return relu(this.good.call(image));
        }
      }
    }
    const network = new Catching();
    expect(getGraphNodeNames(network, { inputShape: [1, 3, 8, 8] })).toEqual(['x', 'good', 'relu']);
    network.good.registerForwardHook(() => {
      throw new Error("a hook's own");
    });
    expect(thrown(() => getGraphNodeNames(network, { inputShape: [1, 3, 8, 8] }))).toBe("Error: a hook's own");
  });
});

describe('agrees with the getter bit for bit', () => {
  it.each([
    ['ResNet', model, 'fc'],
    ['MobileNetV3', fillParameters(mobilenet_v3_small()), 'classifier'],
  ] as const)('on every module that runs, but for the head, of %s', (_, network: AnyModule, head) => {
    const graph = new Graph([x.shape]);
    network.call(graph.inputs[0]);
    const paths = [...network.namedModules()]
      .filter(([path, module]) => path && !path.startsWith(head) && graph.outputOf(module))
      .map(([path]) => path);
    expect(paths.length).toBeGreaterThan(50);
    const getter = new IntermediateLayerGetter(
      network,
      paths.map((path) => [path, path] as const),
    );
    const features = createFeatureExtractor(network, { returnNodes: paths }).forward(x);
    expect(getter.deviations(x.shape)).toEqual([]);
    for (const [path, feature] of getter.forward(x)) expect(features.get(path), String(path)).toEqual(feature);
  });

  it('and in reports, but for what the getter deviates in', () => {
    const layers = { 'layer1.0.conv2': 'a', layer2: 'b', layer4: 'c' };
    const info = createFeatureExtractor(model, { returnNodes: layers }).featureInfo(x.shape);
    expect(info).toEqual(new IntermediateLayerGetter(model, layers).featureInfo(x.shape));
  });
});

describe("the model's own forward", () => {
  it('gives what lies between and behind its children', () => {
    const features = extractor('avgpool', 'flatten', 'fc').forward(x);
    expect(features.get('fc')).toEqual(model.call(x));
    expect(features.get('flatten')!.shape).toEqual([2, 32]);
    expect(features.get('flatten')!.data).toEqual(features.get('avgpool')!.data);
  });

  it('gives sums before the activation', () => {
    const features = extractor('layer1.0.bn2', 'maxpool', 'layer1.0.downsample.1', 'layer1.0.add', 'layer1.0').forward(
      x,
    );
    const [norm, short, sum, block] = ['layer1.0.bn2', 'layer1.0.downsample.1', 'layer1.0.add', 'layer1.0'].map(
      (name) => features.get(name as 'maxpool')!.data,
    );
    expect([...sum!]).toEqual([...norm!].map((value, i) => Math.fround(value + short![i]!)));
    expect([...block!]).toEqual([...sum!].map((value) => Math.max(value, 0)));
  });

  it('runs a module again under a number', () => {
    const features = extractor('layer1.0.bn1', 'layer1.0.relu', 'layer1.0.relu_1', 'layer1.0').forward(x);
    expect([...features.keys()]).toEqual(['layer1.0.bn1', 'layer1.0.relu', 'layer1.0', 'layer1.0.relu_1']);
    expect(features.get('layer1.0.relu_1')).toEqual(features.get('layer1.0'));
    const norm = features.get('layer1.0.bn1')!;
    expect(smallest(norm)).toBeLessThan(0);
    expect([...features.get('layer1.0.relu')!.data]).toEqual([...norm.data].map((value) => Math.max(value, 0)));
  });

  it('gives the input itself', () => {
    expect(extractor('x').forward(x)).toEqual(new Map([['x', x]]));
  });

  it('of a path that is no node the last node below it, returned or not', () => {
    const network = fillParameters(new Branches());
    const features = createFeatureExtractor(network, { returnNodes: ['sub', 'sub.sigmoid_1'] }).forward(x);
    expect(features.get('sub')).toEqual(features.get('sub.sigmoid_1'));
  });

  it('modules inside of a leaf by their paths', () => {
    const network = fillParameters(
      new Sequential(new Conv2dNormActivation(3, 4, { activationLayer: () => new ReLU() })),
    );
    const features = createFeatureExtractor(network, { returnNodes: ['0', '0.0', '0.1', '0.2'] });
    expect([...features.forward(x).keys()].sort()).toEqual(['0', '0.0', '0.1', '0.2']);
    expect(features.forward(x).get('0')).toEqual(features.forward(x).get('0.2'));
    const [conv, norm] = [...(network.at(0) as Sequential)] as [Conv2d, BatchNorm2d];
    expect(features.forward(x).get('0.1')).toEqual(norm.call(conv.call(x) as Tensor));
    expect(getGraphNodeNames(network)).toEqual(['x', '0']);
  });

  it('of a function that gives several tensors all of them, and each', () => {
    class Halves extends Module {
      forward(image: Value): Value {
        const [a, b] = chunk(image, 2, 2);
        return cat([b!, a!], 2);
      }
    }
    expect(getGraphNodeNames(new Halves())).toEqual(['x', 'chunk', 'getitem', 'getitem_1', 'cat']);
    const image = noise('x', [1, 2, 4, 3]);
    const features = createFeatureExtractor(new Halves(), { returnNodes: ['chunk', 'getitem_1'] }).forward(image);
    expect(features.get('getitem_1')!.shape).toEqual([1, 2, 2, 3]);
    expect((features.get('chunk') as unknown as Tensor[])[1]).toEqual(features.get('getitem_1'));
  });

  it('of a piece is numbered by its place among the pieces, not by when it is taken', () => {
    class Pieces extends Module {
      constructor(readonly cut: (image: Value) => Value[]) {
        super();
      }

      forward(image: Value): Value {
        const pieces = this.cut(image);
        const second = pieces[1]!;
        return cat([second, pieces[0]!, pieces[1]!]);
      }
    }
    for (const cut of [(image: Value) => chunk(image, 3, 1), (image: Value) => split(image, 1, 1)]) {
      const image = tensor([0, 1, 2], [1, 3, 1, 1]);
      const names = ['getitem', 'getitem_1', 'getitem_2'];
      const features = createFeatureExtractor(new Pieces(cut), { returnNodes: names, inputShape: [1, 3, 1, 1] });
      // torchvision gives 1, 0, 1.
      expect(Array.from(features.forward(image).values(), ({ data }) => data[0])).toEqual([0, 1, 2]);
    }
  });

  it('of a layer of several tensors needs what is needed of these', () => {
    class Levels extends Module {
      readonly a = new Conv2d(1, 1, 1, { bias: false });
      readonly b = new Conv2d(1, 1, 1, { bias: false });
      readonly fpn = new FeaturePyramidNetwork([1, 1], 1);
      forward(image: Value): Value {
        const levels = new Map([
          ['0', this.a.call(image)],
          ['1', this.b.call(image)],
        ]);
        return relu(this.fpn.call(levels).get('1')!);
      }
    }
    class Around extends Module {
      readonly e = createFeatureExtractor(new Levels(), { returnNodes: ['relu'] });
      forward(image: Value): Value {
        return sigmoid(this.e.call(image).get('relu')!);
      }
    }
    expect(getGraphNodeNames(new Levels())).toEqual(['x', 'a', 'b', 'fpn', 'relu']);
    // torchvision has e.a, and its state, as well; and names what is taken of the levels: getitem.
    expect(getGraphNodeNames(new Around())).toEqual(['x', 'e.b', 'e.fpn', 'e.relu', 'sigmoid']);
    const weights = [...new Around().stateShapes().keys()].filter((key) => key.endsWith('weight'));
    expect(weights).toEqual(['e.b.weight', 'e.fpn.inner_blocks.1.0.weight', 'e.fpn.layer_blocks.1.0.weight']);
  });

  it('that is several tensors has no report, and says which nodes they are', () => {
    class Both extends Module<Map<string, Value>> {
      override isLeaf = () => true;
      readonly conv = new Conv2d(3, 4, 1);
      forward(image: Value) {
        return new Map([
          ['sum', add(image, 1)],
          ['conv', this.conv.call(image)],
        ]);
      }
    }
    class Parts extends Module {
      readonly both = new Both();
      forward(image: Value): Value {
        const [left] = chunk(image, 2, 3);
        return add(cat([left!, left!], 3), this.both.call(image).get('sum')!);
      }
    }
    class Neither extends Module<Value[]> {
      override isLeaf = () => true;
      forward(image: Value) {
        return [relu(image), sigmoid(image)];
      }
    }
    const attempt = (of: AnyModule, node: string) =>
      thrown(() => createFeatureExtractor(of, { returnNodes: [node] }).featureInfo([1, 3, 4, 4]));
    const expected = 'ValueError: FeatureExtractor: expected features that are single tensors, got';
    expect(attempt(new Parts(), 'chunk')).toBe(
      `${expected} [a Value, a Value] for "chunk"; ask for "getitem", "getitem_1"`,
    );
    expect(attempt(new Parts(), 'both')).toBe(
      `${expected} a Map for "both"; ask for 1 of its 2 tensors by "both.conv"`,
    );
    expect(attempt(new Sequential(new Neither()), '0')).toBe(
      `${expected} [a Value, a Value] for "0"; none of its tensors is a node: forward gives them together`,
    );
    const backbone = resnetFpnBackbone({ backboneName: 'resnet18' });
    expect(attempt(backbone, 'fpn.layer_blocks.0')).toBe('nothing thrown');
    expect(attempt(backbone, 'fpn')).toContain(
      'for "fpn"; ask for 4 of its 5 tensors by "fpn.layer_blocks.0", "fpn.layer_blocks.1"',
    );
  });

  it('is followed where a path ends in another node than before', () => {
    const network = fillParameters(new TinyResNet());
    const made = () => createFeatureExtractor(network, { returnNodes: ['layer1', 'layer4', 'fc'] });
    const features = made();
    features.forward(x);
    network.layer4.append(fillParameters(new Conv2d(32, 32, 1)));
    network.layer1.set(-1, new Identity());
    network.setSubmodule('fc', fillParameters(new Sequential(new Identity(), new Linear(32, 3))));
    expect(features.forward(x)).toEqual(made().forward(x));
    expect(features.forward(x).get('fc')).toEqual(network.call(x));
    expect(features.featureInfo(x.shape)).toEqual(made().featureInfo(x.shape));
    expect([...features.stateShapes()]).toEqual([...made().stateShapes()]);
  });

  it('is followed where another first layer takes other channels', () => {
    const network = new TinyResNet();
    const features = createFeatureExtractor(network, { returnNodes: ['layer1'] });
    network.setSubmodule('conv1', new Conv2d(1, 8, 3, { bias: false }));
    fillParameters(network);
    expect(features.forward(noise('grey', [1, 1, 33, 47])).get('layer1')!.shape[0]).toBe(1);
    expect([...features.stateShapes()][0]).toEqual(['conv1.weight', [8, 1, 3, 3]]);
  });

  it('is followed: hooks, attributes and new modules of the model change the features', () => {
    const network = fillParameters(new TinyResNet());
    const features = createFeatureExtractor(network, { returnNodes: { bn1: 'norm', fc: 'logits' } });
    const before = features.forward(x);
    const remove = network.bn1.registerForwardHook((_module, _inputs, output) => relu(output));
    expect(smallest(features.forward(x).get('norm'))).toBe(0);
    remove();
    expect(features.forward(x)).toEqual(before);
    (network as { fc: Linear }).fc = fillParameters(new Linear(32, 3));
    expect(features.forward(x).get('logits')).toEqual(network.call(x));
    expect(features.stateShapes().get('fc.weight')).toEqual([3, 32]);
  });
});

describe('names and order', () => {
  it('is a list, a Map, entries or an object', () => {
    const expected = new Map([['layer1', extractor('layer1').forward(x).get('layer1')]]);
    for (const returnNodes of [
      ['layer1'],
      new Map([['layer1', 'layer1']]),
      [['layer1', 'layer1']],
      { layer1: 'layer1' },
    ]) {
      const features = createFeatureExtractor(model, { returnNodes } as FeatureExtractorOptions<string[]>);
      expect(features.forward(x)).toEqual(expected);
    }
  });

  it('is that of execution; of two nodes with one name the earlier one stays, in the place of the later one', () => {
    const keys = (returnNodes: Record<string, string>) => [
      ...createFeatureExtractor(model, { returnNodes }).forward(x).keys(),
    ];
    expect(keys({ layer4: 'out', layer3: 'aux' })).toEqual(['aux', 'out']);
    expect(keys({ layer2: 'a', layer3: 'a', layer4: 'b' })).toEqual(['a', 'b']);
    expect(keys({ layer1: 'a', layer2: 'b', layer4: 'a' })).toEqual(['b', 'a']);
    const features = createFeatureExtractor(model, { returnNodes: { layer1: 'a', layer2: 'b', layer4: 'a' } });
    expect(features.forward(x).get('a')!.shape[1]).toBe(8);
    expect(features.featureInfo(x.shape).map(({ name, module }) => [name, module])).toEqual([
      ['b', 'layer2'],
      ['a', 'layer1'],
    ]);
  });

  it('differs: two paths that end in one node both have its value', () => {
    const features = createFeatureExtractor(model, { returnNodes: { layer1: 'a', 'layer1.1': 'b' } }).forward(x);
    expect([...features.keys()]).toEqual(['b', 'a']);
    expect(features.get('a')).toEqual(features.get('b'));
    expect(smallest(features.get('b'))).toBe(0);
  });

  it('keeps numbers, and no request gives nothing', () => {
    expect([
      ...createFeatureExtractor(model, { returnNodes: { layer1: 0 } })
        .forward(x)
        .keys(),
    ]).toEqual([0]);
    const none = createFeatureExtractor(model, { returnNodes: {} });
    expect(none.forward(x)).toEqual(new Map());
    expect([...none.stateShapes()]).toEqual([]);
  });
});

describe('what no feature needs', () => {
  it("has no state, and the whole model's dict loads strictly", () => {
    const network = new TinyResNet();
    const features = createFeatureExtractor(network, { returnNodes: ['layer2.0.downsample.1'] });
    const keys = [...features.stateShapes().keys()];
    expect(keys.filter((key) => /^(layer[34]|fc|layer2\.1|layer2\.0\.(conv|bn))/.test(key))).toEqual([]);
    expect(keys.slice(0, 3)).toEqual(['conv1.weight', 'bn1.weight', 'bn1.bias']);
    expect(keys.at(-1)).toBe('layer2.0.downsample.1.num_batches_tracked');
    const whole = model.stateDict();
    expect(features.loadStateDict(whole)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(features.forward(x)).toEqual(extractor('layer2.0.downsample.1').forward(x));
    expect(network.fc.weight.hasValues).toBe(false);
    const one = tensor([1], [1]);
    expect(thrown(() => features.loadStateDict(new Map([...whole, ['fc.scale', one]])))).toContain(
      'Unexpected key(s) in state_dict: "fc.scale"',
    );
    whole.delete('conv1.weight');
    expect(thrown(() => features.loadStateDict(whole))).toContain('Missing key(s) in state_dict: "conv1.weight"');
    expect([...features.stateDict().keys()]).toEqual(keys);
  });

  it('has the state of the getter where both drop whole children, and its children', () => {
    const getter = new IntermediateLayerGetter(new TinyResNet(), { layer2: 'x' });
    const features = createFeatureExtractor(new TinyResNet(), { returnNodes: { layer2: 'x' } });
    expect([...features.stateShapes()]).toEqual([...getter.stateShapes()]);
    expect([...features.namedChildren()].map(([name]) => name)).toEqual([...getter.keys()]);
    expect(String(features)).toBe(String(getter).replace('IntermediateLayerGetter', 'FeatureExtractor'));
    expect(features.getSubmodule('layer2.0.conv1')).toBeInstanceOf(Conv2d);
    expect(features.getSubmodule('')).toBe(features);
  });

  it('is not packed, a branch aside included', () => {
    const bytes = (network: AnyModule, ...returnNodes: readonly string[]) => {
      const features = createFeatureExtractor(network, { returnNodes });
      features.forward(x);
      return features.compiled!.constantBytes;
    };
    expect(bytes(model, 'layer2.0.downsample.1')).toBeLessThan(bytes(model, 'layer2.0'));
    const getter = new IntermediateLayerGetter(model, { layer2: 'x' });
    getter.forward(x);
    expect(bytes(model, 'layer2')).toBe(getter.compiled!.constantBytes);
  });

  it('is not read from a file', async () => {
    const whole = model.stateDict();
    const asked: string[] = [];
    const file: TensorStream = {
      tensors: whole,
      async *stream(names) {
        for (const name of names) {
          asked.push(name);
          yield [name, whole.get(name)!] as const;
        }
      },
    };
    for (const options of [{}, { inputShapes: [x.shape] }]) {
      asked.length = 0;
      const features = createFeatureExtractor(new TinyResNet(), { returnNodes: ['layer1.0.add'] });
      await features.loadStateDictAsync(file, options);
      expect(asked.length).toBeGreaterThan(15);
      expect(asked.filter((name) => !/^(conv1|bn1|layer1\.0)\./.test(name))).toEqual([]);
      expect(features.forward(x)).toEqual(extractor('layer1.0.add').forward(x));
    }
  });

  it('may not fit the input', () => {
    class Deep extends Module {
      readonly conv = fillParameters(new Conv2d(3, 4, 3));
      readonly pool = new Sequential(new ReLU());
      forward(image: Value): Value {
        return maxPool2d(this.pool.call(this.conv.call(image)), 8);
      }
    }
    const features = createFeatureExtractor(new Deep(), { returnNodes: ['conv', 'pool'] });
    expect(features.forward(noise('x', [1, 3, 5, 5])).get('pool')!.shape).toEqual([1, 4, 3, 3]);
    const all = createFeatureExtractor(new Deep(), { returnNodes: ['conv', 'max_pool2d'] });
    expect(thrown(() => all.forward(noise('x', [1, 3, 5, 5])))).toContain('ShapeError: max_pool2d');
    expect([...all.forward(noise('x', [1, 3, 5, 5]), { only: ['conv'] }).keys()]).toEqual(['conv']);
  });

  it("keeps a module's own parameters together", () => {
    class Scaled extends Module {
      readonly scale = new Parameter([1]);
      readonly conv = new Conv2d(3, 4, 1);
      forward(image: Value): Value {
        return this.conv.call(image);
      }
    }
    const keys = (...returnNodes: readonly string[]) => [
      ...createFeatureExtractor(new Scaled(), { returnNodes }).stateShapes().keys(),
    ];
    expect(keys('conv')).toEqual(['conv.weight', 'conv.bias']);
    expect(keys('x')).toEqual([]);
  });
});

describe('runs as the getter does', () => {
  const features = extractor('layer1.0.add', 'layer2', 'fc');

  it('on subsets', () => {
    const all = features.forward(x);
    expect(features.forward(x, { only: ['layer2'] })).toEqual(new Map([['layer2', all.get('layer2')]]));
    expect(thrown(() => features.forward(x, { only: ['c9' as 'fc'] }))).toBe(
      'ValueError: FeatureExtractor: expected only to name features of "layer1.0.add", "layer2", "fc", got "c9"',
    );
    expect(features.call(x)).toEqual(all);
  });

  it('asynchronously, with progress and abort', async () => {
    const seen: string[] = [];
    const onProgress = ({ child, done, total }: { child: string; done: number; total: number }) => {
      seen.push(child);
      expect(done).toBe(total);
    };
    expect(await features.forwardAsync(x, { onProgress })).toEqual(features.forward(x));
    expect(seen).toEqual(['fc']);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(features.forwardAsync(x, { signal })).rejects.toThrow('enough');
    expect(await features.callAsync(x)).toEqual(features.forward(x));
  });

  it('compiled with options', () => {
    const deterministic = extractor('layer2').compile({ deterministic: true });
    deterministic.forward(x);
    expect(deterministic.compiled!.binary).toBe('simd');
  });

  it('inside of another module, and of another extractor', () => {
    class Head extends Module {
      readonly backbone = extractor('layer1.0.add', 'layer2');
      readonly head = fillParameters(new Conv2d(16, 4, 1));
      forward(image: Value): Value {
        return this.head.call(this.backbone.forward(image).get('layer2')!);
      }
    }
    const whole = new Head();
    expect(whole.call(x)).toEqual(whole.head.call(features.forward(x).get('layer2')! as Tensor));
    const outer = createFeatureExtractor(whole, { returnNodes: ['backbone.layer1.0.add', 'head'] });
    expect(outer.forward(x).get('backbone.layer1.0.add')).toEqual(features.forward(x).get('layer1.0.add'));
    expect(outer.forward(x).get('head')).toEqual(whole.call(x));
  });
});

describe('a model of several inputs', () => {
  class Pair extends Module {
    readonly conv = new Conv2d(3, 4, 1);
    readonly x_1 = new ReLU();
    forward(image: Value, other: Value): Value {
      return add(this.x_1.call(this.conv.call(image)), this.conv.call(other));
    }
  }
  const pair = fillParameters(new Pair());
  const [a, b] = [noise('a', [2, 3, 5, 4]), noise('b', [2, 3, 5, 4])];
  const made = () => createFeatureExtractor(pair, { returnNodes: { x_1: 'other', conv_1: 'norm', add: 'sum' } });

  it('has a node for each, and its own result as a feature', async () => {
    expect(getGraphNodeNames(pair)).toEqual(['x', 'x_1', 'conv', 'x_2', 'conv_1', 'add']);
    const features = made();
    const expected = new Map([
      ['other', b],
      ['norm', pair.conv.call(b) as Tensor],
      ['sum', pair.call(a, b)],
    ]);
    expect(features.forward(a, b)).toEqual(expected);
    expect(features.call(a, b)).toEqual(expected);
    expect(await features.callAsync([a, b])).toEqual(expected);
    expect(await features.forwardAsync([a, b])).toEqual(expected);
    const one = new Map([['norm', expected.get('norm')]]);
    expect(features.forward(a, b, { only: ['norm'] })).toEqual(one);
    expect(await features.forwardAsync([a, b], { only: ['norm'] })).toEqual(one);
  });

  it('has reports for the shapes of all of them', () => {
    expect(
      made()
        .featureInfo(a.shape, b.shape)
        .map(({ name, module, shape, macs }) => ({ name, module, shape, macs })),
    ).toEqual([
      { name: 'other', module: 'x_1', shape: [2, 3, 5, 4], macs: 0 },
      { name: 'norm', module: 'conv_1', shape: [2, 4, 5, 4], macs: 480 },
      { name: 'sum', module: 'add', shape: [2, 4, 5, 4], macs: 960 },
    ]);
    expect(thrown(() => made().featureInfo(a.shape, [1, 0]))).toBe(
      'ShapeError: FeatureExtractor: expected x of shape [N, C, …], none empty but N, got [1, 0]',
    );
  });

  it('is traced with the shapes that inputShape tells, an input that no feature needs included', () => {
    class Joined extends Module {
      readonly conv = new Conv2d(3, 4, 1);
      readonly row = new Linear(6, 4);
      forward(image: Value, row: Value): Value {
        const y = this.conv.call(image);
        return add(mean(y, [2, 3]), this.row.call(row));
      }
    }
    const joined = fillParameters(new Joined());
    const inputShape = [
      [1, 3, 8, 8],
      [1, 6],
    ];
    expect(getGraphNodeNames(joined, { inputShape })).toEqual(['x', 'x_1', 'conv', 'mean', 'row', 'add']);
    const row = noise('row', [2, 6]);
    const image = createFeatureExtractor(joined, { returnNodes: ['conv'], inputShape });
    expect(image.forward(a, row).get('conv')).toEqual(joined.conv.call(a));
    expect([...image.stateShapes().keys()]).toEqual(['conv.weight', 'conv.bias']);
    const whole = createFeatureExtractor(joined, { returnNodes: ['add', 'row'], inputShape });
    expect(whole.forward(a, row).get('add')).toEqual(joined.call(a, row));
    expect(whole.forward(a, row).get('row')).toEqual(joined.row.call(row));
    expect(thrown(() => getGraphNodeNames(joined))).toBe(
      'ShapeError: getGraphNodeNames: expected a model that takes inputs of [1, 3, 224, 224] and [1, 3, 224, 224], ' +
        'got "Joined: row: linear: mat1 and mat2 shapes cannot be multiplied (672x224 and 6x4): expected x of shape […, 6], ' +
        'got [1, 3, 224, 224]; is a flatten missing before it?"; give an array of the shapes of inputs that it ' +
        'takes as inputShape',
    );
    expect(thrown(() => getGraphNodeNames(joined, { inputShape: [1, 3, 8, 8] }))).toBe(
      'ValueError: getGraphNodeNames: expected a shape for each input of a model whose forward takes 2, ' +
        'got [1, 3, 8, 8] for a Joined; give an array of them as inputShape',
    );
    expect(thrown(() => getGraphNodeNames(joined, { inputShape: [[1, 3, 8, 8], [1.5]] }))).toBe(
      'ShapeError: getGraphNodeNames: inputShape: expected an array of whole numbers >= 0, got [1.5]',
    );
  });

  it('refuses fewer than it was traced with', () => {
    const message =
      'ValueError: FeatureExtractor: expected 2 inputs, as the model was traced with, got 1; ' +
      'call(x, y), callAsync([x, y]) and featureInfo(shapeOfX, shapeOfY) take several';
    expect(thrown(() => made().forward(a))).toBe(message);
    expect(thrown(() => made().call(a))).toBe(message);
    expect(thrown(() => made().featureInfo(a.shape))).toBe(message);
  });

  it('that are no values has another way to its values', () => {
    class Scaled extends Module {
      forward(image: Value, { factor }: { readonly factor: number }): Value {
        return mul(image, factor);
      }
    }
    expect(thrown(() => getGraphNodeNames(new Scaled()))).toMatch(
      /^ValueError: getGraphNodeNames: expected a model that takes values of \[1, 3, 224, 224\] and \[1, 3, 224, 224\], got "mul: .*" from a Scaled; return what you need from its forward, and call it$/,
    );
    expect(thrown(() => featuresOnly(pair))).toBe(
      'ValueError: featuresOnly: expected a shape for each input of a model whose forward takes 2, got ' +
        '[1, 3, 224, 224] for a Pair; createFeatureExtractor takes an array of them as inputShape',
    );
  });

  it('may do without the others', () => {
    class Optional extends Module {
      readonly act = new ReLU();
      forward(image: Value, other?: Value): Value {
        const y = this.act.call(image);
        return other ? add(y, other) : y;
      }
    }
    const optional = new Optional();
    const two = [a.shape, b.shape];
    expect(getGraphNodeNames(optional, { inputShape: a.shape })).toEqual(['x', 'act']);
    expect(getGraphNodeNames(optional, { inputShape: two })).toEqual(['x', 'x_1', 'act', 'add']);
    expect(getGraphNodeNames(optional)).toEqual(['x', 'x_1', 'act', 'add']);
    expect(createFeatureExtractor(optional, { returnNodes: ['act'] }).forward(a)).toEqual(
      new Map([['act', optional.call(a)]]),
    );
    const sum = createFeatureExtractor(optional, { returnNodes: ['add'], inputShape: two });
    expect(sum.forward(a, b).get('add')).toEqual(optional.call(a, b));
  });

  it('is traced with all inputs that forward names, or with as many as it can run on', () => {
    class Third extends Module {
      readonly act = new ReLU();
      forward(image: Value, other: Value, options: { readonly scale: number }): Value {
        return mul(add(this.act.call(image), other), options === undefined ? 2 : options.scale);
      }
    }
    const third = new Third();
    expect(getGraphNodeNames(third)).toEqual(['x', 'x_1', 'act', 'add', 'mul']);
    const [x, y] = [tensor([1], [1, 1, 1, 1]), tensor([3], [1, 1, 1, 1])];
    expect([
      ...createFeatureExtractor(third, { returnNodes: ['mul'] })
        .call(x, y)
        .get('mul')!.data,
    ]).toEqual([8]);
  });

  it('works inside of another module', () => {
    class Twice extends Module {
      readonly backbone = made();
      forward(image: Value): Value {
        return this.backbone.forward(image, image, { only: ['sum'] }).get('sum')!;
      }
    }
    const twice = new Twice();
    expect(twice.call(a)).toEqual(pair.call(a, a));
  });

  it("can be packed for several inputs' shapes", async () => {
    const keys = [...pair.stateDict()];
    const file = {
      tensors: new Map(keys),
      async *stream(names: readonly string[]): AsyncGenerator<[string, Tensor]> {
        for (const name of names) yield [name, this.tensors.get(name)!];
      },
    };
    const features = createFeatureExtractor(new Pair(), { returnNodes: ['add'] });
    await features.loadStateDictAsync(file as never, { inputShapes: [[a.shape, b.shape]] });
    expect(features.call(a, b).get('add')).toEqual(pair.call(a, b));
    const [small] = [noise('small', [1, 3, 2, 2])];
    const two = new Pair();
    await two.loadStateDictAsync(file as never, {
      inputShapes: [
        [a.shape, b.shape],
        [small.shape, small.shape],
      ],
    });
    expect(two.call(small, small)).toEqual(pair.call(small, small));
  });

  it('refuses inputs that are no tensors, or tensors and values together', async () => {
    const features = made();
    const [value] = new Graph([a.shape]).inputs;
    const message = 'FeatureExtractor: expected all inputs as Tensors or as Values, got [';
    expect(thrown(() => features.forward(a, value as never))).toContain(`ValueError: ${message}`);
    expect(thrown(() => features.forward(a, 7 as never, { only: ['sum'] }))).toContain(`ValueError: ${message}`);
    expect(thrown(() => features.forward(a, new Float32Array(3) as never))).toContain(`ValueError: ${message}`);
    expect(thrown(() => features.forward(a, [b] as never))).toContain(`ValueError: ${message}`);
    await expect(features.forwardAsync([a, 7 as never])).rejects.toThrow(message);
    await expect(features.forwardAsync([])).rejects.toThrow('FeatureExtractor: expected a Tensor, got []');
  });
});

describe('models that take no images', () => {
  class Rows extends Module {
    readonly fc1 = new Linear(4, 3);
    readonly fc2 = new Linear(3, 2);
    forward(row: Value): Value {
      return mean(this.fc2.call(relu(this.fc1.call(row))), [0, 1]);
    }
  }

  it('have reports, too', () => {
    const features = createFeatureExtractor(new Rows(), { returnNodes: ['relu', 'mean'] });
    const shared = { reduction: 1, deviates: false };
    expect(features.featureInfo([5, 4])).toEqual([
      { name: 'relu', module: 'relu', shape: [5, 3], channels: 3, macs: 60, bytes: 60, ...shared },
      { name: 'mean', module: 'mean', shape: [], channels: 1, macs: 90, bytes: 4, ...shared },
    ]);
    expect(new IntermediateLayerGetter(new Rows(), { fc2: 'y' }).deviations([5, 4])).toEqual([
      { name: 'y', module: 'fc2', reason: "has another value in the model's forward" },
    ]);
  });

  it('are traced with what their first layer takes', () => {
    const shapeOf = (first: AnyModule) => {
      const shapes: unknown[] = [];
      first.registerForwardHook((_, [input]) => {
        shapes.push((input as Value).shape);
      });
      createFeatureExtractor(new Sequential(new Identity(), first), { returnNodes: ['x'] });
      return shapes[0];
    };
    expect(shapeOf(new Conv1d(3, 4, 3))).toEqual([1, 3, 224]);
    expect(shapeOf(new Conv2d(6, 6, 3, { groups: 3 }))).toEqual([1, 6, 224, 224]);
    expect(shapeOf(new ConvTranspose2d(3, 5, 3))).toEqual([1, 3, 224, 224]);
    expect(shapeOf(new Linear(7, 1))).toEqual([1, 7]);
  });
});

describe('a model that changes', () => {
  const one = (value: number) => tensor([value], [1, 1, 1, 1]);

  class Deep extends Module {
    depth = 1;
    readonly blocks = new ModuleList([new Conv2d(1, 1, 1, { bias: false }), new Conv2d(1, 1, 1, { bias: false })]);

    forward(x: Value): Value {
      let y = x;
      for (let i = 0; i < this.depth; i++) y = (this.blocks.at(i) as Conv2d).call(y);
      return y;
    }
  }

  it('has features that need other layers: their weights are asked for, and loaded', () => {
    const net = new Deep();
    net.loadStateDict({ 'blocks.0.weight': one(2), 'blocks.1.weight': one(3) });
    const extractor = createFeatureExtractor(net, { returnNodes: ['blocks'] });
    expect([...extractor.call(one(1)).get('blocks')!.data]).toEqual([2]);
    net.depth = 2;
    expect([...extractor.stateShapes().keys()]).toEqual(['blocks.0.weight', 'blocks.1.weight']);
    extractor.loadStateDict({ 'blocks.0.weight': one(5), 'blocks.1.weight': one(7) });
    expect([...extractor.call(one(1)).get('blocks')!.data]).toEqual([35]);
    expect([...new Sequential(extractor as never).call(one(1)).get('blocks')!.data]).toEqual([35]);
  });

  it('has another last layer at a path: an input that is too small for it is refused, as by a new extractor', () => {
    const made = (...more: Module[]) => {
      const model = new Sequential([
        ['stem', new Sequential(new Conv2d(1, 1, 1, { bias: false }), ...more)],
        ['head', new Conv2d(1, 1, 9, { bias: false })],
      ]);
      return fillParameters(model);
    };
    const extractorOf = (model: Module) =>
      createFeatureExtractor(model, { returnNodes: ['stem'], inputShape: [1, 1, 64, 64] });
    const x = tensor(new Float32Array(25).fill(1), [1, 1, 5, 5]);
    for (const layer of [() => new MaxPool2d(9, { stride: 1 }), () => new ReLU()]) {
      const model = made();
      const extractor = extractorOf(model);
      extractor.call(x);
      (model.getSubmodule('stem') as Sequential).append(layer());
      const outcome = (own: typeof extractor) => {
        try {
          return [...own.call(x).get('stem')!.data];
        } catch (error) {
          return (error as Error).message;
        }
      };
      expect(outcome(extractor)).toEqual(outcome(extractorOf(made(layer()))));
    }
  });
});

describe('a call that differs from the trace', () => {
  const one = (value: number) => tensor([value], [1, 1, 1, 1]);
  const bare = () => new Conv2d(1, 1, 1, { bias: false });

  /** `d` runs where there is a second input. */
  class Gated extends Module {
    readonly c = bare();
    readonly d = bare();
    forward(x: Value, y: Value | null = null): Value {
      let s: Value = this.c.call(x);
      if (y) s = add(s, this.d.call(y));
      return relu(s);
    }
  }

  /** `deep` runs where the image is wide. */
  class Wide extends Module {
    readonly stem = bare();
    readonly deep = bare();
    forward(x: Value): Value {
      const y = relu(this.stem.call(x));
      return x.shape[3]! > 2 ? relu(this.deep.call(y)) : y;
    }
  }
  const values = (first: string, second: string, by = 1) => ({
    [`${first}.weight`]: one(by),
    [`${second}.weight`]: one(10 * by),
  });
  const row = tensor([1, 2, 3], [1, 1, 1, 3]);
  const pixel = one(1);

  it('in what its features need is refused, with the way out', async () => {
    const gated = new Gated();
    gated.loadStateDict(values('c', 'd'));
    const extractor = createFeatureExtractor(gated, { returnNodes: { relu: 'y' } });
    extractor.loadStateDict(values('c', 'd', 2));
    const message = (shapes: string, keys: string) =>
      `StateDictError: FeatureExtractor: expected features to need the state that they need for ${shapes}, got ` +
      `features that need ${keys} besides; give createFeatureExtractor the shapes of such inputs as inputShape`;
    const expected = message('an input of [1, 1, 224, 224]', '"d.weight"');
    expect(thrown(() => extractor.call(pixel, pixel))).toBe(expected);
    expect(thrown(() => extractor.featureInfo(pixel.shape, pixel.shape))).toBe(expected);
    class Outer extends Module<Map<'y', Value>> {
      readonly inner = extractor;
      forward(x: Value): Map<'y', Value> {
        return this.inner.forward(x, x);
      }
    }
    expect(thrown(() => new Outer().call(pixel))).toBe(expected);
    await expect(extractor.callAsync([pixel, pixel])).rejects.toThrow('"d.weight"');
    expect([...extractor.call(pixel).get('y')!.data]).toEqual([2]);
    // Where no feature needs the other branch, the call is right.
    const stem = createFeatureExtractor(gated, { returnNodes: ['c'] });
    expect([...stem.call(pixel, pixel).get('c')!.data]).toEqual([2]);

    const both = createFeatureExtractor(gated, {
      returnNodes: { relu: 'y' },
      inputShape: [pixel.shape, pixel.shape],
    });
    both.loadStateDict(values('c', 'd', 5));
    expect([...both.call(pixel, pixel).get('y')!.data]).toEqual([55]);
    expect([...both.call(pixel).get('y')!.data]).toEqual([5]);

    const narrow = createFeatureExtractor(new Wide(), { returnNodes: ['stem', 'relu'], inputShape: pixel.shape });
    narrow.loadStateDict({ 'stem.weight': one(3) });
    expect([...narrow.call(pixel).get('relu')!.data]).toEqual([3]);
  });

  it('in how often a name comes is refused, for the name may be of another node', () => {
    const wide = new Wide();
    wide.loadStateDict(values('stem', 'deep'));
    const message = (node: string, shape: string, [traced, got]: readonly number[]) =>
      `ValueError: FeatureExtractor: expected as many nodes named "${node}" but for their numbers as for an input of ` +
      `${shape}, ${traced}, got ${got}, of which another one may have the name; ` +
      'give createFeatureExtractor the shapes of such inputs as inputShape';
    const narrow = createFeatureExtractor(wide, { returnNodes: ['relu'], inputShape: pixel.shape });
    expect(thrown(() => narrow.call(row))).toBe(message('relu', '[1, 1, 1, 1]', [1, 2]));
    const usual = createFeatureExtractor(wide, { returnNodes: ['relu', 'deep'] });
    expect(thrown(() => usual.call(pixel))).toBe(
      'ValueError: FeatureExtractor: expected every requested node to run, got no output of "deep"',
    );
    const first = createFeatureExtractor(wide, { returnNodes: ['relu'] });
    expect(thrown(() => first.call(pixel))).toBe(message('relu', '[1, 1, 224, 224]', [2, 1]));
    // A path stands for the last node below it, and names of which there are as many stay.
    const path = createFeatureExtractor(new Sequential([['w', wide]]), { returnNodes: ['w', 'x'] });
    expect([...path.call(pixel).get('w')!.data]).toEqual([1]);
    expect([...path.call(row).get('w')!.data]).toEqual([10, 20, 30]);
  });

  it('reaches the first input and its own name whatever follows', () => {
    const gated = new Gated();
    gated.loadStateDict(values('c', 'd'));
    const extractor = createFeatureExtractor(gated, { returnNodes: ['x', 'c'] });
    expect([...extractor.call(pixel, row).get('x')!.data]).toEqual([1]);
  });
});

describe('what is done to an extractor', () => {
  const made = () => {
    const model = fillParameters(
      new Sequential([
        ['a', new Conv2d(1, 1, 1)],
        ['b', new Conv2d(1, 1, 1)],
      ]),
    );
    return { model, extractor: createFeatureExtractor(model, { returnNodes: ['a'], inputShape: [1, 1, 2, 2] }) };
  };

  it('as train and eval, reaches the whole model', () => {
    const { model, extractor } = made();
    const flags = () => [extractor, model, ...model.children()].map(({ training }) => training);
    expect(flags()).toEqual([true, true, true, true]);
    extractor.eval();
    expect(flags()).toEqual([false, false, false, false]);
    new Sequential(extractor as never).train();
    expect(flags()).toEqual([true, true, true, true]);
  });

  it('as surgery, is done to the model', () => {
    const { model, extractor } = made();
    const [a, b, c] = [new Conv2d(1, 2, 1), new Conv2d(2, 1, 1), new ReLU()];
    extractor.setSubmodule('a', a).addModule('b', b).addModule('c', c);
    expect([...model.children()]).toEqual([a, b, c]);
    expect(extractor.stateShapes().get('a.weight')).toEqual([2, 1, 1, 1]);
    expect(extractor.getSubmodule('c')).toBe(c);
  });

  it('as an assignment, is refused', () => {
    const { extractor } = made();
    (extractor as unknown as Record<string, unknown>).c2 = new ReLU();
    const message =
      'ValueError: FeatureExtractor: expected modules and parameters on the model, got "c2" on the extractor; ' +
      'addModule adds a module to the model';
    expect(thrown(() => extractor.stateShapes())).toBe(message);
    expect(thrown(() => extractor.call(tensor([1, 2, 3, 4], [1, 1, 2, 2])))).toBe(message);
  });
});

describe('bad input', () => {
  const attempt = (returnNodes: unknown, of: unknown = model) =>
    thrown(() => createFeatureExtractor(of as AnyModule, { returnNodes } as FeatureExtractorOptions<string[]>));

  it('names the nodes that are not there, and those of the deepest level that is, the nearest first', () => {
    expect(attempt(['layer1.0.conv9', 'layer1'])).toBe(
      'ValueError: createFeatureExtractor: node: "layer1.0.conv9" is not present in model; the nodes of ' +
        '"layer1.0" are ' +
        '"conv1", "conv2", "bn1", "bn2", "relu", "add", "relu_1", "downsample"',
    );
    expect(attempt(['layer4[0]', 'nope'])).toBe(
      'ValueError: createFeatureExtractor: node: "layer4[0]", "nope" is not present in model; its nodes are ' +
        '"layer4", "x", "conv1", "bn1", "relu", "layer1", "layer2", "layer3", "fc", "maxpool", "avgpool", "flatten"; ' +
        'write "layer4.0"',
    );
  });

  it('says of the empty path, which is the model itself, that a name is expected', () => {
    const pair = new Sequential(new Conv2d(3, 4, 1), new ReLU());
    expect(thrown(() => createFeatureExtractor(pair, { returnNodes: ['1', ''] }))).toBe(
      'ValueError: createFeatureExtractor: node: "" is not present in model; its nodes are "x", "0", "1"; expected the ' +
        'name of a node, got ""',
    );
  });

  it('refuses what is no list of nodes, and no model', () => {
    const expected =
      'createFeatureExtractor: expected returnNodes as an array of nodes, { node: feature }, a Map or entries';
    expect(attempt(undefined)).toBe(`ValueError: ${expected}, got undefined`);
    expect(attempt('layer1')).toBe(`ValueError: ${expected}, got "layer1"`);
    expect(attempt(['layer1', 3])).toBe(`ValueError: ${expected}, got ["layer1", 3]`);
    expect(attempt({ layer1: true })).toBe(
      `ValueError: ${expected}, with strings for layers and strings or numbers for features, got true for "layer1"`,
    );
    expect(attempt(new Map([[1, 'a']]))).toBe(
      `ValueError: ${expected}, with strings for layers and strings or numbers for features, got "a" for 1`,
    );
    expect(attempt(['layer1'], {})).toBe('ValueError: createFeatureExtractor: expected a Module, got {}');
    expect(thrown(() => getGraphNodeNames(null as never))).toBe(
      'ValueError: getGraphNodeNames: expected a Module, got null',
    );
    for (const inputShape of ['x', [1, 3, -4, 5], [1, 3, 2.5]]) {
      expect(thrown(() => createFeatureExtractor(model, { returnNodes: [], inputShape } as never))).toBe(
        'ShapeError: createFeatureExtractor: inputShape: expected an array of whole numbers >= 0, got ' +
          (typeof inputShape === 'string' ? '"x"' : `[${inputShape.join(', ')}]`),
      );
    }
    expect(thrown(() => createFeatureExtractor(model, { return_nodes: [] } as never))).toBe(
      'ValueError: createFeatureExtractor: expected options of returnNodes, inputShape, got "return_nodes"',
    );
  });

  it.each([
    ['googlenet', { auxLogits: false }, 'aux2.fc1', 'the option auxLogits decides about "aux2"'],
    ['inception_v3', { auxLogits: false }, 'AuxLogits', 'the option auxLogits decides about "AuxLogits"'],
    ['fcn_resnet50', {}, 'aux_classifier', 'the option auxLoss decides about "aux_classifier"'],
  ])('names the option that decides about a head that %s lacks', (name, options, node, hint) => {
    const model = createModel(name, options);
    expect(thrown(() => createFeatureExtractor(model, { returnNodes: [node] }))).toMatch(new RegExp(`; ${hint}$`));
    expect(thrown(() => new IntermediateLayerGetter(model, { [node]: 'x' }))).toMatch(new RegExp(`; ${hint}$`));
  });

  it('says that a head runs in train mode alone', () => {
    class Around extends Module {
      readonly net = createModel('inception_v3');
      readonly idle = new ReLU();
      forward(image: Value): Value {
        return this.net.call(image) as Value;
      }
    }
    const attempt = (model: AnyModule, ...returnNodes: readonly string[]) =>
      thrown(() => createFeatureExtractor(model, { returnNodes }));
    const reason = 'runs in train mode alone, and layertap runs all modules in eval mode';
    expect(attempt(createModel('googlenet'), 'aux1', 'aux2.fc1')).toMatch(
      new RegExp(`"inception5b"; "aux1", "aux2.fc1" ${reason}$`),
    );
    expect(attempt(new Around(), 'net.AuxLogits', 'idle')).toMatch(
      new RegExp(
        `; "net.AuxLogits" ${reason}; "idle" doesn't run in eval mode for an input of .1, 3, 224, 224.: where`,
      ),
    );
  });

  it("says when a node doesn't run for an input", () => {
    class Sized extends Module {
      readonly large = new ReLU();
      forward(image: Value): Value {
        return image.shape[2]! > 100 ? this.large.call(image) : relu(image);
      }
    }
    const features = createFeatureExtractor(new Sized(), { returnNodes: ['large'] });
    expect(thrown(() => features.forward(x))).toBe(
      'ValueError: FeatureExtractor: expected every requested node to run, got no output of "large"',
    );
  });
});
