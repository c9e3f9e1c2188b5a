/**
 * One test for each row I1 to I22 of torchvision's contract, the models that the getter is right for, and what it adds.
 */

import { describe, expect, it, vi } from 'vitest';
import { ValueError } from '../../src/errors.ts';
import {
  type FeatureName,
  IntermediateLayerGetter,
  type ReturnLayers,
} from '../../src/features/intermediate-layer-getter.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { prune } from '../../src/graph/passes/prune.ts';
import { mobilenet_v2 } from '../../src/models/mobilenetv2.ts';
import { mobilenet_v3_small } from '../../src/models/mobilenetv3.ts';
import { BasicBlock, Bottleneck, ResNet, resnet18, resnet50 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleDict, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, maxPool2d, relu } from '../../src/nn/functional.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { numel } from '../../src/tensor/shape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { ChildrenOf, noise, smallest, TinyResNet } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';

const CHILDREN = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4', 'avgpool', 'fc'];
const THERE_IS = CHILDREN.map((name) => `"${name}"`).join(', ');

const model = fillParameters(new TinyResNet());
const x = noise('input', [2, 3, 33, 47]);
const own = new ChildrenOf(model).call(x);

function getter(layers: ConstructorParameters<typeof IntermediateLayerGetter>[1]): IntermediateLayerGetter {
  return new IntermediateLayerGetter(model, layers);
}

describe("torchvision's contract: construction", () => {
  it('I1: is a ModuleDict of the kept children', () => {
    const features = getter({ relu: 'c1', bn1: 'norm' });
    expect(features).toBeInstanceOf(ModuleDict);
    expect(features.size).toBe(3);
    expect(features.has('bn1')).toBe(true);
    expect(features.has('maxpool')).toBe(false);
    expect([...features]).toEqual(['conv1', 'bn1', 'relu']);
    expect([...features.keys()]).toEqual(['conv1', 'bn1', 'relu']);
    expect([...features.values()]).toEqual([model.conv1, model.bn1, model.relu]);
    expect([...features.items()].map(([name]) => name)).toEqual(['conv1', 'bn1', 'relu']);
    expect(features.get('relu')).toBe(model.relu);
    expect(features.pop('relu')).toBe(model.relu);
    expect([...features]).toEqual(['conv1', 'bn1']);
    expect([...features.forward(x).keys()]).toEqual(['norm']);
    features.set('relu', new Identity());
    expect(features.forward(x).get('c1')).toEqual(features.forward(x).get('norm'));
    features.clear();
    expect(features.size).toBe(0);
  });

  it("I2: a name that isn't there is refused in torchvision's words, with what is missing and what there is", () => {
    const attempt = () => getter({ layer9: 'a', layer2: 'b', 'layer1.7': 'c', '': 'd' });
    expect(attempt).toThrow(ValueError);
    expect(thrown(attempt)).toBe(
      'ValueError: return_layers are not present in model: "layer9", "layer1.7", ""; its children are ' +
        `${THERE_IS}; the children of "layer1" are "0", "1"`,
    );
    expect(thrown(() => getter({ 'layer4[0]': 'a', 'layer4[7]': 'b' }))).toBe(
      'ValueError: return_layers are not present in model: "layer4[0]", "layer4[7]"; its children are ' +
        `${THERE_IS}; write "layer4.0"`,
    );
    expect(thrown(() => getter({ 'layer1.0.conv9': 'a', 'layer1.0.relu9.x': 'b' }))).toBe(
      'ValueError: return_layers are not present in model: "layer1.0.conv9", "layer1.0.relu9.x"; ' +
        'the children of "layer1.0" are "conv1", "bn1", "relu", "conv2", "bn2", "downsample"',
    );
    expect(thrown(() => new IntermediateLayerGetter(new ReLU(), { a: 'a' }))).toBe(
      'ValueError: return_layers are not present in model: "a"; its children are none',
    );
  });

  it('I3: keeps children in their order up to the last requested one, and none of the later ones', () => {
    const features = getter({ layer2: 'b', conv1: 'a' });
    expect([...features]).toEqual(CHILDREN.slice(0, 6));
    const later = [...features.stateShapes().keys()].filter((key) => /^(layer[34]|fc)/.test(key));
    expect(later).toEqual([]);
    const parameters = (layers: Record<string, string>) =>
      [...new IntermediateLayerGetter(resnet50(), layers).parameters()].reduce((sum, p) => sum + p.numel(), 0);
    expect(parameters({ layer4: 'out' })).toBe(23_508_032);
    expect(parameters({ layer2: 'out' })).toBe(1_444_928);
  });

  it("I4: shares the model's modules and leaves the model as it was", () => {
    const before = String(model);
    const features = getter({ layer1: 'x' });
    features.pop('conv1');
    expect(features.get('layer1')).toBe(model.layer1);
    expect(String(model)).toBe(before);
  });

  it('I5, differs: returnLayers is copied, so changing it later changes nothing', () => {
    const layers = new Map([['layer1', 'a']]);
    const features = getter(layers);
    layers.set('conv1', 'b');
    layers.delete('layer1');
    expect(features.returnLayers).toEqual(new Map([['layer1', 'a']]));
    expect([...features.forward(x).keys()]).toEqual(['a']);
  });

  it('I6: without any request the first child is kept and nothing returned', () => {
    const features = getter({});
    expect([...features]).toEqual(['conv1']);
    expect(features.forward(x)).toEqual(new Map());
    expect(features.call(x)).toEqual(new Map());
    expect(features.featureInfo([1, 3, 32, 32])).toEqual([]);
  });

  it('I7: numbers stay numbers as names of features; a number as a layer is refused', () => {
    const features = getter({ layer1: 0, layer2: 1 });
    expect([...features.forward(x).keys()]).toEqual([0, 1]);
    expect([...features.forward(x, { only: [1] }).keys()]).toEqual([1]);
    expect(thrown(() => getter(new Map([[1, 'a']]) as never))).toBe(
      'ValueError: IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries, ' +
        'with strings for layers and strings or numbers for features, got "a" for 1',
    );
  });

  it("I8: of two layers with one name the last executed wins, in the first one's place", () => {
    const features = getter({ layer2: 'a', layer3: 'a', layer1: 'b', layer4: 'c' }).forward(x);
    expect([...features.keys()]).toEqual(['b', 'a', 'c']);
    expect(features.get('a')).toEqual(own.get('layer3'));
    const first = getter({ layer4: 'a', layer2: 'a', layer3: 'b' });
    expect([...first.forward(x).keys()]).toEqual(['a', 'b']);
    expect(first.featureInfo(x.shape).map(({ module }) => module)).toEqual(['layer4', 'layer3']);
  });

  it('I9: a child under two names is there under the first only', () => {
    const twice = new ReLU();
    const sequence = new Sequential([
      ['a', twice],
      ['b', twice],
      ['c', new Identity()],
    ]);
    expect(thrown(() => new IntermediateLayerGetter(sequence, { b: 'x' }))).toBe(
      'ValueError: return_layers are not present in model: "b"; its children are "a", "c"',
    );
    expect([...new IntermediateLayerGetter(sequence, { c: 'x' })]).toEqual(['a', 'c']);
  });

  it('I10: a child that is null is skipped, and asking for it refused', () => {
    const dict = new ModuleDict({ a: new Identity(), b: null, c: new ReLU() });
    expect([...new IntermediateLayerGetter(dict, { c: 'x' })]).toEqual(['a', 'c']);
    expect(thrown(() => new IntermediateLayerGetter(dict, { b: 'x' }))).toBe(
      'ValueError: return_layers are not present in model: "b"; its children are "a", "c"',
    );
  });

  it('I11, differs: no name of a child clashes with a method or property', () => {
    const names = [
      'items',
      'keys',
      'values',
      'pop',
      'get',
      'type',
      'to',
      'training',
      'forward',
      'call',
      'returnLayers',
    ];
    const features = new IntermediateLayerGetter(new Sequential(names.map((name) => [name, new Identity()] as const)), {
      items: 'first',
      returnLayers: 'last',
    });
    expect([...features]).toEqual(names);
    const image = noise('x', [1, 2, 3, 3]);
    expect(features.forward(image)).toEqual(
      new Map([
        ['first', image],
        ['last', image],
      ]),
    );
    expect(features.getSubmodule('call')).toBeInstanceOf(Identity);
  });

  it("I12: training is true although the model's is false, and its children keep their own flag", () => {
    const evaluated = new TinyResNet().eval();
    const features = new IntermediateLayerGetter(evaluated, { relu: 'x' });
    expect(features.training).toBe(true);
    expect([...features.values()].map((child) => child!.training)).toEqual([false, false, false]);
    features.train();
    expect(evaluated.conv1.training).toBe(true);
    expect(evaluated.training).toBe(false);
    expect(features.eval().training).toBe(false);
  });

  it('I13: prints its name and the kept children', () => {
    expect(String(new IntermediateLayerGetter(resnet18(), { relu: 'x' }))).toBe(
      [
        'IntermediateLayerGetter(',
        '  (conv1): Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)',
        '  (bn1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
        '  (relu): ReLU(inplace=True)',
        ')',
      ].join('\n'),
    );
  });
});

