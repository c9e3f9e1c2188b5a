/** A call computes with the attributes of the moment, as PyTorch does: whatever changed after an earlier call. */

import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { Graph, record } from '../../src/graph/graph.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Flatten } from '../../src/nn/flatten.ts';
import { add, div, matmul, maxPool2d, mul, relu, sub } from '../../src/nn/functional.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../../src/nn/pooling.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import { linear } from '../../src/ops/linear.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

const x = noise('x', [1, 4, 9, 11]);
const other = noise('other', [2, 4, 12, 7]);

/** A layer, what is set on it, and a layer that was made so. */
type Change = [name: string, layer: () => Module, change: (layer: any) => void, expected: () => Module];

const changes: Change[] = [
  [
    'Conv2d stride',
    () => new Conv2d(4, 4, 3),
    (l) => (l.stride = [2, 1]),
    () => new Conv2d(4, 4, 3, { stride: [2, 1] }),
  ],
  [
    'Conv2d stride, a number',
    () => new Conv2d(4, 4, 3),
    (l) => (l.stride = 2),
    () => new Conv2d(4, 4, 3, { stride: 2 }),
  ],
  [
    'Conv2d stride, in place',
    () => new Conv2d(4, 4, 3),
    (l) => (l.stride[1] = 2),
    () => new Conv2d(4, 4, 3, { stride: [1, 2] }),
  ],
  [
    'Conv2d padding',
    () => new Conv2d(4, 4, 3),
    (l) => (l.padding = [1, 2]),
    () => new Conv2d(4, 4, 3, { padding: [1, 2] }),
  ],
  [
    'Conv2d padding, same',
    () => new Conv2d(4, 4, 3),
    (l) => (l.padding = 'same'),
    () => new Conv2d(4, 4, 3, { padding: 1 }),
  ],
  [
    'Conv2d padding, a side in place',
    () => new Conv2d(4, 4, 3, { padding: { top: 0, left: 0, bottom: 1, right: 1 } }),
    (l) => (l.padding.top = 1),
    () => new Conv2d(4, 4, 3, { padding: { top: 1, left: 0, bottom: 1, right: 1 } }),
  ],
  ['Conv2d dilation', () => new Conv2d(4, 4, 3), (l) => (l.dilation = 2), () => new Conv2d(4, 4, 3, { dilation: 2 })],
  ['Conv2d bias', () => new Conv2d(4, 4, 3), (l) => (l.bias = null), () => new Conv2d(4, 4, 3, { bias: false })],
  ['BatchNorm2d eps', () => new BatchNorm2d(4), (l) => (l.eps = 0.5), () => new BatchNorm2d(4, { eps: 0.5 })],
  [
    'FrozenBatchNorm2d eps',
    () => new FrozenBatchNorm2d(4),
    (l) => (l.eps = 0.5),
    () => new FrozenBatchNorm2d(4, { eps: 0.5 }),
  ],
  ['MaxPool2d kernelSize', () => new MaxPool2d(2), (l) => (l.kernelSize = 3), () => new MaxPool2d(3, { stride: 2 })],
  ['MaxPool2d stride', () => new MaxPool2d(2), (l) => (l.stride = 1), () => new MaxPool2d(2, { stride: 1 })],
  [
    'MaxPool2d stride, in place',
    () => new MaxPool2d(2, { stride: [2, 2] }),
    (l) => (l.stride[0] = 1),
    () => new MaxPool2d(2, { stride: [1, 2] }),
  ],
  ['MaxPool2d padding', () => new MaxPool2d(2), (l) => (l.padding = 1), () => new MaxPool2d(2, { padding: 1 })],
  ['MaxPool2d dilation', () => new MaxPool2d(2), (l) => (l.dilation = 2), () => new MaxPool2d(2, { dilation: 2 })],
  [
    'MaxPool2d ceilMode',
    () => new MaxPool2d(2),
    (l) => (l.ceilMode = true),
    () => new MaxPool2d(2, { ceilMode: true }),
  ],
  ['AvgPool2d stride', () => new AvgPool2d(2), (l) => (l.stride = 1), () => new AvgPool2d(2, { stride: 1 })],
  ['AvgPool2d padding', () => new AvgPool2d(2), (l) => (l.padding = 1), () => new AvgPool2d(2, { padding: 1 })],
  [
    'AvgPool2d countIncludePad',
    () => new AvgPool2d(2, { padding: 1 }),
    (l) => (l.countIncludePad = false),
    () => new AvgPool2d(2, { padding: 1, countIncludePad: false }),
  ],
  [
    'AvgPool2d divisorOverride',
    () => new AvgPool2d(2),
    (l) => (l.divisorOverride = 3),
    () => new AvgPool2d(2, { divisorOverride: 3 }),
  ],
  [
    'AdaptiveAvgPool2d outputSize',
    () => new AdaptiveAvgPool2d(1),
    (l) => (l.outputSize = [null, 2]),
    () => new AdaptiveAvgPool2d([null, 2]),
  ],
  [
    'AdaptiveAvgPool2d outputSize, in place',
    () => new AdaptiveAvgPool2d([1, 1]),
    (l) => (l.outputSize[1] = 2),
    () => new AdaptiveAvgPool2d([1, 2]),
  ],
  [
    'Upsample scaleFactor',
    () => new Upsample({ scaleFactor: 2 }),
    (l) => (l.scaleFactor = [1, 3]),
    () => new Upsample({ scaleFactor: [1, 3] }),
  ],
  ['Upsample size', () => new Upsample({ size: 5 }), (l) => (l.size = 6), () => new Upsample({ size: 6 })],
  [
    'Upsample mode',
    () => new Upsample({ size: 5 }),
    (l) => (l.mode = 'bilinear'),
    () => new Upsample({ size: 5, mode: 'bilinear' }),
  ],
  [
    'Upsample alignCorners',
    () => new Upsample({ size: 5, mode: 'bilinear' }),
    (l) => (l.alignCorners = true),
    () => new Upsample({ size: 5, mode: 'bilinear', alignCorners: true }),
  ],
];

