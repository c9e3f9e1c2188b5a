/**
 * Features of models that don't run once, in a row, on one image: several runs in one trace, modules that run before
 * their place, other inputs, extractors of extractors. Each convolution multiplies by one number, so that values tell
 * which layers ran.
 */

import { describe, expect, it } from 'vitest';
import { ValueError } from '../../src/errors.ts';
import { createFeatureExtractor, getGraphNodeNames } from '../../src/features/feature-extractor.ts';
import { featuresOnly } from '../../src/features/features-only.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { StochasticDepth } from '../../src/models/blocks.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Dropout } from '../../src/nn/dropout.ts';
import { add, mul, relu, sub } from '../../src/nn/functional.ts';
import { Layer } from '../../src/nn/layer.ts';
import { Identity } from '../../src/nn/linear.ts';
import { type AnyModule, Module } from '../../src/nn/module.ts';
import { MaxPool2d } from '../../src/nn/pooling.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

/** Multiplies by a number, and sums up windows of `side` × `side`. */
function times(factor: number, side = 1, stride = 1): Conv2d {
  const conv = new Conv2d(1, 1, side, { bias: false, stride });
  conv.weight.tensor = tensor(new Float32Array(side ** 2).fill(factor), conv.weight.shape);
  return conv;
}

/** A square image of one value. */
function square(value: number, side = 1): Tensor {
  return tensor(new Float32Array(side ** 2).fill(value), [1, 1, side, side]);
}

/** The features' first values by name. */
function firsts(features: ReadonlyMap<string | number, unknown>): Record<string, number> {
  return Object.fromEntries(Array.from(features, ([name, feature]) => [name, (feature as Tensor).data[0] as number]));
}

/** A getter, and what it warned of. */
function watched(model: AnyModule, ...layers: readonly string[]) {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const returnLayers = new Map(layers.map((layer) => [layer, layer]));
  return { getter: new IntermediateLayerGetter(model, returnLayers, { onWarning }), warnings };
}

/** Multiplies by 2, then by 3. */
function pair(): Sequential {
  return new Sequential([
    ['a', times(2)],
    ['b', times(3)],
  ]);
}