describe("torchvision's contract: forward", () => {
  it("I14: runs every kept child in order whatever the model's own forward does", () => {
    class Backwards extends Module {
      readonly a = new Conv2d(2, 3, 1);
      readonly b = new Conv2d(3, 4, 1);
      forward(): Value {
        throw new Error('the model itself is not run');
      }
    }
    const backwards = fillParameters(new Backwards());
    const image = noise('x', [1, 2, 3, 3]);
    const features = new IntermediateLayerGetter(backwards, { b: 'y' }).forward(image);
    expect(features.get('y')).toEqual(backwards.b.call(backwards.a.call(image) as Tensor));
  });

  it("I14: functional steps are lost, so asking for ResNet's fc fails", () => {
    const network = new ResNet(BasicBlock, [1, 1, 1, 1]);
    const features = new IntermediateLayerGetter(network, { fc: 'logits' });
    expect(thrown(() => features.featureInfo([1, 3, 32, 32]))).toBe(
      'ShapeError: IntermediateLayerGetter: fc: ' +
        'linear: mat1 and mat2 shapes cannot be multiplied (512x1 and 512x1000): expected x of ' +
        'shape […, 512], ' +
        'got [1, 512, 1, 1]; is a flatten missing before it?',
    );
  });

  it('I15: the result is a Map in order of execution, whatever the request was and its order', () => {
    const expected = new Map([
      ['aux', own.get('layer3')],
      ['out', own.get('layer4')],
    ]);
    const entries = [
      ['layer4', 'out'],
      ['layer3', 'aux'],
    ] as const;
    for (const layers of [Object.fromEntries(entries), entries, new Map(entries)]) {
      const features = getter(layers).forward(x);
      expect(features).toBeInstanceOf(Map);
      expect([...features.keys()]).toEqual(['aux', 'out']);
      expect(features).toEqual(expected);
    }
    expect(getter(new Map(entries)).call(x)).toEqual(expected);
  });

  it('I16: what a child returns is passed on as it is, and returned as it is', () => {
    class Both extends Module<Value[]> {
      forward(image: Value): Value[] {
        return [image, relu(image)];
      }
    }
    class Named extends Module<Map<string, Value>> {
      forward([a, b]: Value[]): Map<string, Value> {
        return new Map([
          ['sum', add(a!, b!)],
          ['first', a!],
        ]);
      }
    }
    class Pick extends Module {
      forward(values: Map<string, Value>): Value {
        return values.get('sum')!;
      }
    }
    const sequence = new Sequential([
      ['both', new Both()],
      ['named', new Named()],
      ['pick', new Pick()],
    ]);
    const image = noise('x', [1, 2, 3, 3]);
    const rectified = new ReLU().call(image);
    const layers = { both: 'array', named: 'map', pick: 'value' };
    const features: Map<FeatureName, unknown> = new IntermediateLayerGetter(sequence, layers).forward(image);
    expect([...features.keys()]).toEqual(['array', 'map', 'value']);
    expect(features.get('array')).toEqual([image, rectified]);
    const sum = features.get('value') as Tensor<Float32Array>;
    expect([...sum.data]).toEqual([...image.data].map((v, i) => Math.fround(v + rectified.data[i]!)));
    expect(features.get('map')).toEqual(
      new Map([
        ['sum', sum],
        ['first', image],
      ]),
    );
    expect([...new IntermediateLayerGetter(sequence, { named: 'map' }).forward(image).keys()]).toEqual(['map']);
  });

  it("I17, differs: a feature is its layer's own output, not overwritten by a later in-place layer", () => {
    const alone = getter({ bn1: 'norm' }).forward(x).get('norm');
    const before = getter({ bn1: 'norm', relu: 'c1', layer2: 'c2' }).forward(x);
    expect(smallest(alone)).toBeLessThan(-0.5);
    expect(before.get('norm')).toEqual(alone);
    expect(smallest(before.get('c1'))).toBe(0);
    expect([...before.get('c1')!.data]).toEqual([...alone!.data].map((v) => Math.max(v, 0)));
  });

  it("I18: the model's hooks never run, those of kept children do, those of dropped ones don't", () => {
    const network = fillParameters(new TinyResNet());
    const ran: string[] = [];
    network.registerForwardHook(() => void ran.push('model'));
    network.layer1.registerForwardHook(() => void ran.push('layer1'));
    network.layer3.registerForwardHook(() => void ran.push('layer3'));
    const features = new IntermediateLayerGetter(network, { layer2: 'x' });
    features.forward(x);
    expect(ran).toEqual(['layer1']);
  });

  it("I18: what a kept child's hook returns is passed on and is the feature", () => {
    const network = fillParameters(new TinyResNet());
    const remove = network.bn1.registerForwardHook((_module, _inputs, output) => relu(output));
    const features = new IntermediateLayerGetter(network, { bn1: 'norm' });
    expect(smallest(features.forward(x).get('norm'))).toBe(0);
    remove();
    expect(smallest(features.forward(x).get('norm'))).toBeLessThan(-0.5);
  });

  it('I19, differs: no gradients and no scripting; inside another module it is traced as a part of it', () => {
    class Head extends Module {
      readonly backbone = getter({ layer2: 'c2', layer1: 'c1' });
      readonly head = fillParameters(new Conv2d(16, 4, 1));
      forward(image: Value): Value {
        const features = this.backbone.call(image);
        expect([...features.keys()]).toEqual(['c1', 'c2']);
        return this.head.call(features.get('c2'));
      }
    }
    const whole = new Head();
    expect(whole.call(x)).toEqual(whole.head.call(getter({ layer2: 'x' }).forward(x).get('x') as Tensor));
    expect(whole.backbone.compiled).toBeNull();
    expect([...whole.stateShapes().keys()][0]).toBe('backbone.conv1.weight');
  });
});

