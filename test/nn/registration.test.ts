/**
 * Members come in the order of their registration, whatever their names are, and what a module is made of may change at
 * any time.
 */

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import type { Value } from '../../src/graph/graph.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { ModuleDict, ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { Buffer, Parameter } from '../../src/tensor/parameter.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

const names = (module: Module<any>) => [...module.namedChildren()].map(([name]) => name);

/** PyTorch: `self.stem = …; setattr(self, '0', …)`. */
class Numbered extends Module {
  stem: any = new Conv2d(2, 3, 1);
  declare '0': Conv2d;
  declare '10': Module;

  constructor() {
    super();
    this['10'] = new ReLU();
    this['0'] = new Conv2d(3, 4, 1);
  }

  forward(x: Value): Value {
    return this['0'].call(this['10'].call(this.stem.call(x)));
  }
}

/** The same names as class fields, which are defined, not set. */
class Fields extends Module {
  stem = new Conv2d(2, 3, 1);
  10 = new ReLU();
  0 = new Conv2d(3, 4, 1);

  forward(x: Value): Value {
    return this[0].call(this[10].call(this.stem.call(x)));
  }
}

/** As an engine runs {@link Fields}, where no compiler made assignments of its fields. */
const Defined: typeof Fields = new Function(
  ...['Module', 'Conv2d', 'ReLU'],
  `return class Fields extends Module {
    stem = new Conv2d(2, 3, 1);
    10 = new ReLU();
    0 = new Conv2d(3, 4, 1);
    forward(x) { return this[0].call(this[10].call(this.stem.call(x))); }
  }`,
)(Module, Conv2d, ReLU);

describe.each([
  ['assigned in a constructor', () => new Numbered()],
  ['fields of a class', () => new Fields()],
  ['fields of a class that are defined', () => new Defined()],
])('members whose names are numbers, %s', (_how, make) => {
  it('are children in the order of registration', () => {
    expect(names(make())).toEqual(['stem', '10', '0']);
    expect([...make().namedModules()].map(([path]) => path)).toEqual(['', 'stem', '10', '0']);
  });

  it('have their keys and prints in that order', () => {
    const keys = ['stem.weight', 'stem.bias', '0.weight', '0.bias'];
    expect([...make().stateShapes().keys()]).toEqual(keys);
    const dict = fillParameters(make()).stateDict();
    expect([...dict.keys()]).toEqual(keys);
    expect([...dict.metadata.keys()]).toEqual(['', 'stem', '10', '0']);
    expect(String(make()).match(/\((\w+)\):/g)).toEqual(['(stem):', '(10):', '(0):']);
  });

  it('are run in that order by a getter', () => {
    const model = fillParameters(make());
    const x = noise('x', [1, 2, 3, 4]);
    const features = new IntermediateLayerGetter(model, { '0': 'out' });
    expect([...features]).toEqual(['stem', '10', '0']);
    expect(features.forward(x).get('out')).toEqual(model.call(x));
  });
});

describe('registration', () => {
  it('is at the first assignment of a module, not where a field is declared', () => {
    class Declared extends Module {
      last: Module | undefined = undefined;
      b: Buffer | null = null;
      first = new ReLU();
      constructor() {
        super();
        this.b = new Buffer([1], { fill: 0 });
        this.last = new Identity();
      }
      forward(x: Value): Value {
        return x;
      }
    }
    expect(names(new Declared())).toEqual(['first', 'last']);
    expect([...new Declared().stateShapes().keys()]).toEqual(['b']);
  });

  it('keeps the place of a member that is replaced, or null for a while; a deleted one comes last again', () => {
    const net = new Numbered();
    net.stem = new Identity();
    expect(names(net)).toEqual(['stem', '10', '0']);
    net.stem = null;
    expect(names(net)).toEqual(['10', '0']);
    expect(String(net)).toContain('(stem): None');
    net.stem = new Identity();
    expect(names(net)).toEqual(['stem', '10', '0']);
    delete net.stem;
    expect(names(net)).toEqual(['10', '0']);
    net.stem = new Identity();
    expect(names(net)).toEqual(['10', '0', 'stem']);
  });

  it("refuses what is no module in a module's place, in PyTorch's words, and keeps the module", () => {
    const net = new Numbered() as any;
    const { stem } = net;
    expect(thrown(() => (net.stem = 5))).toBe(
      "ValueError: cannot assign 5 as child module 'stem' (Module or null expected)",
    );
    const { weight } = stem;
    expect(thrown(() => (stem.weight = tensor([1], [1])))).toBe(
      "ValueError: cannot assign a Tensor (float32, [1]) as parameter 'weight' (Parameter or null expected)",
    );
    expect([net.stem, stem.weight]).toEqual([stem, weight]);
  });

  it('a bias that is taken away is away', () => {
    const linear = new Linear(1, 1);
    linear.loadStateDict({ weight: tensor([2], [1, 1]), bias: tensor([5], [1]) });
    const x = tensor([3], [1, 1]);
    expect([...linear.call(x).data]).toEqual([11]);
    linear.bias = null;
    expect([...linear.call(x).data]).toEqual([6]);
    expect([...linear.stateShapes().keys()]).toEqual(['weight']);
    linear.bias = new Parameter([1], { fill: 1 });
    expect([...linear.call(x).data]).toEqual([7]);
  });

  it('leaves accessors, private fields, symbols and methods of subclasses as they are', () => {
    const mark = Symbol('mark');
    class Fancy extends Module {
      #factor = 2;
      readonly #act = new ReLU();
      [mark] = 1;
      get factor(): number {
        return this.#factor;
      }
      set factor(factor: number) {
        this.#factor = factor;
      }
      #twice(): number {
        return 2 * this.#factor;
      }
      quadruple = () => 2 * this.#twice();
      forward(x: Value): Value {
        return this.#factor > 2 ? x : this.#act.call(x);
      }
    }
    const fancy = new Fancy();
    expect([fancy.factor, fancy.quadruple(), fancy[mark], names(fancy)]).toEqual([2, 8, 1, []]);
    const x = tensor([-1], [1, 1]);
    expect([...fancy.call(x).data]).toEqual([0]);
    fancy.factor = 3;
    expect([...fancy.call(x).data], 'the setter of an accessor is seen').toEqual([-1]);
    fancy[mark] = 2;
    expect([fancy[mark], fancy.quadruple()]).toEqual([2, 12]);
    Object.defineProperty(fancy, 'half', {
      get() {
        return this.factor / 2;
      },
      set(half: number) {
        this.factor = 2 * half;
      },
    });
    (fancy as never as { half: number }).half = 1;
    expect([fancy.factor, fancy instanceof Fancy, Object.keys(fancy)]).toEqual([2, true, ['quadruple']]);
    expect([...fancy.call(x).data]).toEqual([0]);
  });

  it('shows a module to console.log in a line, and its attributes as an object has them', () => {
    expect(inspect(new ReLU())).toBe('ReLU()');
    expect(structuredCloneable(new ReLU())).toEqual({ inplace: false });
  });
});