describe.each(changes)('%s', (_name, make, change, makeExpected) => {
  const expected = fillParameters(new Sequential(makeExpected()));

  it('counts from the next call on, for shapes seen before and new ones', () => {
    const net = fillParameters(new Sequential(make()));
    const before = net.call(x);
    net.call(x);
    change(net.at(0));
    expect(net.call(x)).toEqual(expected.call(x));
    expect(net.call(x)).not.toEqual(before);
    expect(net.call(other)).toEqual(expected.call(other));
  });

  it('counts in a getter, and featureInfo says the same', () => {
    const net = fillParameters(new Sequential(make()));
    const getter = new IntermediateLayerGetter(net, { '0': 'out' });
    getter.forward(x);
    change(net.at(0));
    const feature = getter.forward(x).get('out')!;
    expect(feature).toEqual(expected.call(x));
    expect(getter.featureInfo(x.shape).map(({ shape }) => shape)).toEqual([feature.shape]);
  });

  it('prints as it computes', () => {
    const layer = make();
    change(layer);
    if (_name !== 'MaxPool2d kernelSize')
      expect(String(layer).replace('padding=same', 'padding=(1, 1)')).toBe(String(makeExpected()));
  });
});

describe('tensors as constants', () => {
  class Shifted extends Module {
    shift = tensor([1, 2, 3], [3, 1, 1]);
    readonly rows = tensor([1, 0, 0, 1], [2, 2]);
    forward(image: Value): Value {
      const y = sub(mul(add(image, this.shift), this.shift), this.shift);
      return matmul(div(y, tensor([2], [1])), this.rows);
    }
  }

  it('are computed with, held by no state dict, and followed where they are replaced', () => {
    const module = new Shifted();
    const image = tensor([1, 2, 3, 4, 5, 6], [1, 3, 1, 2]);
    const expected = (shift: readonly number[]) =>
      image.data.map((v, i) => ((v + shift[i >> 1]!) * shift[i >> 1]! - shift[i >> 1]!) / 2);
    expect(module.call(image).data).toEqual(expected([1, 2, 3]));
    expect(module.stateShapes().size).toBe(0);
    module.shift = tensor([5, 6, 7], [3, 1, 1]);
    expect(module.call(image).data).toEqual(expected([5, 6, 7]));
  });

  it('are the same in two traces, so that a getter finds nothing else', () => {
    class Same extends Module {
      readonly first = new Shifted();
      readonly act = new ReLU();
      readonly last = new ReLU();
      forward(image: Value): Value {
        return this.last.call(relu(this.first.call(image)));
      }
    }
    expect(new IntermediateLayerGetter(new Same(), { last: 'y' }).deviations([1, 3, 1, 2])).toHaveLength(0);
  });
});