describe("torchvision's contract: state", () => {
  it("I20: keys are the model's own, without a prefix", () => {
    const keys = [...getter({ layer1: 'x' }).stateDict().keys()];
    expect(keys).toEqual([...model.stateDict().keys()].slice(0, keys.length));
    expect(keys).toHaveLength(6 + 2 * 12 + 6);
    expect(keys[0]).toBe('conv1.weight');
    expect(keys.at(-1)).toBe('layer1.1.bn2.num_batches_tracked');
  });

  it("I21, differs: the full model's dict loads strictly; without strict the rest is listed", () => {
    const features = new IntermediateLayerGetter(new TinyResNet(), { avgpool: 'out' });
    const full = model.stateDict();
    expect(features.loadStateDict(full)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(features.forward(x).get('out')).toEqual(own.get('avgpool'));
    expect(features.loadStateDict(full, { strict: false })).toEqual({
      missingKeys: [],
      unexpectedKeys: ['fc.weight', 'fc.bias'],
    });
    expect(features.forward(x).get('out')).toEqual(own.get('avgpool'));
  });

  it('I22: its version in the metadata is 2', () => {
    const { metadata } = getter({ layer1: 'x' }).stateDict();
    expect(metadata.get('')).toEqual({ version: 2 });
    expect(metadata.get('bn1')).toEqual({ version: 2 });
    expect(metadata.get('conv1')).toEqual({ version: 1 });
  });
});

describe("a whole model's weights", () => {
  const one = tensor([1], [1]);
  const whole = model.stateDict();
  const withKeys = (...keys: readonly string[]) => new Map([...whole, ...keys.map((key) => [key, one] as const)]);
  const made = (layers: ReturnLayers = { layer1: 'x' }, of: Module<any> = new TinyResNet()) =>
    new IntermediateLayerGetter(of, layers);
  const complete = { missingKeys: [], unexpectedKeys: [] };

  it('load strictly where any children are dropped', () => {
    for (const child of CHILDREN) expect(made({ [child]: 'x' }).loadStateDict(whole), child).toEqual(complete);
    expect(made({ 'layer2.0.conv1': 'x' }).loadStateDict(whole)).toEqual(complete);
  });

  it.each([
    ['of no child', 'head.weight'],
    ['that is mistyped', 'layer1.0.conv9.weight'],
    ["with a dropped child's name and nothing below it", 'fc'],
    ["that begins with a dropped child's name", 'fc2.weight'],
    ["with a dropped child's name below a kept one", 'layer1.fc.weight'],
    ['with a prefix', 'module.fc.weight'],
    ['that is empty', ''],
  ])('a key %s is an error all the same', (_, key) => {
    const message =
      'StateDictError: Error(s) in loading state_dict for IntermediateLayerGetter:\n' +
      `\tUnexpected key(s) in state_dict: "${key}". `;
    expect(thrown(() => made().loadStateDict(withKeys(key)))).toBe(message);
  });

  it('lack nothing that is kept', () => {
    const less = withKeys();
    less.delete('layer1.0.conv1.weight');
    expect(thrown(() => made().loadStateDict(less))).toBe(
      'StateDictError: Error(s) in loading state_dict for IntermediateLayerGetter:\n' +
        '\tMissing key(s) in state_dict: "layer1.0.conv1.weight". ',
    );
  });

  it('load strictly into a getter of a getter, and into one inside of another module', () => {
    expect(made({ conv1: 'x' }, made({ layer1: 'x' })).loadStateDict(whole)).toEqual(complete);
    const wrapped = new Sequential(made());
    const prefixed = [...whole].map(([key, value]) => [`0.${key}`, value] as const);
    expect(wrapped.loadStateDict(prefixed)).toEqual(complete);
    expect(thrown(() => wrapped.loadStateDict([...prefixed, ['fc.weight', one]]))).toMatch(
      'Unexpected key(s) in state_dict: "fc.weight".',
    );
  });

  it('load strictly where the model has own parameters, a child of two names, or none in the place of one', () => {
    class Odd extends Module {
      readonly first = new Conv2d(3, 4, 1);
      readonly again = this.first;
      readonly bias = new Parameter([1]);
      head: Conv2d | null = null;
      forward(value: Value): Value {
        return this.first.call(value);
      }
    }
    const odd = fillParameters(new Odd());
    const file = new Map([...odd.stateDict(), ['head.weight', one] as const]);
    expect([...file.keys()].join(' ')).toBe('bias first.weight first.bias again.weight again.bias head.weight');
    const cut = made({ first: 'x' }, new Odd());
    expect(cut.loadStateDict(file)).toEqual(complete);
    expect(thrown(() => cut.loadStateDict(new Map([...file, ['bias.weight', one]])))).toMatch(
      'Unexpected key(s) in state_dict: "bias.weight".',
    );
  });

  it("are all the getter's own again once a child of a dropped one's name is added", () => {
    const features = made();
    features.set('fc', new Linear(16, 10));
    const attempt = () => features.loadStateDict(withKeys('fc.scale'));
    expect(thrown(attempt)).toMatch('Unexpected key(s) in state_dict: "fc.scale".');
  });

  it('mistake no child that was taken away for a dropped one', () => {
    const features = made({ layer2: 'x' });
    features.delete('conv1');
    expect(thrown(() => features.loadStateDict(whole))).toMatch('Unexpected key(s) in state_dict: "conv1.weight".');
  });
});

describe('the models that it is right for', () => {
  const narrow = (layers: readonly [number, number, number, number], options: object) =>
    fillParameters(new ResNet(Bottleneck, layers, options));
  const image = noise('image', [1, 3, 35, 41]);
  const resnetChildren = CHILDREN.slice(0, -1);
  const cases: [name: string, network: () => Module<any>, valid: readonly string[]][] = [
    ['ResNet', () => fillParameters(new ResNet(BasicBlock, [1, 1, 1, 1])), resnetChildren],
    ['ResNeXt', () => narrow([1, 1, 1, 1], { groups: 32, widthPerGroup: 2 }), resnetChildren],
    ['Wide ResNet', () => narrow([1, 1, 1, 1], { widthPerGroup: 96 }), resnetChildren],
    ['SqueezeNet', () => fillParameters(squeezenet1_1()), ['features', 'classifier']],
    [
      'SqueezeNet.features',
      () => fillParameters(squeezenet1_1().features),
      Array.from({ length: 13 }, (_, i) => String(i)),
    ],
    ['MobileNetV2', () => fillParameters(mobilenet_v2()), ['features']],
    [
      'MobileNetV2.features',
      () => fillParameters(mobilenet_v2().features),
      Array.from({ length: 19 }, (_, i) => String(i)),
    ],
    ['MobileNetV3', () => fillParameters(mobilenet_v3_small()), ['features', 'avgpool']],
    [
      'MobileNetV3.features',
      () => fillParameters(mobilenet_v3_small().features),
      Array.from({ length: 13 }, (_, i) => String(i)),
    ],
  ];

  it.each(cases)(
    "%s: each valid child's feature is what the model's own forward gives, bit for bit",
    (_, make, valid) => {
      const network = make();
      const expected = new ChildrenOf(network).call(image);
      const features = new IntermediateLayerGetter(
        network,
        valid.map((name) => [name, name] as const),
      ).forward(image);
      expect([...features.keys()]).toEqual(valid);
      for (const name of valid) expect(features.get(name), name).toEqual(expected.get(name));
    },
  );

  it.each(cases.slice(0, 3))('%s: fc is not one of them', (_, make) => {
    expect(thrown(() => new IntermediateLayerGetter(make(), { fc: 'x' }).forward(image))).toContain(
      'mat1 and mat2 shapes cannot be multiplied',
    );
  });

  it.each([
    ['MobileNetV2', mobilenet_v2()],
    ['MobileNetV3', mobilenet_v3_small()],
  ] as const)('%s: classifier is not one of them', (_, network) => {
    const features = new IntermediateLayerGetter(network, { classifier: 'x' });
    expect(thrown(() => features.featureInfo(image.shape))).toContain('mat1 and mat2 shapes cannot be multiplied');
  });

  it('equals the interpreter within the error of its sums', () => {
    const features = getter(CHILDREN.slice(0, -1).map((name) => [name, name] as const));
    const graph = new Graph([x.shape]);
    const values = features.call(graph.inputs[0]) as Map<FeatureName, Value>;
    const expected = interpret(graph.program([...values.values()]), [x]);
    for (const [i, [name, { data }]] of [...features.forward(x)].entries()) {
      const scale = expected[i]!.data.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      const error = data.reduce((max, v, at) => Math.max(max, Math.abs(v - expected[i]!.data[at]!)), 0);
      expect(error / scale, String(name)).toBeLessThan(1e-5);
    }
  });
});

describe('beyond torchvision: dotted paths', () => {
  it('taps layers inside of a child', () => {
    const layers = { 'layer1.0.conv2': 'conv', 'layer3.1': 'block', layer3: 'stage', 'layer2.0.downsample.1': 'short' };
    const features = getter(layers).forward(x);
    expect([...features.keys()]).toEqual(['conv', 'short', 'block', 'stage']);
    expect(features.get('block')).toEqual(own.get('layer3'));
    expect(features.get('stage')).toEqual(own.get('layer3'));
    expect(features.get('conv')!.shape).toEqual([2, 8, 9, 12]);
    expect(features.get('short')!.shape).toEqual([2, 16, 5, 6]);
    const block = model.layer1.at(0) as BasicBlock;
    const before = block.relu.call(block.bn1.call(block.conv1.call(own.get('maxpool') as Tensor) as Tensor) as Tensor);
    expect(features.get('conv')).toEqual(block.conv2.call(before as Tensor));
  });

  it('keeps whole children, so that state-dict keys stay those of the model', () => {
    expect([...getter({ 'layer1.0': 'x' })]).toEqual(CHILDREN.slice(0, 5));
  });

  it('stops inside of the child: what follows the last tap needs no values, is not packed and not run', () => {
    const network = new TinyResNet();
    const [first, second] = [network.layer2.at(0), network.layer2.at(1)];
    for (const part of [network.conv1, network.bn1, network.layer1, first]) fillParameters(part);
    const features = new IntermediateLayerGetter(network, { 'layer2.0': 'x' });
    expect(features.forward(x).get('x')!.shape).toEqual([2, 16, 5, 6]);
    const packed = features.compiled!.constantBytes;
    expect(thrown(() => new IntermediateLayerGetter(network, { layer2: 'x' }).forward(x))).toBe(
      'StateDictError: IntermediateLayerGetter: expected values for all parameters that run, got none for ' +
        '"layer2.1.conv1.weight", "layer2.1.conv2.weight"; call loadStateDict first',
    );
    fillParameters(second);
    const whole = new IntermediateLayerGetter(network, { layer2: 'x' });
    whole.forward(x);
    expect(packed).toBeLessThan(whole.compiled!.constantBytes - 2 * 16 * 16 * 9 * 4 + 1);
  });

  it('of a module that runs several times in one forward, the first output is the feature', () => {
    const features = getter({ 'layer1.0.bn1': 'norm', 'layer1.0.relu': 'relu', 'layer1.0': 'block' }).forward(x);
    expect([...features.keys()]).toEqual(['norm', 'relu', 'block']);
    const expected = [...features.get('norm')!.data].map((value) => Math.max(value, 0));
    expect([...features.get('relu')!.data]).toEqual(expected);
  });

  it('refuses a module under its second name, as for direct children', () => {
    const shared = new ReLU();
    const network = new Sequential(new Sequential(shared), new Sequential(shared, new Identity()));
    expect(thrown(() => new IntermediateLayerGetter(network, { '1.0': 'x', '0.0': 'y' }))).toBe(
      'ValueError: return_layers are not present in model: "1.0"; the children of "1" are "0", "1"',
    );
  });

  it("says when a layer isn't run by the forward of the child that holds it", () => {
    class Unused extends Module {
      readonly used = new Identity();
      readonly unused = new Identity();
      forward(image: Value): Value {
        return this.used.call(image);
      }
    }
    const features = new IntermediateLayerGetter(new Sequential(new Unused()), { '0.used': 'a', '0.unused': 'b' });
    expect(thrown(() => features.forward(x))).toBe(
      'ValueError: IntermediateLayerGetter: expected every requested layer to run, got no output of "0.unused"',
    );
    expect([...features.forward(x, { only: ['a'] }).keys()]).toEqual(['a']);
  });
});

describe("where the model's own forward does more than run its children in a row", () => {
  const image = noise('x', [1, 3, 16, 16]);
  const layers = { relu: 'c1', fc: 'logits' };

  /** A getter, and what it warns of. */
  function warned<Name extends FeatureName>(of: Module<any>, returnLayers: ReturnLayers<Name>) {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    return { features: new IntermediateLayerGetter(of, returnLayers, { onWarning }), warnings };
  }

  /** Normalises before, pools between, adds around, and leaves a child out. */
  class Odd extends Module {
    readonly conv = fillParameters(new Conv2d(3, 4, 1));
    readonly unused = new ReLU();
    readonly next = fillParameters(new Conv2d(4, 4, 1));
    readonly last = new ReLU();
    forward(value: Value): Value {
      const y = this.conv.call(value);
      return this.last.call(add(this.next.call(y), y));
    }
  }

  it("tells the features that aren't the model's own, and why", () => {
    const { features } = warned(new Odd(), { conv: 0, unused: 1, next: 2, last: 3 });
    expect(features.deviations([1, 3, 8, 8])).toEqual([
      { name: 1, module: 'unused', reason: "isn't run by the model's forward" },
      { name: 2, module: 'next', reason: "has another value in the model's forward" },
      { name: 3, module: 'last', reason: "has another value in the model's forward" },
    ]);
    expect(features.featureInfo([1, 3, 8, 8]).map(({ deviates }) => deviates)).toEqual([false, true, true, true]);
  });

  it('says so where the children in a row do not fit each other', () => {
    const { features } = warned(new ResNet(BasicBlock, [1, 1, 1, 1]), layers);
    expect(features.deviations(image.shape)).toEqual([
      {
        name: 'logits',
        module: 'fc',
        reason:
          "can't take what runs before it: linear: mat1 and mat2 shapes cannot be multiplied (512x1 and 512x1000): " +
          'expected x of shape […, 512], got [1, 512, 1, 1]; is a flatten missing before it?',
      },
    ]);
  });

  it('warns once, at the first run', async () => {
    const { features, warnings } = warned(new Odd(), { next: 'y' });
    features.featureInfo(image.shape);
    expect(warnings).toEqual([]);
    features.forward(image);
    features.forward(noise('x', [1, 3, 8, 8]));
    await features.forwardAsync(image);
    expect(warnings).toEqual([
      'IntermediateLayerGetter: expected the values of the model\'s forward, got others for "next" ' +
        "(it has another value in the model's forward); createFeatureExtractor gives its own",
    ]);
    const nested = warned(new Odd(), { next: 'y' });
    features.call(new Graph([image.shape]).inputs[0]!);
    nested.features.call(new Graph([image.shape]).inputs[0]!);
    expect(nested.warnings).toEqual(warnings);
  });

  it('warns on the console unless told otherwise', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    new IntermediateLayerGetter(new Odd(), { next: 'y' }, { onWarning: null }).forward(image);
    new IntermediateLayerGetter(new Odd(), { conv: 'y' }).forward(image);
    expect(warn).not.toHaveBeenCalled();
    new IntermediateLayerGetter(new Odd(), { next: 'y' }).forward(image);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    expect(thrown(() => new IntermediateLayerGetter(new Odd(), {}, { onWarning: 'log' as never }))).toBe(
      'ValueError: IntermediateLayerGetter: onWarning: expected a function, got "log"',
    );
  });

  it('finds nothing where the model computes the same by other means', () => {
    class Same extends Module {
      readonly conv = fillParameters(new Conv2d(3, 4, 1));
      readonly drop = new Identity();
      readonly relu = new ReLU();
      readonly next = fillParameters(new Conv2d(4, 4, 1));
      forward(value: Value): Value {
        return this.next.call(relu(this.conv.call(value)));
      }
    }
    expect(warned(new Same(), { next: 'y' }).features.deviations(image.shape)).toEqual([]);
    expect(warned(new Same(), { relu: 'y' }).features.deviations(image.shape)).toHaveLength(1);
  });

  it('tells apart two layers of the same options, and what a failing forward did not come to', () => {
    class Twice extends Module {
      readonly a = fillParameters(new Conv2d(3, 3, 1));
      readonly b = fillParameters(new Conv2d(3, 3, 1));
      readonly c = new ReLU();
      forward(value: Value): Value {
        return this.c.call(this.a.call(this.b.call(value)));
      }
    }
    expect(warned(new Twice(), { c: 'y' }).features.deviations(image.shape)).toHaveLength(1);
    class Failing extends Twice {
      override forward(value: Value): Value {
        this.a.call(value);
        throw new Error('too small');
      }
    }
    expect(warned(new Failing(), { a: 'x', c: 'y' }).features.deviations(image.shape)).toEqual([
      { name: 'y', module: 'c', reason: "isn't run by the model's forward: too small" },
    ]);
    expect(warned(new ModuleDict({ a: new ReLU() }), { a: 'x' }).features.deviations(image.shape)).toEqual([]);
  });

  it('tells of a child that the model gives more than what ran before it', () => {
    class Up extends Module {
      forward(value: Value, skip: Value | null = null): Value {
        return skip ? add(value, skip) : value;
      }
    }
    class Skipping extends Module {
      readonly conv = fillParameters(new Conv2d(3, 4, 1));
      readonly up = new Up();
      forward(value: Value): Value {
        const y = this.conv.call(value);
        return this.up.call(y, y);
      }
    }
    const { features, warnings } = warned(new Skipping(), { up: 'y' });
    features.forward(image);
    expect(warnings).toHaveLength(1);
  });

  it('still tells after an input that the model does not take', () => {
    class Pooling extends Module {
      readonly a = fillParameters(new Conv2d(3, 4, 1));
      readonly b = fillParameters(new Conv2d(4, 4, 1));
      forward(value: Value): Value {
        return this.b.call(maxPool2d(this.a.call(value), 2));
      }
    }
    const { features, warnings } = warned(new Pooling(), { b: 'y' });
    expect(thrown(() => features.forward(noise('x', [1, 4, 16, 16])))).toContain('expected x with 3 channels');
    expect(features.deviations([1, 3, 1, 1])).toEqual([
      { name: 'y', module: 'b', reason: expect.stringMatching(/^isn't run by the model's forward: max_pool2d: /) },
    ]);
    expect(warnings).toEqual([]);
    features.forward(image);
    expect(warnings).toEqual([expect.stringContaining("it has another value in the model's forward")]);
    expect(features.deviations([1, 3, 1, 1])).toHaveLength(1);
  });

  it('runs no hooks for it, and refuses a shape that no image has', () => {
    const network = fillParameters(new TinyResNet());
    const ran: string[] = [];
    for (const [name, child] of network.namedChildren()) child.registerForwardHook(() => void ran.push(name));
    const { features } = warned(network, { bn1: 'x' });
    expect(features.deviations(image.shape)).toEqual([]);
    expect(ran).toEqual([]);
    expect(thrown(() => features.deviations([1, 3, 0, 32]))).toContain(
      'expected x of shape [N, C, …], none empty but N',
    );
  });
});

