/** Module as PyTorch has it: hierarchy, state dicts, hooks, flags and printing. */

import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { ModuleDict, ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, cat, relu } from '../../src/nn/functional.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { StateDict } from '../../src/nn/state-dict.ts';
import { Buffer, Parameter } from '../../src/tensor/parameter.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise, TinyResNet } from './support.ts';

/** The README's block. */
class Block extends Module {
  readonly conv = new Conv2d(4, 4, 3, { padding: 1, bias: false });
  readonly bn = new BatchNorm2d(4);

  forward(x: Value): Value {
    return relu(add(this.bn.call(this.conv.call(x)), x));
  }
}

/** A buffer before its parameters, as PyTorch's `register_buffer` may be called first. */
class Mixed extends Module {
  readonly b = new Buffer([1], { fill: 0 });
  readonly w = new Parameter([2], { fill: 0 });
  readonly conv = new Conv2d(1, 1, 1);
  readonly bn = new BatchNorm2d(1);
  readonly v = new Parameter([3], { fill: 0 });

  forward(x: Value): Value {
    return x;
  }
}

function mixed(): Mixed {
  const module = new Mixed();
  module.loadStateDict({ 'conv.weight': noise('w', [1, 1, 1, 1]), 'conv.bias': noise('b', [1]) }, { strict: false });
  return module;
}

const names = (pairs: Iterable<readonly [string, unknown]>) => [...pairs].map(([name]) => name);

function sharing(): Sequential {
  const conv = new Conv2d(1, 1, 1);
  return new Sequential(conv, new ReLU(), conv, new Sequential(conv));
}

describe('the hierarchy', () => {
  it('lists children and modules once each, under their first names, as PyTorch does', () => {
    const shared = sharing();
    expect(names(shared.namedChildren())).toEqual(['0', '1', '3']);
    expect([...shared.children()]).toEqual([shared.at(0), shared.at(1), shared.at(3)]);
    expect(names(shared.namedModules())).toEqual(['', '0', '1', '3']);
    expect([...shared.modules()][0]).toBe(shared);
    expect(names(shared.namedModules('net'))).toEqual(['net', 'net.0', 'net.1', 'net.3']);
  });

  it('lists parameters and buffers once each', () => {
    expect(names(sharing().namedParameters())).toEqual(['0.weight', '0.bias']);
    expect([...sharing().parameters()]).toHaveLength(2);
    expect(names(new Block().namedBuffers())).toEqual(['bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked']);
    expect([...new Block().buffers()]).toHaveLength(3);
    expect(names(new Block().namedParameters())).toEqual(['conv.weight', 'bn.weight', 'bn.bias']);
  });

  it('finds a module by its dotted path', () => {
    const network = new TinyResNet();
    expect(network.getSubmodule('layer1.0.conv2')).toBe((network.layer1.at(0) as never as { conv2: Module }).conv2);
    expect(network.getSubmodule('')).toBe(network);
  });

  it('says which part of a path is missing, and what there is', () => {
    const network = new Sequential(new Conv2d(1, 1, 1), new ReLU());
    expect(thrown(() => network.getSubmodule('0.nope.x'))).toBe(
      'KeyError: getSubmodule: Conv2d has no attribute `nope` (in "0.nope.x"); the children of Conv2d are none',
    );
    expect(thrown(() => network.getSubmodule('9'))).toBe(
      'KeyError: getSubmodule: Sequential has no attribute `9` (in "9"); the children of Sequential are "0", "1"',
    );
    expect(thrown(() => network.getSubmodule('[0]'))).not.toContain('write');
    expect(thrown(() => new Sequential(network).getSubmodule('0[1]'))).toBe(
      'KeyError: getSubmodule: Sequential has no attribute `0[1]` (in "0[1]"); the children of Sequential ' +
        'are "0"; write "0.1"',
    );
    expect(thrown(() => network.getSubmodule('0.weight'))).toBe(
      'KeyError: getSubmodule: `weight` is not a Module (in "0.weight"); the children of Conv2d are none',
    );
  });

  it('train and eval set the flag of all modules below', () => {
    const network = new Sequential(new ReLU(), new Sequential(new Identity()));
    expect(network.eval()).toBe(network);
    expect([...network.modules()].map(({ training }) => training)).toEqual([false, false, false, false]);
    network.at(1).train();
    expect([...network.modules()].map(({ training }) => training)).toEqual([false, false, true, true]);
    expect(network.train(false).at(1).training).toBe(false);
  });

  it('apply runs children first, and a shared one under each parent', () => {
    const visited: string[] = [];
    sharing().apply((module) => void visited.push(module.constructor.name));
    expect(visited).toEqual(['Conv2d', 'ReLU', 'Conv2d', 'Sequential', 'Sequential']);
  });
});

