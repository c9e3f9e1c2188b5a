/** Weights stored as f16: what a binary16 has no room for is refused by name, never made infinite. */

import { describe, expect, it } from 'vitest';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Flatten } from '../../src/nn/flatten.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { AdaptiveAvgPool2d } from '../../src/nn/pooling.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Parameter } from '../../src/tensor/parameter.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { noise } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { programOf } from '../support/programs.ts';
import { thrown } from '../support/thrown.ts';

const x = noise('x', [1, 4, 9, 8]);

/** A module with one weight set to a value in its midst. */
function withWeight<M extends Module>(module: M, path: string, value: number): M {
  const weight = fillParameters(module).getSubmodule(path) as unknown as { readonly weight: Parameter };
  const data = weight.weight.values().slice();
  data[data.length >> 1] = value;
  weight.weight.tensor = new Tensor(data, weight.weight.shape);
  return module;
}

/** A network with each kind of layer that has weights. */
const network = () =>
  new Sequential(
    new Conv2d(4, 24, 3, { padding: 1 }),
    new Conv2d(24, 24, 3, { padding: 1, groups: 24 }),
    new Conv2d(24, 8, 1, { groups: 8 }),
    new AdaptiveAvgPool2d(1),
    new Flatten(),
    new Linear(8, 5),
  );

const message = (value: number, name: string) =>
  `compile: expected weights below 65520 for weightStorage 'f16', got ${value} in ${name}; compile with 'f32'`;

describe("weightStorage 'f16'", () => {
  it.each([
    ['0', 70000],
    ['0', -65520],
    ['2', 1e30],
    ['5', 65520],
  ])('refuses the weight of layer %s with %d, by name, at every call', (path, value) => {
    const model = withWeight(network(), path, value).compile({ weightStorage: 'f16' });
    const expected = `ValueError: ${message(Math.fround(value), `"${path}.weight"`)}`;
    for (let i = 0; i < 2; i++) expect(thrown(() => model.call(x))).toBe(expected);
  });

  it('runs once the weight is another, or as f32', () => {
    const model = withWeight(network(), '0', 70000).compile({ weightStorage: 'f16' });
    expect(() => model.call(x)).toThrow(message(70000, '"0.weight"'));
    expect(model.compile().call(x).data.every(Number.isFinite)).toBe(true);
    model.compile({ weightStorage: 'f16' });
    withWeight(model, '0', 65504);
    expect(model.call(x).data.every(Number.isFinite)).toBe(true);
  });

  it('refuses it in asynchronous calls, too', async () => {
    const model = withWeight(network(), '0', 70000).compile({ weightStorage: 'f16' });
    await expect(model.callAsync(x)).rejects.toThrow(message(70000, '"0.weight"'));
  });

  it('refuses it as it arrives, and leaves the module without values', async () => {
    const values = withWeight(network(), '2', 70000).stateDict();
    const file: TensorStream = {
      tensors: values,
      async *stream(names) {
        for (const name of names) yield [name, values.get(name)!];
      },
    };
    const model = network().compile({ weightStorage: 'f16' });
    await expect(model.loadStateDictAsync(file, { inputShapes: [x.shape] })).rejects.toThrow(
      message(70000, '"2.weight"'),
    );
    expect(() => model.call(x)).toThrow('expected values for all parameters that run, got none for "0.weight"');
  });

  it('names the shape of a weight that belongs to no module', () => {
    const conv = withWeight(new Conv2d(4, 3, 1), '', 70000);
    const model = new CompiledModel({ weightStorage: 'f16' });
    const plan = model.plan(programOf([x.shape], (value) => [conv.call(value)]));
    expect(() => model.run(plan, [x])).toThrow(message(70000, 'a weight of shape [3, 4, 1, 1]'));
  });

  it('takes large weights where they stay f32: depthwise ones, and those that Winograd has room for', () => {
    const depthwise = withWeight(new Conv2d(16, 16, 3, { groups: 16 }), '', 70000);
    const winograd = withWeight(new Conv2d(16, 32, 3, { padding: 1 }), '', 70000);
    const input = noise('x', [1, 16, 24, 24]);
    for (const [conv, options] of [
      [depthwise, {}],
      [winograd, { memoryBudgetBytes: 2 ** 28 }],
    ] as const) {
      const expected = conv.compile(options).call(input);
      expect(conv.compile({ weightStorage: 'f16', ...options }).call(input)).toEqual(expected);
      expect(conv.compiled!.steps[0]!.algorithm).not.toBe('indirect');
    }
  });

  it('keeps infinities and NaN, which f16 has', () => {
    for (const value of [Infinity, -Infinity, Number.NaN]) {
      const conv = withWeight(new Conv2d(1, 1, 1, { bias: false }), '', value).compile({ weightStorage: 'f16' });
      expect([...conv.call(new Tensor(new Float32Array([2]), [1, 1, 1, 1])).data]).toEqual([value]);
    }
  });
});