describe('beyond torchvision: featureInfo', () => {
  it("knows ResNet-50's features without weights", () => {
    const layers = { conv1: 'c', layer1: 1, layer2: 2, layer3: 'aux', layer4: 'out', 'layer2.3.conv2': 'inner' };
    const info = new IntermediateLayerGetter(resnet50(), layers).featureInfo([1, 3, 224, 224]);
    // Multiply-accumulates from torchvision, by hooks on its convolutions.
    const rows = [
      ['c', 'conv1', [1, 64, 112, 112], 64, 2, 118_013_952],
      [1, 'layer1', [1, 256, 56, 56], 256, 4, 785_956_864],
      ['inner', 'layer2.3.conv2', [1, 128, 28, 28], 128, 8, 1_813_561_344 - 28 * 28 * 128 * 512],
      [2, 'layer2', [1, 512, 28, 28], 512, 8, 1_813_561_344],
      ['aux', 'layer3', [1, 1024, 14, 14], 1024, 16, 3_277_897_728],
      ['out', 'layer4', [1, 2048, 7, 7], 2048, 32, 4_087_136_256],
    ] as const;
    expect(info).toEqual(
      rows.map(([name, module, shape, channels, reduction, macs]) => {
        return { name, module, shape, channels, reduction, macs, bytes: numel(shape) * 4, deviates: false };
      }),
    );
  });

  it('tells reductions by strides, so that they are the same for odd sizes', () => {
    const reductions = (network: Module<any>, layers: string[], size: readonly [number, number]) =>
      new IntermediateLayerGetter(
        network,
        layers.map((name) => [name, name] as const),
      )
        .featureInfo([1, 3, ...size])
        .map(({ reduction }) => reduction);
    const layers = ['conv1', 'maxpool', 'layer2', 'layer3', 'layer4'];
    expect(reductions(model, layers, [97, 131])).toEqual([2, 4, 8, 16, 32]);
    expect(reductions(squeezenet1_1(), ['features.3', 'features.12'], [224, 224])).toEqual([4, 16]);
    expect(reductions(model, ['avgpool'], [224, 224])).toEqual([224]);
    const dilated = resnet50({ replaceStrideWithDilation: [false, true, true] });
    expect(reductions(dilated, ['layer2', 'layer4'], [65, 65])).toEqual([8, 8]);
    const resized = new Sequential(new Conv2d(3, 4, 1, { stride: 8 }), new Upsample({ scaleFactor: 2 }), new ReLU());
    expect(reductions(resized, ['0', '2'], [61, 61])).toEqual([8, 4]);
  });

  it('counts the images of a batch, and grouped convolutions as they are', () => {
    const network = new ResNet(Bottleneck, [3, 4, 6, 3], { groups: 32, widthPerGroup: 4 });
    const info = new IntermediateLayerGetter(network, { layer2: 'a', layer4: 'b' }).featureInfo([2, 3, 64, 64]);
    expect(info.map(({ macs }) => macs)).toEqual([2 * 150_011_904, 2 * 345_178_112]);
  });

  it('has the shapes that a run gives', () => {
    const features = getter(CHILDREN.slice(0, -1).map((name) => [name, name] as const));
    const shapes = features.featureInfo(x.shape).map(({ name, shape }) => [name, shape]);
    expect(shapes).toEqual([...features.forward(x)].map(([name, { shape }]) => [name, shape]));
  });

  it('refuses a shape that no image has', () => {
    const features = getter({ layer1: 'x' });
    const sizes = 'an array of whole numbers >= 0';
    const axes = 'x of shape [N, C, …], none empty but N';
    for (const [shape, expected, printed] of [
      [[], axes, '[]'],
      [[1, 3, NaN, 32], sizes, '[1, 3, NaN, 32]'],
      [[1, 3, 32.5, 32], sizes, '[1, 3, 32.5, 32]'],
      [[0, 3, 0, 32], axes, '[0, 3, 0, 32]'],
      [[1, 3, -32, 32], sizes, '[1, 3, -32, 32]'],
    ] as const) {
      expect(thrown(() => features.featureInfo(shape))).toBe(
        `ShapeError: IntermediateLayerGetter: expected ${expected}, got ${printed}`,
      );
    }
  });

  it('tells of features that are Maps or arrays by their parts', () => {
    class Both extends Module<Value[]> {
      readonly conv = new Conv2d(3, 4, 1);
      forward(image: Value): Value[] {
        return [image, this.conv.call(image)];
      }
    }
    const features = new IntermediateLayerGetter(new Sequential(new Both()), { 0: 'both' });
    expect(thrown(() => features.featureInfo([1, 3, 8, 8]))).toBe(
      'ValueError: IntermediateLayerGetter: expected features that are single tensors, got [a Value, a Value] for "0"; ' +
        'name its children, or call forward',
    );
  });
});