describe('stateDict', () => {
  it("has PyTorch's keys in PyTorch's order: parameters, buffers, children; a shared module's under each name", () => {
    expect([...new Mixed().stateShapes().keys()]).toEqual([
      ...['w', 'v', 'b', 'conv.weight', 'conv.bias', 'bn.weight', 'bn.bias'],
      ...['bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked'],
    ]);
    expect([...sharing().stateShapes().keys()]).toEqual([
      '0.weight',
      '0.bias',
      '2.weight',
      '2.bias',
      '3.0.weight',
      '3.0.bias',
    ]);
  });

  it("has each module's version as metadata, shared ones under each name", () => {
    const { metadata } = mixed().stateDict();
    expect([...metadata]).toEqual([
      ['', { version: 1 }],
      ['conv', { version: 1 }],
      ['bn', { version: 2 }],
    ]);
    expect([...fillParameters(sharing()).stateDict().metadata.keys()]).toEqual(['', '0', '1', '2', '3', '3.0']);
  });

  it('knows the values that batch norm starts with', () => {
    const dict = new BatchNorm2d(2).stateDict();
    expect([...dict].map(([key, { data, dtype }]) => [key, [...data], dtype])).toEqual([
      ['weight', [1, 1], 'float32'],
      ['bias', [0, 0], 'float32'],
      ['running_mean', [0, 0], 'float32'],
      ['running_var', [1, 1], 'float32'],
      ['num_batches_tracked', [0n], 'int64'],
    ]);
  });

  it('says which parameters have no values yet', () => {
    expect(thrown(() => new Mixed().stateDict())).toBe(
      'StateDictError: Mixed: expected values for all parameters, got none for "conv.weight", "conv.bias"; ' +
        'call loadStateDict first',
    );
    expect(thrown(() => new TinyResNet().stateDict())).toMatch(
      /^StateDictError: TinyResNet: expected values for all parameters, got none for "conv1.weight", .* and 15 more; call loadStateDict first$/,
    );
  });

  it('returns what was loaded, in the dtype that it came in', () => {
    const linear = new Linear(2, 1);
    const half = new Tensor(Uint16Array.of(0x3c00, 0xc000), [1, 2], 'float16');
    linear.loadStateDict({ weight: half, bias: tensor([0.5], [1]) });
    expect(linear.stateDict().get('weight')).toBe(half);
    expect([...linear.call(tensor([3, 1], [1, 2])).data]).toEqual([1.5]);
  });
});