describe('a wrong value that is set', () => {
  const wrong: [layer: Module, change: (layer: any) => void, message: string][] = [
    [
      new Conv2d(4, 4, 3),
      (l) => (l.stride = '2'),
      'ValueError: Conv2d: stride: expected a whole number >= 1 or a pair of them, got "2"',
    ],
    [
      new Conv2d(4, 4, 3, { padding: 'same' }),
      (l) => (l.stride = 2),
      "ValueError: padding='same' is not supported for strided convolutions",
    ],
    [new BatchNorm2d(4), (l) => (l.eps = '1'), 'ValueError: BatchNorm2d: eps: expected a finite number, got "1"'],
    [new AvgPool2d(2), (l) => (l.ceilMode = 1), 'ValueError: avg_pool2d: ceilMode: expected true or false, got 1'],
  ];

  it.each(wrong)('is refused by the next call: %s', (layer, change, message) => {
    fillParameters(layer).call(x);
    change(layer);
    expect(thrown(() => layer.call(x))).toBe(message);
  });
});

describe("a module's own attributes", () => {
  class Own extends Module {
    flag = true;
    times = [1, 2];
    settings: any = { repeat: { n: 1 }, list: [[1]] };
    table = new Map([['n', 1]]);
    set = new Set([1]);
    numbers = Float64Array.of(1, 2);
    forwardTimes = () => 0;

    forward(v: Value): Value {
      let y = this.flag ? relu(v) : v;
      const count =
        this.times.reduce((sum, n) => sum + n, 0) +
        this.settings.repeat.n +
        this.settings.list[0][0] +
        this.table.get('n')! +
        this.set.size +
        this.numbers[1]! +
        this.forwardTimes();
      const once = y;
      for (let i = 1; i < count; i++) y = add(y, once);
      return y;
    }
  }

  const one = tensor([1, -1], [1, 2]);
  const cases: [name: string, change: (own: Own) => void, expected: number[]][] = [
    [
      'a flag',
      (own) => {
        own.flag = false;
      },
      [9, -9],
    ],
    [
      'an element',
      (own) => {
        own.times[0] = 5;
      },
      [13, 0],
    ],
    ['one element more', (own) => void own.times.push(4), [13, 0]],
    [
      'a plain object within one',
      (own) => {
        own.settings.repeat.n = 2;
      },
      [10, 0],
    ],
    [
      'an array within an array',
      (own) => {
        own.settings.list[0][0] = 3;
      },
      [11, 0],
    ],
    ['a Map', (own) => void own.table.set('n', 3), [11, 0]],
    ['a Set', (own) => void own.set.add(2), [10, 0]],
    [
      'a typed array',
      (own) => {
        own.numbers[1] = 3;
      },
      [10, 0],
    ],
    [
      'a function',
      (own) => {
        own.forwardTimes = () => 1;
      },
      [10, 0],
    ],
    [
      'forward itself',
      (own) => {
        own.forward = (v) => v;
      },
      [1, -1],
    ],
    ['a new attribute', (own) => void Object.assign(own, { forward: (v: Value) => add(v, v), extra: 1 }), [2, -2]],
  ];

  it.each(cases)('%s', (_name, change, expected) => {
    const holder = new Sequential(new Identity(), new Own());
    expect([...holder.call(one).data]).toEqual([9, 0]);
    change(holder.at(1) as Own);
    expect([...holder.call(one).data]).toEqual(expected);
  });

  it('nothing is compiled anew where nothing changed: NaN, circles and training flags included', () => {
    const own = new Own();
    own.settings.nan = Number.NaN;
    own.settings.self = own.settings;
    own.call(one);
    const { compiled } = own;
    own.eval().train();
    const { flag } = own;
    own.flag = flag;
    own.call(one);
    expect(own.compiled).toBe(compiled);
    own.settings.other = 1;
    own.call(one);
    expect(own.compiled).not.toBe(compiled);
  });

  it('contents are looked into once, however many hold them, and however deep they are', () => {
    const own = new Own();
    const last = [0];
    let shared: unknown[] = [last];
    for (let depth = 0; depth < 100; depth++) shared = Array<unknown>(30).fill(shared);
    own.settings.shared = shared;
    own.call(one);
    const { compiled } = own;
    own.call(one);
    expect(own.compiled).toBe(compiled);
    last[0] = 1;
    own.call(one);
    expect(own.compiled).not.toBe(compiled);
  });

  it("another module's changes compile nothing anew, and hide no change of one's own", () => {
    const own = new Own();
    const other = new Own();
    own.call(one);
    const { compiled } = own;
    other.flag = false;
    own.call(one);
    expect(own.compiled).toBe(compiled);
    own.times[0] = 5;
    other.times = [7];
    expect([...own.call(one).data]).toEqual([13, 0]);
  });

  it('a forward that reads `training` is traced anew once that has changed', () => {
    class Flagged extends Module {
      forward(v: Value): Value {
        return this.training ? v : relu(v);
      }
    }
    const net = new Sequential(new Flagged());
    expect([...net.call(one).data]).toEqual([1, -1]);
    net.eval();
    expect([...net.call(one).data]).toEqual([1, 0]);
    const { compiled } = net;
    net.eval();
    net.call(one);
    expect(net.compiled).toBe(compiled);
    expect([...net.train().call(one).data]).toEqual([1, -1]);
  });

  it('compile() drops what a private field decided', () => {
    class Private extends Module {
      #twice = false;
      double(): void {
        this.#twice = true;
      }
      forward(v: Value): Value {
        return this.#twice ? add(v, v) : v;
      }
    }
    const net = new Private();
    net.call(one);
    net.double();
    net.compile();
    expect([...net.call(one).data]).toEqual([2, -2]);
  });
});