describe('beyond torchvision: subsets', () => {
  const layers = { layer1: 'c1', layer2: 'c2', layer3: 'c3' };

  it('gives each feature the same bits as without a subset, in order of execution', () => {
    const features = getter(layers);
    const all = features.forward(x);
    expect(features.forward(x, { only: ['c2'] })).toEqual(new Map([['c2', all.get('c2')]]));
    expect([...features.forward(x, { only: ['c3', 'c1'] }).keys()]).toEqual(['c1', 'c3']);
    expect(features.forward(x, { only: [] })).toEqual(new Map());
    expect(features.forward(x)).toEqual(all);
  });

  it('stops after the last feature of the subset: nothing later is packed', () => {
    const features = getter(layers);
    features.forward(x, { only: ['c1'] });
    const small = getter({ layer1: 'c1' });
    small.forward(x);
    expect(features.compiled!.constantBytes).toBe(small.compiled!.constantBytes);
    features.forward(x);
    expect(features.compiled!.constantBytes).toBeGreaterThan(2 * small.compiled!.constantBytes);
  });

  it('works inside of another module too', () => {
    const graph = new Graph([x.shape]);
    const features = getter(layers).forward(graph.inputs[0]!, { only: ['c1'] });
    expect([...features.keys()]).toEqual(['c1']);
    expect(graph.nodes).toEqual(prune(graph.program([...features.values()])).nodes);
  });

  it('refuses a name that no feature has', () => {
    expect(thrown(() => getter(layers).forward(x, { only: ['c1', 'out', 7] }))).toBe(
      'ValueError: IntermediateLayerGetter: expected only to name features of "c1", "c2", "c3", got "out", 7',
    );
  });
});