/** A module's attributes are its own enumerable properties. */
const structuredCloneable = (module: object) => structuredClone({ ...module });

describe('plain objects', () => {
  const [a, b] = [new ReLU(), new Identity()];

  it('are refused where the order counts and they do not tell it', () => {
    const message = (name: string) =>
      `ValueError: ${name}: expected a Map or entries, since objects keep no order of names like "0"`;
    expect(thrown(() => new ModuleDict({ stem: a, '0': b }))).toBe(message('ModuleDict'));
    expect(thrown(() => new ModuleDict().update({ '1': a, '0': b }))).toBe(message('ModuleDict'));
    const one = tensor([1], [1]);
    expect(thrown(() => saveSafetensors({ stem: one, '0': one }, [], { sorted: false }))).toBe(
      message('saveSafetensors'),
    );
    expect(thrown(() => saveSafetensors({}, { format: 'pt', '0': 'x' }))).toBe(message('saveSafetensors'));
  });

  it('do where a name that is a number is the only one, and where tensors are sorted', () => {
    expect([...new ModuleDict({ '0': a }).keys()]).toEqual(['0']);
    expect([...new ModuleDict({ '01': a, '-1': b }).keys()]).toEqual(['01', '-1']);
    const one = tensor([1], [1]);
    expect(saveSafetensors({ stem: one, '0': one })).toEqual(
      saveSafetensors([
        ['0', one],
        ['stem', one],
      ]),
    );
  });

  it('are not needed: a Map keeps the order', () => {
    const entries = [
      ['stem', a],
      ['0', b],
    ] as const;
    expect(names(new ModuleDict(new Map<string, Module>(entries)))).toEqual(['stem', '0']);
    expect(names(new ModuleDict(entries))).toEqual(['stem', '0']);
    expect(names(new Sequential(entries))).toEqual(['stem', '0']);
  });
});

describe('a container', () => {
  it('runs a module that is assigned to a property as an item, as in PyTorch', () => {
    class WithHead extends Sequential {
      head = new ReLU();
    }
    const net = new WithHead(new Identity());
    expect(names(net)).toEqual(['0', 'head']);
    expect([...net.call(tensor([-1], [1, 1])).data]).toEqual([0]);
    expect(net.length).toBe(2);
  });

  it('does not count parameters as items', () => {
    class WithScale extends ModuleList {
      scale = new Parameter([1], { fill: 1 });
    }
    const list = new WithScale([new ReLU()]);
    expect([list.length, [...list].length, names(list)]).toEqual([1, 1, ['0']]);
    expect([...list.stateShapes().keys()]).toEqual(['scale']);
  });

  it('refuses numbers as properties, which would change nothing', () => {
    for (const container of [new Sequential(new ReLU()), new ModuleList([new ReLU()]), new ModuleDict()]) {
      const { name } = container.constructor;
      expect(thrown(() => ((container as any)[0] = new Identity()))).toBe(
        `ValueError: ${name}: expected set(…, module) for an item, got an assignment of the property 0`,
      );
      expect(thrown(() => delete (container as any)[0])).toBe(
        `ValueError: ${name}: expected delete(…) for an item, got a deletion of the property 0`,
      );
    }
  });
});
