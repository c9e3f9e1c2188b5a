/** Changing models as PyTorch's users do it: replacing, inserting, removing and slicing, and settings of all layers. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { mobilenet_v2 } from '../../src/models/mobilenetv2.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { ReLU, ReLU6 } from '../../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleDict, ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

const [a, b, c, d] = [new ReLU(), new Identity(), new ReLU6(), new ReLU()];

const entries = (container: Module<any>) => [...container.namedChildren()];

describe.each([
  ['Sequential', (...items: Module[]) => new Sequential(...items)],
  ['ModuleList', (...items: Module[]) => new ModuleList(items)],
] as const)('%s', (name, make) => {
  it('replaces items by index, from the end too', () => {
    expect([...make(a, b, c).set(1, d)]).toEqual([a, d, c]);
    expect([...make(a, b, c).set(-1, d)]).toEqual([a, b, d]);
    expect(thrown(() => make(a).set(1, d))).toBe(`KeyError: ${name}: expected an index from -1 to 0, got 1`);
    expect(thrown(() => make(a).set('0' as never, d))).toBe(
      `KeyError: ${name}: expected an index from -1 to 0, got "0"`,
    );
    expect(thrown(() => make(a).set(0.5, d))).toBe(`KeyError: ${name}: expected an index from -1 to 0, got 0.5`);
    expect(thrown(() => make(a).set(0, null as never))).toBe(
      'ValueError: null is not a Module subclass; expected an instance of one',
    );
  });

  it('inserts before an index, or at the end, and numbers anew', () => {
    expect(entries(make(a, b).insert(0, d))).toEqual([['0', d], ['1', a], ['2', b]]); // biome-ignore format: a table
    expect([...make(a, b).insert(1, d)]).toEqual([a, d, b]);
    expect([...make(a, b).insert(2, d)]).toEqual([a, b, d]);
    expect([...make(a, b).insert(-1, d)]).toEqual([a, d, b]);
    expect([...make().insert(0, d)]).toEqual([d]);
    expect(thrown(() => make(a, b).insert(3, d))).toBe(`KeyError: ${name}: expected an index from -2 to 1, got 3`);
  });

  it('removes items and numbers the others anew, as PyTorch does', () => {
    const container = make(a, b, c);
    expect(container.pop(0)).toBe(a);
    expect(entries(container)).toEqual([['0', b], ['1', c]]); // biome-ignore format: a table
    expect(container.pop()).toBe(c);
    expect([...make(a, b, c).delete(1)]).toEqual([a, c]);
    expect([...make(a, b, c).delete(-3)]).toEqual([b, c]);
    expect(thrown(() => make().pop())).toBe(`KeyError: ${name}: expected an index of 0 items, got -1`);
    expect(thrown(() => make(a).delete(1))).toBe(`KeyError: ${name}: expected an index from -1 to 0, got 1`);
  });

  it('is extended by several, or by none of them', () => {
    const container = make(a);
    expect([...container.extend([b, c])]).toEqual([a, b, c]);
    expect(thrown(() => container.extend([d, 5 as never]))).toBe(
      'ValueError: 5 is not a Module subclass; expected an instance of one',
    );
    expect(thrown(() => container.extend(5 as never))).toBe(`ValueError: ${name}: expected an array of modules, got 5`);
    expect([...container]).toEqual([a, b, c]);
    expect([...container.extend(container)]).toEqual([a, b, c, a, b, c]);
  });

  it('is sliced as an array, and the slice is another container of the same modules', () => {
    const container = make(a, b, c);
    for (const range of [[], [1], [0, 2], [-1], [0, -1], [2, 1]] as const) {
      const slice = container.slice(...range);
      expect([...slice]).toEqual([a, b, c].slice(...range));
      expect(slice.constructor).toBe(container.constructor);
    }
    container.slice(1).set(0, d);
    expect([...container]).toEqual([a, b, c]);
  });

  it('is run, listed and loaded as it is now', () => {
    const container = make(a, b);
    const net = new Sequential(container instanceof Sequential ? container : new Sequential(...container));
    const x = noise('x', [1, 2, 3, 3]);
    const before = net.call(x);
    const inner = net.at(0) as Sequential;
    inner.set(0, new Identity());
    expect(net.call(x)).toEqual(x);
    inner.insert(0, fillParameters(new Conv2d(2, 2, 1)));
    expect([...net.stateShapes().keys()]).toEqual(['0.0.weight', '0.0.bias']);
    inner.delete(0);
    expect(net.call(x)).toEqual(x);
    inner.append(new ReLU());
    expect(net.call(x)).toEqual(before);
    inner.pop();
    expect(net.call(x)).toEqual(x);
  });
});

describe('a Sequential with names', () => {
  const make = () => new Sequential([['x', a], ['y', b], ['z', c]]); // biome-ignore format: a table

  it('keeps names where an item is replaced, and in a slice, as in PyTorch', () => {
    expect(entries(make().set(1, d))).toEqual([['x', a], ['y', d], ['z', c]]); // biome-ignore format: a table
    expect(entries(make().slice(1))).toEqual([['y', b], ['z', c]]); // biome-ignore format: a table
    expect(entries(new Sequential(a, b, c).slice(1)).map(([name]) => name)).toEqual(['1', '2']);
  });

  it('numbers all that is left where one is removed, as PyTorch does', () => {
    expect(entries(make().delete(0))).toEqual([['0', b], ['1', c]]); // biome-ignore format: a table
  });

  it('refuses to insert among names, and to append to a name that is there', () => {
    expect(thrown(() => make().insert(0, d))).toBe(
      'KeyError: Sequential: expected to insert among items named by numbers, got "x", "y", "z"',
    );
    expect(thrown(() => new Sequential(a, b, c).slice(1).append(d))).toBe(
      'KeyError: Sequential: expected no item "2" among 2, got one',
    );
  });
});

describe('ModuleDict', () => {
  it('deletes an item', () => {
    expect([...new ModuleDict({ x: a, y: b }).delete('x').keys()]).toEqual(['y']);
    expect(thrown(() => new ModuleDict({ x: a }).delete('y'))).toBe(
      'KeyError: ModuleDict: expected one of "x", got "y"',
    );
  });
});

describe('addModule', () => {
  it('adds or replaces a child, and an item of a container, in the order of registration', () => {
    const net = new (class extends Identity {})();
    expect(net.addModule('stem', a).addModule('0', b)).toBe(net);
    expect(entries(net)).toEqual([['stem', a], ['0', b]]); // biome-ignore format: a table
    expect(net).toMatchObject({ stem: a, '0': b });
    net.addModule('stem', c);
    expect(entries(net)).toEqual([['stem', c], ['0', b]]); // biome-ignore format: a table
    net.addModule('none', null);
    net.addModule('none', d);
    expect(entries(net).at(-1)).toEqual(['none', d]);
    const named = entries(new Sequential(a).addModule('call', b));
    expect(named).toEqual([['0', a], ['call', b]]); // biome-ignore format: a table
    expect([...new ModuleDict().addModule('x', a).keys()]).toEqual(['x']);
  });

  it("refuses names and modules in PyTorch's words", () => {
    const net = new Conv2d(1, 1, 1);
    expect(thrown(() => net.addModule('stride', a))).toBe("KeyError: attribute 'stride' already exists");
    expect(thrown(() => net.addModule('forward', a))).toBe("KeyError: attribute 'forward' already exists");
    expect(thrown(() => net.addModule('a.b', a))).toBe('KeyError: module name can\'t contain ".", got: a.b');
    expect(thrown(() => net.addModule('', a))).toBe('KeyError: module name can\'t be empty string ""');
    expect(thrown(() => net.addModule(5 as never, a))).toBe('ValueError: module name should be a string. Got 5');
    expect(thrown(() => net.addModule('x', 'y' as never))).toBe(
      'ValueError: "y" is not a Module subclass; expected an instance of one',
    );
    expect(thrown(() => net.addModule('x', undefined as never))).toBe(
      'ValueError: undefined is not a Module subclass; expected an instance of one',
    );
  });
});

describe('setSubmodule', () => {
  it('replaces a module at a dotted path, below containers too, and where there is none yet', () => {
    const net = resnet18();
    expect(net.setSubmodule('layer1.0.bn1', a)).toBe(net);
    expect(net.getSubmodule('layer1.0.bn1')).toBe(a);
    net.setSubmodule('layer2.1', b).setSubmodule('fc', new Identity()).setSubmodule('layer1.0.downsample', c);
    expect(net.getSubmodule('layer2.1')).toBe(b);
    expect(net.getSubmodule('layer1.0.downsample')).toBe(c);
    expect(net.fc).toBeInstanceOf(Identity);
  });

  it('says which part of a path is missing, and what there is', () => {
    const net = resnet18();
    const stage = 'the children of BasicBlock are "conv1", "bn1", "relu", "conv2", "bn2"';
    expect(thrown(() => net.setSubmodule('layer1.0.conv9', a))).toBe(
      `KeyError: setSubmodule: BasicBlock has no attribute \`conv9\` (in "layer1.0.conv9"); ${stage}`,
    );
    expect(thrown(() => net.setSubmodule('layer1.7.conv1', a))).toBe(
      'KeyError: setSubmodule: Sequential has no attribute `7` (in "layer1.7.conv1"); the children of ' +
        'Sequential are "0", "1"',
    );
    expect(thrown(() => net.setSubmodule('layer1[0].conv1', a))).toMatch(/; write "layer1\.0\.conv1"$/);
    expect(thrown(() => net.setSubmodule('conv1.weight', a))).toBe(
      'KeyError: setSubmodule: `weight` is not a Module (in "conv1.weight"); the children of Conv2d are none',
    );
    expect(thrown(() => net.setSubmodule('', a))).toBe(
      'KeyError: setSubmodule: ResNet has no attribute `` (in ""); the children of ResNet are ' +
        '"conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"',
    );
    expect(thrown(() => net.setSubmodule(5 as never, a))).toBe('KeyError: setSubmodule: expected a dotted path, got 5');
    expect(thrown(() => net.setSubmodule('fc', 5 as never))).toBe(
      'ValueError: 5 is not a Module subclass; expected an instance of one',
    );
  });
});

describe("surgery on torchvision's networks", () => {
  it('a first convolution of one channel', () => {
    const net = resnet18();
    net.conv1 = new Conv2d(1, 64, 7, { stride: 2, padding: 3, bias: false });
    expect([...net.namedChildren()].map(([name]) => name)[0]).toBe('conv1');
    expect([...net.stateShapes()][0]).toEqual(['conv1.weight', [64, 1, 7, 7]]);
    const features = new IntermediateLayerGetter(net, { maxpool: 'c1' }).featureInfo([1, 1, 32, 32]);
    expect(features[0]!.shape).toEqual([1, 64, 8, 8]);
  });

  it('a new head', () => {
    const net = resnet18();
    net.fc = new Linear(net.fc.inFeatures, 10);
    expect(fillParameters(net).call(noise('x', [1, 3, 32, 32])).shape).toEqual([1, 10]);
    const small = squeezenet1_1();
    small.classifier.set(1, new Conv2d(512, 7, 1));
    expect(fillParameters(small).call(noise('x', [1, 3, 33, 33])).shape).toEqual([1, 7]);
  });

  it('the first eight blocks', () => {
    const net = fillParameters(mobilenet_v2());
    const x = noise('x', [1, 3, 33, 35]);
    const getter = new IntermediateLayerGetter(net, { 'features.7': 'out' });
    const first = net.features.slice(0, 8);
    expect(first.call(x)).toEqual(getter.forward(x).get('out'));
    const keys = [...net.features.stateShapes().keys()].filter((key) => Number(key.split('.')[0]) < 8);
    expect([...first.stateShapes().keys()]).toEqual(keys);
  });

  it('FrozenBatchNorm2d everywhere in the place of batch norm, with the same weights', () => {
    const net = fillParameters(resnet18());
    const x = noise('x', [1, 3, 32, 32]);
    const before = net.call(x);
    const weights = net.stateDict();
    let count = 0;
    for (const [path, module] of net.namedModules()) {
      if (!(module instanceof BatchNorm2d)) continue;
      net.setSubmodule(path, new FrozenBatchNorm2d(module.numFeatures, { eps: module.eps }));
      count++;
    }
    expect(count).toBe(20);
    expect([...net.modules()].filter((module) => module instanceof BatchNorm2d)).toEqual([]);
    net.loadStateDict(weights);
    expect(net.call(x)).toEqual(before);
    expect([...net.stateDict().keys()]).toEqual([...weights.keys()].filter((key) => !key.endsWith('tracked')));
  });

  it("eps and TensorFlow's padding on every layer of a built MobileNetV2", () => {
    const net = fillParameters(mobilenet_v2());
    const x = noise('x', [1, 3, 32, 32]);
    const before = net.call(x);
    for (const module of net.modules()) {
      if (module instanceof BatchNorm2d) module.eps = 1e-3;
      if (!(module instanceof Conv2d) || module.kernelSize[0] !== 3) continue;
      module.padding = module.stride[0] === 2 ? { top: 0, left: 0, bottom: 1, right: 1 } : 'same';
    }
    const built = fillParameters(mobilenet_v2({ normLayer: (channels) => new BatchNorm2d(channels, { eps: 1e-3 }) }));
    built.apply((module) => {
      if (!(module instanceof Sequential)) return;
      for (const [i, item] of [...module].entries()) {
        if (!(item instanceof Conv2d) || item.kernelSize[0] !== 3 || item.stride[0] !== 2) continue;
        const { inChannels, outChannels, groups } = item;
        const padding = { top: 0, left: 0, bottom: 1, right: 1 };
        const conv = new Conv2d(inChannels, outChannels, 3, { stride: 2, groups, bias: false, padding });
        conv.weight = item.weight;
        module.set(i, conv);
      }
    });
    expect(net.call(x)).toEqual(built.call(x));
    expect(net.call(x)).not.toEqual(before);
  });
});