describe('modules that are not registered', () => {
  class Hidden extends Module {
    blocks: Module[] = [new Conv2d(4, 4, 1), new Conv2d(4, 4, 1)];
    forward(v: Value): Value {
      return this.blocks.reduce((y, block) => block.call(y), v);
    }
  }
  const message = (got: string) =>
    `StateDictError: Hidden: expected all parameters that run to be registered, got ${got}; ` +
    'assign modules to properties, or hold them in a ModuleList';

  it('are refused where they have parameters, with the property that holds them', () => {
    expect(thrown(() => new Hidden().call(x))).toBe(message('a Conv2d in the array "blocks" of Hidden'));
    const hidden = new Hidden();
    for (const block of hidden.blocks) fillParameters(block);
    expect(thrown(() => hidden.call(x))).toBe(message('a Conv2d in the array "blocks" of Hidden'));
    const getter = new IntermediateLayerGetter(new Sequential(hidden), { '0': 'x' });
    const ofGetter = message('a Conv2d in the array "blocks" of Hidden').replace('Hidden:', 'IntermediateLayerGetter:');
    expect(thrown(() => getter.forward(x))).toBe(ofGetter);
    expect(thrown(() => getter.featureInfo(x.shape))).toBe(ofGetter);
  });

  it('in Maps, plain objects, private fields, and parameters themselves', () => {
    class InMap extends Hidden {
      map = new Map([['a', fillParameters(new Sequential(new Linear(2, 2)))]]);
      override forward(v: Value): Value {
        return this.map.get('a')!.call(v);
      }
    }
    class InObject extends Hidden {
      options = { list: [fillParameters(new Linear(2, 2))] };
      override forward(v: Value): Value {
        return this.options.list[0]!.call(v);
      }
    }
    class Private extends Hidden {
      readonly #linear = fillParameters(new Linear(2, 2));
      override forward(v: Value): Value {
        return this.#linear.call(v);
      }
    }
    class Bare extends Hidden {
      weights = [new Parameter([2, 2], { fill: 1 })];
      override forward(v: Value): Value {
        return record(linear, [v], { weight: this.weights[0]!, bias: null });
      }
    }
    const y = tensor([1, 2], [1, 2]);
    const named = (name: string, got: string) => message(got).replace('Hidden:', `${name}:`);
    expect(thrown(() => new InMap().call(y))).toBe(named('InMap', 'a Sequential in the Map "map" of InMap'));
    expect(thrown(() => new InObject().call(y))).toBe(
      named('InObject', 'a Linear in the Object "options" of InObject'),
    );
    expect(thrown(() => new Private().call(y))).toBe(named('Private', 'a Linear in no property of a module'));
    expect(thrown(() => new Bare().call(y))).toBe(
      named('Bare', 'a Parameter (float32, [2, 2]) in the array "weights" of Bare'),
    );
  });

  it('run as registered ones where they are in a ModuleList', () => {
    class Listed extends Module {
      blocks = new ModuleList([new Conv2d(4, 4, 1), new Conv2d(4, 4, 1)]);
      forward(v: Value): Value {
        return [...this.blocks].reduce((y, block) => block.call(y), v);
      }
    }
    const net = fillParameters(new Listed());
    expect(net.call(x)).toEqual(net.blocks.at(1).call(net.blocks.at(0).call(x)));
  });

  it('may run where they have no parameters, and their changes count too', () => {
    class Pooled extends Module {
      readonly #pool = new MaxPool2d(2);
      readonly pools = [new MaxPool2d(1)];
      get pool(): MaxPool2d {
        return this.#pool;
      }
      forward(v: Value): Value {
        return new ReLU().call(this.#pool.call(this.pools[0]!.call(v)));
      }
    }
    const reference = (kernel: number, stride: number) =>
      new Sequential(new MaxPool2d(kernel, { stride }), new ReLU()).call(x);
    const net = new Pooled();
    expect(net.call(x)).toEqual(reference(2, 2));
    const { compiled } = net;
    expect(net.call(x)).toEqual(reference(2, 2));
    expect(net.compiled).toBe(compiled);
    net.pool.stride = 1;
    expect(net.call(x)).toEqual(reference(2, 1));
    net.pools[0]!.kernelSize = 2;
    net.pools[0]!.stride = 1;
    expect(net.call(x)).toEqual(reference(3, 1));
    const outer = new Sequential(new Flatten());
    outer.registerForwardHook((_m, _i, y) => y);
    expect(outer.call(x).shape).toEqual([1, 396]);
  });
});

it('what is traced by hand takes the attributes of that moment', () => {
  const pool = new MaxPool2d(2);
  const shape = () => pool.call(new Graph([[1, 1, 8, 8]]).inputs[0]!).shape;
  expect(shape()).toEqual([1, 1, 4, 4]);
  pool.stride = 1;
  expect(shape()).toEqual([1, 1, 7, 7]);
  const [value] = new Graph([[1, 1, 8, 8]]).inputs as [Value];
  expect(mul(maxPool2d(value, 2), maxPool2d(value, 2)).shape).toEqual([1, 1, 4, 4]);
});