describe('what follows the last request', () => {
  const image = noise('x', [1, 3, 8, 8]);

  it('needs no values and no memory, however large it is', () => {
    const network = new Sequential([
      ['conv', fillParameters(new Conv2d(3, 8, 3))],
      ['next', fillParameters(new Conv2d(8, 8, 3))],
      ['huge', new Linear(2 ** 20, 2 ** 20)],
    ]);
    const features = new IntermediateLayerGetter(network, { next: 'x' });
    expect(features.forward(image).get('x')!.shape).toEqual([1, 8, 4, 4]);
    expect(features.compiled!.memoryBytes).toBeLessThan(2 ** 18);
  });

  it('is not part of what is packed: as many bytes as in a model that ends there', () => {
    const parts = [fillParameters(new Conv2d(3, 8, 3)), fillParameters(new BatchNorm2d(8)), new ReLU()];
    const long = new IntermediateLayerGetter(new Sequential(...parts, fillParameters(new Conv2d(8, 64, 3))), {
      2: 'x',
    });
    const short = new Sequential(...parts);
    expect(long.forward(image).get('x')).toEqual(short.call(image));
    expect(long.compiled!.constantBytes).toBe(short.compiled!.constantBytes);
    expect(long.compiled!.memoryBytes).toBe(short.compiled!.memoryBytes);
  });

  it('is not recorded', () => {
    const graph = new Graph([[1, 3, 32, 32]]);
    const features = getter({ relu: 'x' }).call(graph.inputs[0]) as Map<FeatureName, Value>;
    expect(graph.nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'batch_norm', 'clamp']);
    expect(graph.nodes.at(-1)!.output).toBe(features.get('x'));
  });
});