describe('a getter', () => {
  it('tells of a child that computes something else in the forward of its model', () => {
    class Striding extends Module {
      readonly a = times(2);
      readonly pool = new MaxPool2d(1);
      forward(x: Value): Value {
        const y = this.a.call(x);
        this.pool.stride = 2;
        const pooled = this.pool.call(y);
        this.pool.stride = 1;
        return pooled;
      }
    }
    class Sized extends Module {
      readonly a = times(2);
      readonly up = new Upsample({ size: 2 });
      forward(x: Value): Value {
        this.up.size = 2 * x.shape[2]!;
        return this.up.call(this.a.call(x));
      }
    }
    for (const [model, layer] of [
      [new Striding(), 'pool'],
      [new Sized(), 'up'],
    ] as const) {
      const { getter, warnings } = watched(model, layer);
      getter.forward(square(1, 4));
      expect(warnings).toEqual([expect.stringContaining(`"${layer}" (it has another value in the model's forward)`)]);
    }
  });

  it('says why the forward of its model did not come to a layer', () => {
    class Optional extends Module {
      readonly a = times(2);
      readonly b = times(3);
      forward(x: Value, options: { readonly factor: number }): Value {
        return this.b.call(mul(this.a.call(x), options.factor));
      }
    }
    const { getter, warnings } = watched(new Optional(), 'b');
    expect(firsts(getter.forward(square(1)))).toEqual({ b: 6 });
    expect(warnings).toEqual([expect.stringMatching(/"b" \(it isn't run by the model's forward: .*factor.*\)/)]);
  });

  it('says so where a layer is run by the forward of its model alone', () => {
    class Reaching extends Module {
      readonly a = pair();
      readonly c = times(5);
      constructor() {
        super();
        this.a.forward = (x) => x;
      }
      forward(x: Value): Value {
        return this.c.call(this.a.getSubmodule('b').call(x) as Value);
      }
    }
    const reason = "isn't run by its child";
    expect(new IntermediateLayerGetter(new Reaching(), { 'a.b': 'b' }).deviations([1, 1, 1, 1])).toEqual([
      { name: 'b', module: 'a.b', reason },
    ]);
  });

  it('compares whatever a child gives to the next one, and leaves no trace of it in the model around', () => {
    class Packing extends Module<{ readonly x: Value }> {
      forward(x: Value): { readonly x: Value } {
        return { x };
      }
    }
    class Unpacking extends Layer {
      readonly c = times(2);
      forward({ x }: { readonly x: Value }): Value {
        return this.c.call(x);
      }
    }
    class Passing extends Module {
      readonly a = new Packing();
      readonly b = new Unpacking();
      readonly c = times(3);
      forward(x: Value): Value {
        return this.c.call(relu(this.b.call(this.a.call(x))));
      }
    }
    const { getter, warnings } = watched(new Passing(), 'a', 'b', 'c');
    expect(firsts(getter.forward(square(-1), { only: ['b', 'c'] }))).toEqual({ b: -2, c: -6 });
    expect(warnings).toEqual([expect.stringContaining('got others for "c" (it has another value in the model')]);

    class Around extends Module {
      readonly getter = watched(new Passing(), 'c').getter;
      forward(x: Value): Value {
        return relu(this.getter.call(x).get('c')!);
      }
    }
    const around = new Around();
    let hooks = 0;
    around.getter.getSubmodule('b').registerForwardHook(() => void hooks++);
    const names = ['x', 'getter.b', 'getter.c', 'relu'];
    // One for each trace.
    expect([getGraphNodeNames(around), getGraphNodeNames(around), hooks]).toEqual([names, names, 2]);
  });

  it("compares the names of a Map's values", () => {
    class Naming extends Module<Map<string, Value>> {
      readonly c = times(2);
      forward(x: Value, name = 'usual'): Map<string, Value> {
        return new Map([[name, this.c.call(x)]]);
      }
    }
    class Renaming extends Module<Map<string, Value>> {
      readonly a = new Naming();
      forward(x: Value): Map<string, Value> {
        return this.a.call(x, 'other');
      }
    }
    expect(new IntermediateLayerGetter(new Renaming(), { a: 'a' }).deviations([1, 1, 1, 1])).toHaveLength(1);
  });

  it('compares with a forward that ends in the error of a container', () => {
    class Ending extends Module {
      readonly a = times(2);
      readonly b = times(3);
      readonly list = new ModuleList();
      forward(x: Value): Value {
        this.b.call(relu(this.a.call(x)));
        return this.list.call(x) as never;
      }
    }
    expect(new IntermediateLayerGetter(new Ending(), { b: 'b' }).deviations([1, 1, 1, 1])).toHaveLength(1);
  });

  it('lets the forward of its model run to its end where it compares', () => {
    class Counted extends Module {
      readonly a = times(2);
      depth = 0;
      failures = 0;
      forward(x: Value): Value {
        this.depth++;
        try {
          return mul(this.a.call(x), this.depth);
        } catch (error) {
          this.failures++;
          throw error;
        } finally {
          this.depth--;
        }
      }
    }
    class Hooked extends Module {
      readonly a = times(2);
      readonly b = times(3);
      forward(x: Value): Value {
        const remove = this.a.registerForwardHook((_module, _inputs, output) => mul(output as Value, 10));
        const y = this.b.call(this.a.call(x));
        remove();
        return y;
      }
    }
    const [counted, hooked] = [new Counted(), new Hooked()];
    expect(firsts(watched(counted, 'a').getter.forward(square(1)))).toEqual({ a: 2 });
    expect([counted.depth, counted.failures]).toEqual([0, 0]);
    watched(hooked, 'b').getter.forward(square(1));
    expect(firsts(new Map([['', hooked.call(square(1))]]))).toEqual({ '': 60 });
    expect((hooked.a.call(square(1)) as Tensor).data[0]).toBe(2);
  });

  it('that takes values by name inside of a forward is compared with no model', () => {
    class Named extends Module {
      forward(named: ReadonlyMap<string, Value>): Value {
        return named.get('image')!;
      }
    }
    class Outer extends Module {
      readonly getter = new IntermediateLayerGetter(new Sequential(new Named(), times(2)), { '1': 'f' });
      forward(x: Value): Value {
        return this.getter.forward(new Map([['image', x]]) as never).get('f') as never;
      }
    }
    expect((new Outer().call(square(3)) as Tensor).data[0]).toBe(6);
  });

  it('that runs twice in one forward gives the values of each run', () => {
    class Siamese extends Module {
      readonly getter = new IntermediateLayerGetter(pair(), { b: 'f' });
      forward(x: Value, y: Value): Value {
        return sub(this.getter.call(x).get('f')!, this.getter.call(y).get('f')!);
      }
    }
    expect([...new Siamese().call(square(1), square(5)).data]).toEqual([-24]);
    class Beside extends Module {
      readonly model = pair();
      readonly getter = new IntermediateLayerGetter(this.model, { b: 'f' });
      forward(x: Value): Value {
        return sub(this.model.call(mul(x, 100)), this.getter.call(x).get('f')!);
      }
    }
    expect([...new Beside().call(square(1)).data]).toEqual([594]);
  });

  it('warns where a layer ran before its place in the row', () => {
    class Hinted extends Module {
      readonly a = times(2);
      readonly b = new Sequential(times(3));
      constructor(readonly isInner: boolean) {
        super();
      }
      forward(x: Value): Value {
        const early = this.isInner ? (this.b.at(0) as Conv2d) : this.b;
        const hint = early.call(mul(x, 10));
        return add(this.b.call(this.a.call(x)), hint);
      }
    }
    for (const [isInner, layer] of [
      [false, 'b'],
      [true, 'b.0'],
    ] as const) {
      const model = new Hinted(isInner);
      const { getter, warnings } = watched(model, layer);
      expect(firsts(getter.forward(square(1)))).toEqual({ [layer]: 6 });
      expect(warnings).toHaveLength(1);
    }
    // A layer's first run is a node of the layer's name; a path stands for the last node below it.
    const extractor = createFeatureExtractor(new Hinted(true), { returnNodes: ['b.0', 'b'] });
    expect(firsts(extractor.call(square(1)))).toEqual({ 'b.0': 30, b: 6 });
  });

  it('compares with the model at a call, not at what is tried for an error message', () => {
    class Large extends Module {
      readonly c = times(1, 3);
      forward(x: Value): Value {
        return this.c.call(x.shape[2]! > 8 ? mul(x, 100) : x);
      }
    }
    const { getter, warnings } = watched(new Large(), 'c');
    expect(thrown(() => getter.forward(square(1)))).toContain('the smallest input that works is [1, 1, 3, 3]');
    expect(firsts(getter.forward(square(1, 16)))).toEqual({ c: 9 });
    expect(warnings).toHaveLength(1);
  });

  it('warns of a model of several inputs', () => {
    class Two extends Module {
      readonly a = times(2);
      readonly b = times(3);
      forward(x: Value, y: Value): Value {
        return this.b.call(add(this.a.call(x), y));
      }
    }
    const { getter, warnings } = watched(new Two(), 'a', 'b');
    getter.forward(square(1));
    expect(warnings).toEqual([
      'IntermediateLayerGetter: expected the values of the model\'s forward, got others for "b" ' +
        "(it isn't run by the model's forward: add: expected a value, a Parameter, a Tensor or a number, got " +
        'undefined); createFeatureExtractor gives its own',
    ]);
    expect(getter.featureInfo([1, 1, 1, 1]).map(({ deviates }) => deviates)).toEqual([false, true]);
  });

  it.each([
    ['a text', 'no', '"no"'],
    ['nothing', undefined, 'undefined'],
    ['an object without a prototype', Object.create(null), '{}'],
  ])('a forward that throws %s is told by what it throws', (_name, thrown, got) => {
    class Throwing extends Module {
      readonly a = times(2);
      forward(): Value {
        throw thrown;
      }
    }
    const [deviation] = watched(new Throwing(), 'a').getter.deviations([1, 1, 1, 1]);
    expect(deviation!.reason).toBe(`isn't run by the model's forward: ${got}`);
  });

  it('warns once, and compares again after an input that the model refuses', () => {
    class Single extends Module {
      readonly a = times(2);
      readonly d = times(3);
      forward(x: Value): Value {
        if (x.shape[0]! > 1) throw new RangeError('one image');
        return this.d.call(mul(this.a.call(x), 5));
      }
    }
    const single = watched(new Single(), 'd');
    single.getter.forward(tensor([1, 1], [2, 1, 1, 1]));
    expect(single.warnings).toEqual([expect.stringContaining("it isn't run by the model's forward: one image")]);
    for (let i = 0; i < 2; i++) single.getter.forward(square(1));
    expect(single.warnings).toHaveLength(1);
    expect(single.getter.deviations([1, 1, 1, 1])).toEqual([
      { name: 'd', module: 'd', reason: "has another value in the model's forward" },
    ]);

    class Checked extends Module {
      readonly a = times(2);
      readonly d = times(3);
      forward(x: Value): Value {
        if (x.shape[2]! % 2 > 0) throw new ValueError('height must be even');
        return this.d.call(this.a.call(x));
      }
    }
    const checked = watched(new Checked(), 'd').getter;
    expect(checked.deviations([1, 1, 1, 1])).toHaveLength(1);
    expect(checked.deviations([1, 1, 2, 2])).toEqual([]);

    class Pooled extends Module {
      readonly a = times(2);
      readonly p = times(1, 9);
      readonly d = times(3);
      forward(x: Value, _options?: unknown): Value {
        return this.d.call(this.p.call(this.a.call(x)));
      }
    }
    const pooled = watched(new Pooled(), 'a', 'd');
    pooled.getter.forward(square(1), { only: ['a'] });
    expect(pooled.getter.deviations([1, 1, 16, 16])).toEqual([]);
    expect(pooled.warnings).toEqual([]);

    const models: readonly ((x: any, y?: any) => Value)[] = [
      ([x, y]) => add(x, y),
      ({ image, mask }) => add(image, mask),
      (x, y) => add(x, y),
    ];
    for (const join of models) {
      class Joined extends Module {
        readonly a = times(2);
        readonly b = times(3);
        forward(...inputs: [any, any?]): Value {
          return this.b.call(this.a.call(join(...inputs)));
        }
      }
      const { getter, warnings } = watched(new Joined(), 'b');
      expect(firsts(getter.forward(square(1)))).toEqual({ b: 6 });
      expect(warnings).toHaveLength(1);
    }
  });

  it("of an extractor takes the whole model's state", () => {
    const extractor = createFeatureExtractor(pair(), { returnNodes: ['a'] });
    const getter = new IntermediateLayerGetter(extractor, { a: 'f' });
    getter.loadStateDict({ 'a.weight': square(7), 'b.weight': square(1) });
    expect(firsts(getter.forward(square(1)))).toEqual({ f: 7 });
  });
});