describe('loadStateDict', () => {
  const full = () => mixed().stateDict();

  it('takes a Map, entries or an object, and returns that nothing was left over', () => {
    for (const dict of [full(), [...full()], Object.fromEntries(full())]) {
      const module = new Mixed();
      expect(module.loadStateDict(dict)).toEqual({ missingKeys: [], unexpectedKeys: [] });
      expect(module.stateDict()).toEqual(full());
    }
  });

  it("reports all problems at once, in PyTorch's words and order, and changes nothing", () => {
    const module = mixed();
    const before = new Map(module.stateDict());
    const one = zeros([1]);
    const attempt = () =>
      module.loadStateDict({
        'conv.extra': one,
        zzz: one,
        'bn.q': one,
        b: zeros([2]),
        v: 5 as never,
        'conv.weight': zeros([1]),
        w: zeros([2]),
      });
    // PyTorch's text, but for "<class 'int'>".
    expect(thrown(attempt)).toBe(
      'StateDictError: Error(s) in loading state_dict for Mixed:\n' +
        '\tMissing key(s) in state_dict: "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var". \n' +
        '\tUnexpected key(s) in state_dict: "zzz", "conv.extra", "bn.q". \n' +
        '\tWhile copying the parameter named "v", expected torch.Tensor or Tensor-like object from ' +
        'checkpoint but received 5\n' +
        '\tsize mismatch for b: copying a param with shape torch.Size([2]) from checkpoint, the shape in ' +
        'current model is torch.Size([1]).\n' +
        '\tsize mismatch for conv.weight: copying a param with shape torch.Size([1]) from checkpoint, the ' +
        'shape in current model is torch.Size([1, 1, 1, 1]).',
    );
    expect(new Map(module.stateDict())).toEqual(before);
    for (const [key, values] of before) expect(module.stateDict().get(key)).toEqual(values);
  });

  it('lists unexpected keys module by module, as PyTorch does', () => {
    const shared = fillParameters(sharing());
    const one = zeros([1]);
    expect(
      thrown(() => shared.loadStateDict([...shared.stateDict(), ['2.foo', one], ['3.0.foo', one], ['0.foo', one]])),
    ).toBe(
      'StateDictError: Error(s) in loading state_dict for Sequential:\n' +
        '\tUnexpected key(s) in state_dict: "0.foo", "2.foo", "3.0.foo". ',
    );
  });

  it('with strict: false returns missing and unexpected keys, and still refuses other shapes', () => {
    const module = new Mixed();
    expect(module.loadStateDict({ 'conv.extra': zeros([1]), zzz: zeros([1]) }, { strict: false })).toEqual({
      missingKeys: [...module.stateShapes().keys()].slice(0, -1),
      unexpectedKeys: ['zzz', 'conv.extra'],
    });
    expect(thrown(() => new Linear(512, 1000).loadStateDict({ weight: zeros([5, 512]) }, { strict: false }))).toBe(
      'StateDictError: Error(s) in loading state_dict for Linear:\n' +
        '\tsize mismatch for weight: copying a param with shape torch.Size([5, 512]) from checkpoint, the ' +
        'shape in current model is torch.Size([1000, 512]).',
    );
  });

  it('differs: num_batches_tracked may be missing, whatever version the dict says', () => {
    const dict = full();
    dict.delete('bn.num_batches_tracked');
    expect(dict.metadata.get('bn')).toEqual({ version: 2 });
    expect(new Mixed().loadStateDict(dict)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });

  it("tolerates no other key that is missing, however it ends: a user's own buffer neither", () => {
    class Counting extends Module {
      readonly num_batches_tracked = new Buffer([1], { fill: 0 });
      readonly old_num_batches_tracked = new Buffer([1], { fill: 0 });
      readonly norm = new BatchNorm2d(1);
      forward(x: Value): Value {
        return x;
      }
    }
    const dict = new Counting().stateDict();
    for (const key of [...dict.keys()]) if (key.endsWith('num_batches_tracked')) dict.delete(key);
    expect(thrown(() => new Counting().loadStateDict(dict))).toBe(
      'StateDictError: Error(s) in loading state_dict for Counting:\n' +
        '\tMissing key(s) in state_dict: "num_batches_tracked", "old_num_batches_tracked". ',
    );
    expect(new Counting().loadStateDict(dict, { strict: false }).missingKeys).toEqual([
      'num_batches_tracked',
      'old_num_batches_tracked',
    ]);
  });

  it('names eight keys of many and counts the others, and says where all begin with one prefix', () => {
    const network = fillParameters(new TinyResNet());
    const wrapped = new Map([...network.stateDict()].map(([key, values]) => [`module.${key}`, values]));
    const message = thrown(() => new TinyResNet().loadStateDict(wrapped));
    expect(message).toBe(
      'StateDictError: Error(s) in loading state_dict for TinyResNet: ' +
        'keys begin with "module."; pass { prefix: "module." } to openWeights\n' +
        '\tMissing key(s) in state_dict: "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", ' +
        '"bn1.running_var", ' +
        '"layer1.0.conv1.weight", "layer1.0.bn1.weight", "layer1.0.bn1.bias" and 99 more. \n' +
        '\tUnexpected key(s) in state_dict: "module.conv1.weight", "module.bn1.weight", "module.bn1.bias", ' +
        '"module.bn1.running_mean", "module.bn1.running_var", "module.bn1.num_batches_tracked", ' +
        '"module.layer1.0.conv1.weight", "module.layer1.0.bn1.weight" and 120 more. ',
    );
    expect(message.length).toBeLessThan(900);
    const other = [...network.stateDict()].map(([key]) => [key, zeros([7])] as const);
    expect(thrown(() => new TinyResNet().loadStateDict(other))).toMatch(/\n\tand \d+ more like these\.$/);
  });

  it('takes one element for a scalar, as files from before PyTorch 0.4 hold it', () => {
    const norm = new BatchNorm2d(1);
    norm.loadStateDict({
      ...Object.fromEntries(norm.stateDict()),
      num_batches_tracked: new Tensor(BigInt64Array.of(7n), [1], 'int64'),
    });
    expect(norm.stateDict().get('num_batches_tracked')).toEqual(new Tensor(BigInt64Array.of(7n), [], 'int64'));
  });

  it('FrozenBatchNorm2d drops num_batches_tracked, also below other modules', () => {
    const frozen = new Sequential(new FrozenBatchNorm2d(2));
    const norm = new Sequential(new BatchNorm2d(2));
    expect(frozen.loadStateDict(norm.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect([...frozen.stateDict().keys()]).toEqual(['0.weight', '0.bias', '0.running_mean', '0.running_var']);
  });

  it('refuses what is not a state dict', () => {
    for (const [dict, got] of [
      [5, '5'],
      ['path.pth', '"path.pth"'],
      [null, 'null'],
      [undefined, 'undefined'],
      [new Uint8Array(4), 'a Uint8Array of 4'],
      [[1, 2], '[1, 2]'],
      [new Set(['a']), 'a Set'],
    ] as const) {
      expect(thrown(() => new ReLU().loadStateDict(dict as never))).toBe(
        `StateDictError: Expected state_dict to be dict-like, got ${got}.`,
      );
    }
  });

  it('is noticed by a module that was called before', () => {
    const linear = new Linear(1, 1);
    const x = tensor([2], [1, 1]);
    linear.loadStateDict({ weight: tensor([1], [1, 1]), bias: zeros([1]) });
    expect([...linear.call(x).data]).toEqual([2]);
    const { compiled } = linear;
    expect([...linear.call(x).data]).toEqual([2]);
    expect(linear.compiled).toBe(compiled);
    linear.loadStateDict({ weight: tensor([5], [1, 1]) }, { strict: false });
    expect([...linear.call(x).data]).toEqual([10]);
    expect(linear.compiled).not.toBe(compiled);
  });

  it('is a Map', () => {
    expect(full()).toBeInstanceOf(StateDict);
    expect(full()).toBeInstanceOf(Map);
  });
});

describe('call', () => {
  const x = noise('x', [2, 4, 5, 7]);

  it("runs a user's own module on tensors", () => {
    const block = fillParameters(new Block());
    const sum = block.bn.call(block.conv.call(x));
    const expected = Float32Array.from(x.data, (v, i) => Math.max(0, Math.fround(sum.data[i]! + v)));
    expect(block.call(x)).toEqual(new Tensor(expected, x.shape));
  });

  it('takes several inputs', () => {
    class Sum extends Module {
      forward(a: Value, b: Value, c: Value): Value {
        return add(a, add(b, c));
      }
    }
    const ones = tensor([1, 2], [1, 2]);
    expect([...new Sum().call(ones, ones, tensor([10, 20], [1, 2])).data]).toEqual([12, 24]);
  });

  it('returns arrays and Maps of tensors as forward returns them of values', () => {
    class Many extends Module<Map<string, Value | Value[]>> {
      forward(a: Value, b: Value): Map<string, Value | Value[]> {
        return new Map<string, Value | Value[]>([
          ['both', [a, cat([a, b])]],
          ['first', a],
          ['none', []],
        ]);
      }
    }
    const [a, b] = [tensor([1], [1, 1]), tensor([2], [1, 1])];
    expect(new Many().call(a, b)).toEqual(
      new Map<string, unknown>([
        ['both', [a, tensor([1, 2], [1, 2])]],
        ['first', a],
        ['none', []],
      ]),
    );
  });

  it("returns tensors of the caller's own: the next run leaves them as they are", () => {
    const block = fillParameters(new Block());
    const first = block.call(x);
    const copy = first.data.slice();
    block.call(noise('other', x.shape));
    expect(first.data).toEqual(copy);
    const same = new Identity().call(x);
    expect(same).toEqual(x);
    expect(same.data).not.toBe(x.data);
  });

  it('refuses other dtypes, ranks and empty axes', () => {
    const f64 = new Tensor(new Float64Array(4), [1, 1, 2, 2], 'float64');
    expect(thrown(() => new ReLU().call(f64))).toBe(
      'DtypeError: ReLU: expected a float32 input, got float64; convert it with x.float()',
    );
    const picture = new Tensor(new Uint8Array(12), [1, 3, 2, 2], 'uint8');
    expect(thrown(() => new ReLU().call(picture))).toBe(
      'DtypeError: ReLU: expected a float32 input, got uint8; toTensor(image) gives a picture from 0 to 1',
    );
    for (const shape of [[], [1, 0, 4, 4], [0, 1, 0, 4], [0, 1, 4, 0], [0, 0], [1, 2, 0]]) {
      expect(thrown(() => new ReLU().call(zeros(shape)))).toBe(
        `ShapeError: ReLU: expected x of shape [N, C, …], none empty but N, got [${shape.join(', ')}]`,
      );
    }
  });

  it('takes inputs of any rank', () => {
    for (const shape of [[4], [0], [1, 2, 3], [3, 1, 2, 2, 5]]) {
      const x = noise('x', shape);
      expect(new ReLU().call(x)).toEqual(
        new Tensor(
          x.data.map((v) => Math.max(v, 0)),
          shape,
        ),
      );
    }
  });

  it('refuses to run without values, naming the parameters that it needs', () => {
    expect(thrown(() => new Block().call(x))).toBe(
      'StateDictError: Block: expected values for all parameters that run, got none for "conv.weight"; call ' +
        'loadStateDict first',
    );
    expect(thrown(() => new TinyResNet().call(noise('x', [1, 3, 32, 32])))).toMatch(
      /^StateDictError: TinyResNet: expected values for all parameters that run, got none for "conv1.weight", .* and 15 more; call loadStateDict first$/,
    );
  });

  it('names buffers that have no values, too', () => {
    class Shifted extends Module {
      readonly shift = new Buffer([5]);
      forward(value: Value): Value {
        return add(value, this.shift);
      }
    }
    expect(thrown(() => new Shifted().call(noise('x', [1, 5])))).toBe(
      'StateDictError: Shifted: expected values for all parameters that run, got none for "shift"; call ' +
        'loadStateDict first',
    );
  });

  it('refuses operators on values, which would give NaN or take a wrong branch', () => {
    const refused = (operation: (value: any) => unknown) => {
      class Operating extends Module {
        forward(value: Value): Value {
          operation(value);
          return value;
        }
      }
      return thrown(() => new Operating().call(x));
    };
    const message = 'ValueError: forward: expected functions as add(x, y), got an operator';
    for (const operation of [
      (value: any) => value + value,
      (value: any) => value * 2,
      (value: any) => -value,
      (value: any) => value > 0,
      (value: any) => `${value}`,
    ]) {
      expect(refused(operation)).toBe(message);
    }
  });

  it('refuses an output that holds something else than values', () => {
    class Wrong extends Module<number> {
      forward(): number {
        return 5;
      }
    }
    expect(thrown(() => new Wrong().call(x))).toBe(
      'ValueError: forward: expected to return a value, or a Map or array of values, got 5',
    );
  });

  it('says how to compute with a tensor where forward was called instead of call', () => {
    expect(thrown(() => new ReLU().forward(x as never))).toBe(
      'ValueError: relu: expected values, as forward() gets them, got a Tensor (float32, [2, 4, 5, 7]); to ' +
        'compute with a Tensor, use module.call(x)',
    );
  });

  it('notices replaced, added and removed children', () => {
    const flipped = new Conv2d(4, 4, 1, { bias: false });
    flipped.loadStateDict({ weight: noise('w', [4, 4, 1, 1]) });
    class Swap extends Module {
      inner: Module = new Identity();
      forward(value: Value): Value {
        return this.inner.call(value);
      }
    }
    const swap = new Swap();
    expect(swap.call(x)).toEqual(x);
    swap.inner = flipped;
    expect(swap.call(x)).toEqual(flipped.call(x));
    const sequence = new Sequential(flipped);
    sequence.call(x);
    sequence.append(new ReLU());
    expect(sequence.call(x)).toEqual(new ReLU().call(flipped.call(x)));
  });

  it('notices hooks that are added and removed later', () => {
    const layer = new Identity();
    expect(layer.call(x)).toEqual(x);
    const seen: unknown[] = [];
    const remove = layer.registerForwardHook((module, inputs, output) => {
      seen.push(module, inputs[0] === output);
      return relu(output);
    });
    const rectified = new ReLU().call(x);
    expect(layer.call(x)).toEqual(rectified);
    expect(layer.call(x)).toEqual(rectified);
    expect(seen, 'a hook runs when the module is traced, not on every call').toEqual([layer, true]);
    remove();
    expect(layer.call(x)).toEqual(x);
  });

  it('runs hooks in the order of their registration, each on what the one before returned', () => {
    const layer = new Identity();
    layer.registerForwardHook((_module, _inputs, output) => add(output, output));
    layer.registerForwardHook((_module, _inputs, output) => add(output, output));
    layer.registerForwardHook(() => undefined);
    expect([...layer.call(tensor([3], [1, 1])).data]).toEqual([12]);
  });

  it('runs a hook twice that is registered twice, and removes one registration at a time', () => {
    const layer = new Identity();
    const double = (_module: unknown, _inputs: unknown, output: Value) => add(output, output);
    const removals = [layer.registerForwardHook(double), layer.registerForwardHook(double)];
    const result = () => [...layer.call(tensor([3], [1, 1])).data];
    expect(result()).toEqual([12]);
    removals[0]!();
    removals[0]!();
    expect(result()).toEqual([6]);
    removals[1]!();
    expect(result()).toEqual([3]);
  });

  it("differs: what is written into a parameter's data later counts once the tensor is set again", () => {
    const linear = new Linear(1, 1, { bias: false });
    linear.weight.tensor = tensor([2], [1, 1]);
    const result = () => [...linear.call(tensor([3], [1, 1])).data];
    linear.weight.tensor.data[0] = 4;
    expect(result()).toEqual([12]);
    linear.weight.tensor.data[0] = 5;
    expect(result()).toEqual([12]);
    const same = linear.weight.tensor;
    linear.weight.tensor = same;
    expect(result()).toEqual([15]);
  });

  it('compile({ deterministic }) pins the plain binary', () => {
    const block = fillParameters(new Block());
    expect(block.compiled).toBeNull();
    expect(block.compile({ deterministic: true })).toBe(block);
    const first = block.call(x);
    expect(block.compiled!.binary).toBe('simd');
    expect(block.call(x)).toEqual(first);
    block.compile();
    expect(block.compiled).toBeNull();
  });
});

describe('toString', () => {
  it('prints children as PyTorch does: items and nulls of containers, and no null property', () => {
    class Holder extends Module {
      readonly list = new ModuleList([new ReLU(), new ReLU()]);
      readonly nothing: Module | null = null;
      readonly dict = new ModuleDict({ a: null, b: new Sequential(new Identity()) });
      forward(): never {
        throw new Error('not run');
      }
    }
    expect(String(new Holder())).toBe(
      [
        'Holder(',
        '  (list): ModuleList(',
        '    (0): ReLU()',
        '    (1): ReLU()',
        '  )',
        '  (dict): ModuleDict(',
        '    (a): None',
        '    (b): Sequential(',
        '      (0): Identity()',
        '    )',
        '  )',
        ')',
      ].join('\n'),
    );
  });

  it('prints a container without items on one line', () => {
    expect([new Sequential(), new ModuleList(), new ModuleDict()].map(String)).toEqual([
      'Sequential()',
      'ModuleList()',
      'ModuleDict()',
    ]);
  });

  it("prints a module's own attributes before its children", () => {
    class Custom extends Module {
      readonly act = new ReLU();
      protected override extraRepr(): string {
        return 'rate=2';
      }
      forward(value: Value): Value {
        return this.act.call(value);
      }
    }
    expect(String(new Custom())).toBe('Custom(\n  rate=2\n  (act): ReLU()\n)');
  });
});
