/** Containers as PyTorch has them: order, names, indices, and what is refused. */

import { describe, expect, it } from 'vitest';
import { ReLU } from '../../src/nn/activation.ts';
import { ModuleDict, ModuleList, Sequential } from '../../src/nn/container.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

const [a, b, c] = [new ReLU(), new Identity(), new ReLU()];

describe('Sequential', () => {
  it('runs its items one after the other', () => {
    const double = new Linear(1, 1, { bias: false });
    double.loadStateDict({ weight: tensor([-2], [1, 1]) });
    expect([...new Sequential(double, a, double).call(tensor([-3], [1, 1])).data]).toEqual([-12]);
    expect([...new Sequential().call(tensor([-3], [1, 1])).data]).toEqual([-3]);
  });

  it('numbers its items, or takes names', () => {
    expect([...new Sequential(a, b).namedChildren()]).toEqual([
      ['0', a],
      ['1', b],
    ]);
    for (const named of [
      new Map([
        ['x', a],
        ['y', b],
      ]),
      [
        ['x', a],
        ['y', b],
      ] as const,
    ]) {
      expect([...new Sequential(named).namedChildren()]).toEqual([
        ['x', a],
        ['y', b],
      ]);
    }
  });

  it('gives items by index, from the end too', () => {
    const sequence = new Sequential(a, b, c);
    expect([sequence.at(0), sequence.at(2), sequence.at(-1), sequence.at(-3)]).toEqual([a, c, c, a]);
    expect(sequence.length).toBe(3);
    expect([...sequence]).toEqual([a, b, c]);
    expect(thrown(() => sequence.at(3))).toBe('KeyError: Sequential: expected an index from -3 to 2, got 3');
    expect(thrown(() => new Sequential().at(0))).toBe('KeyError: Sequential: expected an index of 0 items, got 0');
  });

  it('appends under the next number', () => {
    expect([...new Sequential(a).append(b).namedChildren()]).toEqual([
      ['0', a],
      ['1', b],
    ]);
    expect([...new Sequential([['x', a]]).append(b).namedChildren()].map(([name]) => name)).toEqual(['x', '1']);
  });

  it('refuses names and items that are not allowed', () => {
    expect(thrown(() => new Sequential([['a.b', a]]))).toBe('KeyError: module name can\'t contain ".", got: a.b');
    expect(thrown(() => new Sequential([a] as never))).toBe(
      'ValueError: Sequential: expected modules, or entries of names and modules, got an array with a ReLU',
    );
    expect(thrown(() => new Sequential(5 as never))).toBe(
      'ValueError: 5 is not a Module subclass; expected an instance of one',
    );
    expect(thrown(() => new Sequential().append(ReLU as never))).toBe(
      'ValueError: a function ReLU is not a Module subclass; expected an instance of one; write new ReLU(…)',
    );
    expect(thrown(() => new Sequential().append('x' as never))).toBe(
      'ValueError: "x" is not a Module subclass; expected an instance of one',
    );
  });
});

describe('ModuleList', () => {
  it('keeps items in order', () => {
    const list = new ModuleList([a]).append(b).extend([c]);
    expect(list.length).toBe(3);
    expect([...list]).toEqual([a, b, c]);
    expect(list.at(-1)).toBe(c);
    expect([...list.namedChildren()]).toEqual([
      ['0', a],
      ['1', b],
      ['2', c],
    ]);
    expect(thrown(() => list.at(-4))).toBe('KeyError: ModuleList: expected an index from -3 to 2, got -4');
    expect(thrown(() => list.append({} as never))).toBe(
      'ValueError: {} is not a Module subclass; expected an instance of one',
    );
  });

  it('has no forward, and says so under its own name', () => {
    class Layers extends ModuleList {}
    const x = tensor([1], [1, 1]);
    const message = 'UnsupportedError: Module [Layers] is missing the required "forward" function';
    expect(thrown(() => new Layers([a]).call(x))).toBe(message);
    expect(thrown(() => new ModuleList().call(x))).toBe(message.replace('Layers', 'ModuleList'));
  });
});