describe('an extractor', () => {
  class Block extends Module {
    readonly c = times(5);
    forward(x: Value): Value {
      return relu(this.c.call(x));
    }
  }
  class Sided extends Module {
    readonly block = new Block();
    readonly a = times(2);
    forward(x: Value): Value {
      const side = this.block.call(x);
      return add(side, relu(this.a.call(x)));
    }
  }
  const sided = () => createFeatureExtractor(new Sided(), { returnNodes: ['relu'] });

  it('has the nodes that its features need, as a model of another one', () => {
    expect(getGraphNodeNames(sided())).toEqual(['x', 'a', 'relu']);
    expect(firsts(createFeatureExtractor(sided(), { returnNodes: ['relu'] }).call(square(1)))).toEqual({ relu: 2 });
    class Detector extends Module {
      readonly backbone = sided();
      readonly head = times(11);
      forward(x: Value): Value {
        return this.head.call(this.backbone.call(x).get('relu')!);
      }
    }
    expect(getGraphNodeNames(new Detector())).toEqual(['x', 'backbone.a', 'backbone.relu', 'head']);
    const outer = createFeatureExtractor(new Detector(), { returnNodes: ['backbone', 'head'] });
    expect(firsts(outer.call(square(1)))).toEqual({ backbone: 2, head: 22 });
  });

  it('is a place on the way to its modules', () => {
    const parent = new Sequential([['net', createFeatureExtractor(new Sided(), { returnNodes: ['relu'] })]] as never);
    expect([...parent.namedModules()].map(([path]) => path)).toEqual(['', 'net', 'net.a']);
    parent.setSubmodule('net.a', times(7));
    expect((parent.getSubmodule('net.a') as Conv2d).weight.values()).toEqual(new Float32Array([7]));
    expect(firsts(parent.call(square(1)) as never)).toEqual({ relu: 7 });
    // A model may change in steps between which it can't run.
    const [wide, narrow] = [new Conv2d(1, 4, 1, { bias: false }), new Conv2d(4, 1, 1, { bias: false })];
    const chain = new Sequential([['net', createFeatureExtractor(pair(), { returnNodes: ['b'] })]] as never);
    chain.setSubmodule('net.a', wide).setSubmodule('net.b', narrow);
    expect([...chain.stateShapes().values()]).toEqual([wide.weight.shape, narrow.weight.shape]);
    chain.setSubmodule('net.a', null).setSubmodule('net.a', times(2)).setSubmodule('net.b', times(3));
    expect(firsts(chain.call(square(1)) as never)).toEqual({ b: 6 });
  });

  it('names what runs in a module that is called with an object of values', () => {
    class Fuse extends Module {
      readonly c = times(5);
      forward({ high, low }: { readonly high: Value; readonly low: Value }): Value {
        return relu(add(this.c.call(high), low));
      }
    }
    class Fusing extends Module {
      readonly a = times(2);
      readonly fuse = new Fuse();
      forward(x: Value): Value {
        return relu(mul(this.fuse.call({ high: this.a.call(x), low: x }), -1));
      }
    }
    const model = new Fusing();
    expect(getGraphNodeNames(model)).toEqual(['x', 'a', 'fuse.c', 'fuse.add', 'fuse.relu', 'mul', 'relu']);
    const extractor = createFeatureExtractor(model, { returnNodes: ['fuse', 'relu'] });
    expect(firsts(extractor.call(square(1)))).toEqual({ fuse: 11, relu: 0 });
  });

  it('names what runs in a module that is called with what hides its values', () => {
    class Parts {
      constructor(
        readonly high: Value,
        readonly low: Value,
      ) {}
    }
    class Apart extends Module<Parts> {
      readonly c = times(2);
      forward(x: Value): Parts {
        return new Parts(this.c.call(x), x);
      }
    }
    class Together extends Module {
      readonly c = times(3);
      forward({ high, low }: Parts): Value {
        return relu(add(this.c.call(high), low));
      }
    }
    const model = new Sequential(new Apart(), new Together());
    expect(getGraphNodeNames(model)).toEqual(['x', '0.c', '1.c', '1.add', '1.relu']);
    expect(firsts(createFeatureExtractor(model, { returnNodes: ['1'] }).call(square(1)))).toEqual({ 1: 7 });
  });

  it('is one graph in a model around it, as in torchvision', () => {
    class Inner extends Module {
      readonly c1 = times(2);
      readonly c2 = times(3);
      readonly block = new Block();
      forward(x: Value): Value {
        return relu(add(this.block.call(this.c2.call(relu(this.c1.call(x)))), x));
      }
    }
    class Beside extends Module {
      readonly m = new Inner();
      readonly e = createFeatureExtractor(this.m, { returnNodes: ['c1', 'add', 'block'] });
      forward(x: Value): Value {
        const whole: Value = this.m.call(mul(x, 10));
        return sub(whole, this.e.call(x).get('add')!);
      }
    }
    const names = getGraphNodeNames(new Beside());
    expect(names.slice(2, 9)).toEqual(['m.c1', 'm.relu', 'm.c2', 'm.block.c', 'm.block.relu', 'm.add', 'm.relu_1']);
    expect(names.slice(9)).toEqual(['m.c1_1', 'e.relu', 'm.c2_1', 'm.block.c_1', 'e.relu_1', 'e.add', 'sub']);
    const features = createFeatureExtractor(new Beside(), { returnNodes: { 'm.relu_1': 'm', e: 'e' } });
    expect(firsts(features.call(square(1)))).toEqual({ m: 310, e: 31 });
  });

  it('tells layers that return what they get from the nodes before them, in models around it, too', () => {
    class Inner extends Module {
      readonly first = new StochasticDepth(0.5, 'row');
      readonly c = times(2);
      readonly drop = new Dropout();
      readonly idle = new Identity();
      forward(x: Value): Value {
        const dropped = this.drop.call(this.first.call(x));
        this.idle.call(this.idle.call(dropped));
        return this.drop.call(this.drop.call(this.c.call(this.first.call(x))));
      }
    }
    class Middle extends Module {
      readonly e = createFeatureExtractor(new Inner(), { returnNodes: { drop_1: 'f', drop_2: 'g' } });
      readonly last = new Identity();
      forward(x: Value): Value {
        const features = this.e.call(x);
        this.last.call(features.get('g')!);
        return relu(this.last.call(features.get('f')!));
      }
    }
    class Outer extends Module {
      readonly o = createFeatureExtractor(new Middle(), { returnNodes: ['last_1'] });
      forward(x: Value): Value {
        return mul(this.o.call(x).get('last_1')!, 10);
      }
    }
    expect(getGraphNodeNames(new Inner())).toEqual([
      ...['x', 'first', 'drop', 'idle', 'idle_1', 'first_1', 'c', 'drop_1', 'drop_2'],
    ]);
    // As torchvision prints them.
    const middle = ['x', 'e.first', 'e.c', 'e.drop', 'e.drop_1', 'last', 'last_1', 'relu'];
    expect(getGraphNodeNames(new Middle())).toEqual(middle);
    expect(getGraphNodeNames(new Outer())).toEqual(['x', 'o.e.first', 'o.e.c', 'o.e.drop', 'o.last', 'mul']);
    const returnNodes = ['e.first', 'e.drop', 'e.drop_1'];
    expect(firsts(createFeatureExtractor(new Middle(), { returnNodes }).call(square(5)))).toEqual({
      ...{ 'e.first': 5, 'e.drop': 10, 'e.drop_1': 10 },
    });
    expect(firsts(createFeatureExtractor(new Outer(), { returnNodes: ['o.e.drop', 'mul'] }).call(square(5)))).toEqual({
      ...{ 'o.e.drop': 10, mul: 100 },
    });
    const children = [...new Middle().e.namedChildren()].map(([name]) => name);
    expect(children).toEqual(['first', 'c', 'drop']);
  });

  it('keeps the children that hold what it needs, and orders modules inside of leaves with the nodes', () => {
    class Leaf extends Module {
      readonly inner = new ReLU();
      readonly pool = new MaxPool2d(2);
      override isLeaf(): boolean {
        return true;
      }
      forward(x: Value): Value {
        return relu(this.pool.call(this.inner.call(x)));
      }
    }
    class Holder extends Module {
      readonly act = new ReLU();
      readonly leaf = new Leaf();
      readonly c = times(2);
      forward(x: Value): Value {
        return this.c.call(this.act.call(this.leaf.call(this.act.call(x))));
      }
    }
    const inner = createFeatureExtractor(new Holder(), { returnNodes: ['leaf.pool'] });
    expect(String(inner)).toContain('(leaf): Leaf');
    const again = createFeatureExtractor(new Holder(), { returnNodes: ['c', 'act_1', 'leaf.pool', 'leaf.inner'] });
    expect([...again.children()].map((child) => child.constructor.name)).toEqual(['ReLU', 'Leaf', 'Conv2d']);
    const features = again.call(square(1, 2));
    expect([...features.keys()]).toEqual(['leaf.inner', 'leaf.pool', 'act_1', 'c']);
    const act = createFeatureExtractor(new Holder(), { returnNodes: ['act_1'] });
    expect([...act.children()].map((child) => child.constructor.name)).toEqual(['ReLU', 'Leaf']);
  });

  it('reports reductions where a parameter is added', () => {
    class Positional extends Module {
      readonly a = times(2, 1, 2);
      readonly pos = new Parameter([1, 1, 4, 4], { fill: 1 });
      forward(x: Value): Value {
        return add(this.pos as never, this.a.call(x)) as Value;
      }
    }
    const extractor = createFeatureExtractor(new Positional(), { returnNodes: ['add'], inputShape: [1, 1, 8, 8] });
    expect(extractor.featureInfo([1, 1, 8, 8]).map(({ reduction }) => reduction)).toEqual([2]);
    expect(firsts(extractor.call(square(1, 8)))).toEqual({ add: 3 });
  });

  it('takes children that return anything, as long as no feature is of them', () => {
    class Head extends Module<unknown> {
      readonly c = times(2);
      constructor(readonly wrap: (y: Value) => unknown) {
        super();
      }
      forward(x: Value): unknown {
        return this.wrap(this.c.call(x));
      }
    }
    class Model extends Module {
      readonly d = times(3);
      constructor(
        readonly head: Head,
        readonly unwrap: (part: any) => Value,
      ) {
        super();
      }
      forward(x: Value): Value {
        return this.d.call(this.unwrap(this.head.call(x)));
      }
    }
    const models = [
      new Model(new Head((y) => [y, null]), ([y]) => y),
      new Model(new Head((y) => ({ y, shape: y.shape })), ({ y }) => y),
      new Model(new Head((y) => new Set([y])), ([y]) => y),
    ];
    for (const model of models) {
      const extractor = createFeatureExtractor(model, { returnNodes: ['d'] });
      expect([...extractor.stateShapes().keys()]).toEqual(['d.weight', 'head.c.weight']);
      expect(firsts(extractor.call(square(1)))).toEqual({ d: 6 });
    }
  });

  it('refuses an input that is too small where what it came to is not what the trace began with', () => {
    class Wide extends Module {
      readonly stem = times(2);
      readonly deep = times(10);
      readonly head = times(1, 9);
      forward(x: Value): Value {
        const y = x.shape[3]! > 2 ? relu(this.stem.call(x)) : x;
        return this.head.call(relu(this.deep.call(y)));
      }
    }
    const extractor = createFeatureExtractor(new Wide(), { returnNodes: ['relu', 'deep'], inputShape: [1, 1, 16, 16] });
    expect(thrown(() => extractor.call(square(1)))).toContain('ShapeError: conv2d: expected an input of at least 9x9');
    // The head isn't needed, and what ran before it is the same.
    expect(firsts(extractor.call(square(1, 4)))).toEqual({ relu: 2, deep: 20 });
  });

  it('asks again what it needs where compile tells of a change, or a module of an array changes', () => {
    class Config {
      isDeep = false;
    }
    class Configured extends Module {
      readonly a = times(2);
      readonly b = times(3);
      readonly config = new Config();
      forward(x: Value): Value {
        const y = this.a.call(x);
        return relu(this.config.isDeep ? this.b.call(y) : y);
      }
    }
    const around = new Configured();
    const parent = new Sequential(createFeatureExtractor(around, { returnNodes: ['relu'] }) as never);
    expect(firsts(parent.call(square(1)) as never)).toEqual({ relu: 2 });
    around.config.isDeep = true;
    expect(firsts(parent.compile().call(square(1)) as never)).toEqual({ relu: 6 });
    const configured = new Configured();
    const extractor = createFeatureExtractor(configured, { returnNodes: ['relu'] });
    configured.config.isDeep = true;
    expect([...extractor.compile().stateShapes().keys()]).toEqual(['a.weight', 'b.weight']);
    expect(firsts(extractor.call(square(1)))).toEqual({ relu: 6 });
    // The model's compile reaches all that it is in.
    const { getter } = watched(new Sequential(configured), '0');
    expect(firsts(getter.call(square(1)) as never)).toEqual({ 0: 6 });
    configured.config.isDeep = false;
    configured.compile();
    expect(firsts(extractor.call(square(1)))).toEqual({ relu: 2 });
    expect(firsts(getter.call(square(1)) as never)).toEqual({ 0: 2 });

    class Helper extends Module<boolean> {
      isDeep = false;
      forward(_: Value): boolean {
        return this.isDeep;
      }
    }
    class Helped extends Module {
      readonly a = times(2);
      readonly b = times(3);
      readonly helpers = [new Helper()];
      forward(x: Value): Value {
        const y = this.a.call(x);
        return relu(this.helpers[0]!.call(x) ? this.b.call(y) : y);
      }
    }
    const helped = new Helped();
    const helping = createFeatureExtractor(helped, { returnNodes: ['relu'] });
    expect(firsts(helping.call(square(1)))).toEqual({ relu: 2 });
    helped.helpers[0]!.isDeep = true;
    expect(firsts(helping.call(square(1)))).toEqual({ relu: 6 });
  });

  /** `b` runs where there is a second input. */
  class Gated extends Module {
    readonly a = times(2);
    readonly b = times(3);
    forward(x: Value, y: Value | null = null): Value {
      const s = this.a.call(x);
      return y ? add(s, this.b.call(y)) : s;
    }
  }

  it('gives some features of inputs that the others do not run for, within a budget of memory, too', () => {
    const inputShape = [square(1).shape, square(1).shape];
    const extractor = createFeatureExtractor(new Gated(), { returnNodes: ['a', 'b'], inputShape });
    expect(firsts(extractor.forward(square(1), { only: ['a'] }))).toEqual({ a: 2 });
    extractor.compile({ memoryBudgetBytes: 1 << 20 });
    expect(firsts(extractor.forward(square(1), { only: ['a'] }))).toEqual({ a: 2 });
    const shallow = new IntermediateLayerGetter(new Sequential(times(2), times(1, 9)), { 0: 'a', 1: 'b' });
    shallow.compile({ memoryBudgetBytes: 1 << 20 });
    expect(firsts(shallow.forward(square(1), { only: ['a'] }))).toEqual({ a: 2 });
  });

  it('takes null and undefined for inputs that are left out', () => {
    const extractor = createFeatureExtractor(new Gated(), { returnNodes: ['a'] });
    expect(firsts(extractor.forward(square(1), null as never))).toEqual({ a: 2 });
    expect(firsts(extractor.forward(square(1), undefined as never, { only: ['a'] }))).toEqual({ a: 2 });
  });

  it('says of a layer that is there and does not run, which inputs it was traced with', () => {
    const message = (inputs: string) =>
      'ValueError: createFeatureExtractor: node: "b" is not present in model; its nodes are "x", "a"; "b" doesn\'t run ' +
      `in eval mode for ${inputs}: where it does for others, give their shapes as inputShape`;
    expect(thrown(() => createFeatureExtractor(new Gated(), { returnNodes: ['b'] }))).toBe(
      message('an input of [1, 1, 224, 224]'),
    );
  });

  it('has reports where a branch that no feature needs has modules of its own', () => {
    class Tailed extends Module {
      readonly a = times(2);
      readonly tail = [times(3)];
      forward(x: Value): Value {
        return this.tail[0]!.call(this.a.call(x));
      }
    }
    const extractor = createFeatureExtractor(new Tailed(), { returnNodes: ['a'] });
    expect(extractor.featureInfo([1, 1, 4, 4]).map(({ name }) => name)).toEqual(['a']);
    expect(firsts(extractor.call(square(1)))).toEqual({ a: 2 });
  });

  it('takes an assignment back', () => {
    const extractor = sided() as ReturnType<typeof sided> & Record<'more', unknown>;
    extractor.more = times(1);
    expect(thrown(() => extractor.stateShapes())).toContain('got "more" on the extractor');
    extractor.more = null;
    expect([...extractor.stateShapes().keys()]).toEqual(['a.weight']);
  });
});