describe('bad input', () => {
  it('is refused before anything runs, with what was expected and what came', () => {
    const features = getter({ layer1: 'x' });
    expect(thrown(() => features.forward(noise('x', [1, 4, 32, 32])))).toBe(
      'ShapeError: IntermediateLayerGetter: conv1: ' +
        'conv2d: expected x with 3 channels (weight [8, 3, 7, 7], groups 1), ' +
        'got 4 in x [1, 4, 32, 32]',
    );
    expect(thrown(() => features.forward(noise('x', [3, 32, 32])))).toBe(
      'ShapeError: IntermediateLayerGetter: conv1: conv2d: expected x of shape [N, C, H, W], got [3, 32, 32]',
    );
    expect(features.forward(x).get('x')).toEqual(own.get('layer1'));
  });

  it('refuses layers that are neither a Map, nor entries, nor an object', () => {
    for (const [layers, got] of [
      ['layer4', '"layer4"'],
      [['layer3', 'layer4'], '["layer3", "layer4"]'],
      [null, 'null'],
      [undefined, 'undefined'],
      [4, '4'],
    ] as const) {
      expect(thrown(() => getter(layers as never))).toBe(
        `ValueError: IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries, got ${got}`,
      );
    }
  });

  it('refuses a model that is no module', () => {
    for (const [model, got] of [
      [null, 'null'],
      [resnet18, 'a function resnet18'],
      [{}, '{}'],
    ] as const) {
      expect(thrown(() => new IntermediateLayerGetter(model as never, {}))).toBe(
        `ValueError: IntermediateLayerGetter: expected a Module, got ${got}`,
      );
    }
  });

  it('refuses an input that is neither a tensor nor a value', () => {
    expect(thrown(() => getter({ layer1: 'x' }).forward(new Float32Array(4) as never))).toBe(
      'ValueError: IntermediateLayerGetter: expected a Tensor or a Value, got a Float32Array of 4',
    );
  });
});