describe('ModuleDict', () => {
  it('is made of a Map, entries, an object or another ModuleDict', () => {
    const entries: [string, ReLU][] = [
      ['x', a],
      ['y', c],
    ];
    const dict = new ModuleDict(entries);
    for (const items of [new Map(entries), entries, Object.fromEntries(entries), dict]) {
      expect([...new ModuleDict(items).items()]).toEqual(entries);
    }
  });

  it('adds, replaces, removes and clears', () => {
    const dict = new ModuleDict({ x: a }).set('y', b).set('x', c);
    expect([...dict.items()]).toEqual([
      ['x', c],
      ['y', b],
    ]);
    expect([...dict.keys()]).toEqual(['x', 'y']);
    expect([...dict]).toEqual(['x', 'y']);
    expect([...dict.values()]).toEqual([c, b]);
    expect([dict.size, dict.has('x'), dict.has('z')]).toEqual([2, true, false]);
    expect(dict.pop('x')).toBe(c);
    expect(dict.has('x')).toBe(false);
    dict.update({ z: a });
    expect([...dict.keys()]).toEqual(['y', 'z']);
    dict.clear();
    expect(dict.size).toBe(0);
  });

  it('may hold null, which is neither a child nor has state', () => {
    const dict = new ModuleDict({ x: null, y: a });
    expect(dict.get('x')).toBeNull();
    expect([...dict.namedChildren()]).toEqual([['y', a]]);
    expect(dict.size).toBe(2);
  });

  it("refuses names in PyTorch's words", () => {
    expect(thrown(() => new ModuleDict({ 'a.b': a }))).toBe('KeyError: module name can\'t contain ".", got: a.b');
    expect(thrown(() => new ModuleDict({ '': a }))).toBe('KeyError: module name can\'t be empty string ""');
    expect(thrown(() => new ModuleDict([[5, a]] as never))).toBe('ValueError: module name should be a string. Got 5');
  });

  it("refuses items in PyTorch's words", () => {
    expect(thrown(() => new ModuleDict({ x: 5 as never }))).toBe(
      'ValueError: 5 is not a Module subclass; expected an instance of one',
    );
    expect(thrown(() => new ModuleDict({ x: undefined as never }))).toBe(
      'ValueError: undefined is not a Module subclass; expected an instance of one',
    );
  });

  it("refuses updates by what isn't names and modules", () => {
    expect(thrown(() => new ModuleDict().update(5 as never))).toBe(
      'ValueError: ModuleDict: expected a Map, entries or an object, got 5',
    );
    expect(thrown(() => new ModuleDict(null as never))).toBe(
      'ValueError: ModuleDict: expected a Map, entries or an object, got null',
    );
    expect(thrown(() => new ModuleDict([[a]] as never))).toBe(
      'ValueError: ModuleDict: expected [name, module] at 0, got [a ReLU]',
    );
    expect(thrown(() => new ModuleDict([['x', a], 5] as never))).toBe(
      'ValueError: ModuleDict: expected [name, module] at 1, got 5',
    );
  });

  it('says what it has where an item is missing', () => {
    expect(thrown(() => new ModuleDict({ x: a, y: b }).get('z'))).toBe(
      'KeyError: ModuleDict: expected one of "x", "y", got "z"',
    );
    expect(thrown(() => new ModuleDict().pop('z'))).toBe('KeyError: ModuleDict: expected one of no items, got "z"');
  });

  it("has no forward, in PyTorch's words", () => {
    expect(thrown(() => new ModuleDict({ x: a }).call(tensor([1], [1, 1])))).toBe(
      'UnsupportedError: Module [ModuleDict] is missing the required "forward" function',
    );
  });
});