describe('featuresOnly', () => {
  it('gives the layers themselves where their names end in numbers', () => {
    class Numbered extends Module {
      readonly conv_1 = times(2, 1, 2);
      readonly conv_2 = times(3, 1, 2);
      readonly conv_3 = times(5, 1, 2);
      forward(x: Value): Value {
        return this.conv_3.call(this.conv_2.call(this.conv_1.call(x)));
      }
    }
    const some = featuresOnly(new Numbered(), { outIndices: [0, 1] });
    expect(firsts(some.call(square(1, 16)))).toEqual({ 0: 2, 1: 6 });
    expect(some.featureInfo.reduction()).toEqual([2, 4]);
    expect(some.featureInfo.moduleName()).toEqual(['conv_1', 'conv_2']);
    expect(some.featureInfo([1, 1, 16, 16]).map(({ reduction }) => reduction)).toEqual([2, 4]);
    expect(firsts(featuresOnly(new Numbered()).call(square(1, 16)))).toEqual({ 0: 2, 1: 6, 2: 30 });
  });

  it('gives what a layer returns, whatever has its name or runs last in it', () => {
    class Named extends Module {
      readonly conv1 = times(2, 1, 2);
      readonly conv2 = times(3, 1, 2);
      readonly relu = new ReLU();
      forward(x: Value): Value {
        return this.relu.call(this.conv2.call(relu(this.conv1.call(x))));
      }
    }
    const named = featuresOnly(new Named()).call(square(1, 8));
    expect([...named.values()].map((feature) => (feature as Tensor).shape)).toEqual([
      [1, 1, 4, 4],
      [1, 1, 2, 2],
    ]);
    expect(firsts(named)).toEqual({ 0: 2, 1: 6 });

    class Aside extends Module {
      readonly c = times(2, 1, 2);
      readonly aux = new Conv2d(1, 3, 1, { stride: 2, bias: false });
      forward(x: Value): Value {
        const y = relu(this.c.call(x));
        this.aux.call(y);
        return y;
      }
    }
    const aside = featuresOnly(new Sequential([['block', new Aside()]]));
    expect(aside.featureInfo.channels()).toEqual([1]);
    expect(firsts(aside.call(square(1, 8)))).toEqual({ 0: 2 });
  });

  it('tells of the model as it is, in order of execution', () => {
    class Turned extends Module {
      readonly b = times(2, 1, 2);
      readonly a = times(3, 1, 2);
      forward(x: Value): Value {
        return this.b.call(this.a.call(x));
      }
    }
    const turned = featuresOnly(new Turned());
    expect(turned.featureInfo.moduleName()).toEqual(['a', 'b']);
    expect(turned.featureInfo.reduction()).toEqual([2, 4]);
    const model = new Sequential([
      ['a', times(1)],
      ['p', new MaxPool2d(2)],
      ['b', times(1)],
    ]);
    const net = featuresOnly(model);
    net.setSubmodule('b', new Conv2d(1, 7, 1));
    expect(net.featureInfo.channels()).toEqual([1, 7]);
    expect(net.featureInfo.channels(-1)).toBe(7);
    expect(net.featureInfo.getDicts().map(({ numChs }) => numChs)).toEqual([1, 7]);
  });

  it('traces a model with one input, as it is called', () => {
    class Optional extends Module {
      readonly conv = times(2);
      readonly pool = new MaxPool2d(2);
      readonly last = times(3);
      forward(x: Value, y?: Value): Value {
        const a = this.conv.call(x);
        return this.last.call(this.pool.call(y ? add(a, this.conv.call(y)) : a));
      }
    }
    expect(firsts(featuresOnly(new Optional()).call(square(1, 4)))).toEqual({ 0: 2, 1: 6 });
  });
});

describe('loadStateDictAsync with inputShapes', () => {
  it('refuses what is no shape', async () => {
    const file = { tensors: new Map([['0.weight', square(2)]]), async *stream() {} };
    const load = (inputShapes: unknown) =>
      new Sequential(times(1)).loadStateDictAsync(file as never, { inputShapes } as never);
    const sizes = 'Sequential: expected an array of whole numbers >= 0, got ';
    await expect(load([[[1, 1, 1, 2], 1]])).rejects.toThrow(`${sizes}1`);
    await expect(load([[1, 1, 1, 'x']])).rejects.toThrow(`${sizes}[1, 1, 1, "x"]`);
    const axes = 'Sequential: expected x of shape [N, C, …], none empty but N, got ';
    await expect(load([[1, 1, 0, 4]])).rejects.toThrow(`${axes}[1, 1, 0, 4]`);
    await expect(load([[]])).rejects.toThrow(`${axes}[]`);
  });
});
