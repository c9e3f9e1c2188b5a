/** `{ deterministic: true }`: no bit depends on the engine. What other engines compute is compared in test/bundle. */

import { describe, expect, it } from 'vitest';
import { Conv2d } from '../../src/nn/conv.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';

describe('deterministic', () => {
  it('asks nothing of the engine: plans look at the same numbers in old and new ones', () => {
    const globals = globalThis as { Float16Array?: unknown };
    const { Float16Array: own } = globals;
    const enginesWith = (Float16Array: unknown) => {
      if (Float16Array) globals.Float16Array = Float16Array;
      else delete globals.Float16Array;
      return [new CompiledModel({ deterministic: true }).engine, new CompiledModel().engine] as const;
    };
    const engines = [enginesWith(undefined), enginesWith(class Float16Array {})];
    enginesWith(own);
    expect(engines[0]![0]).toEqual(engines[1]![0]);
    expect(engines[0]![1].tileRows, 'without it, they look at what the engine can hold').not.toBe(
      engines[1]![1].tileRows,
    );
  });

  it('gives every NaN the same bits, whatever bits the input has', () => {
    const conv = fillParameters(new Conv2d(2, 2, 1, { bias: false })).compile({ deterministic: true });
    const x = new Tensor(new Float32Array(generatedTensor('x', [1, 2, 3, 5]).data), [1, 2, 3, 5]);
    const words = new Uint32Array(x.data.buffer);
    words.set([0x7fc00001, 0xffc00000, 0x7f800001, 0xff812345], 3);
    x.data.set([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], 9);
    const y = conv.call(x);
    const bits = new Uint32Array(y.data.buffer);
    const nans = [...y.data.keys()].filter((i) => Number.isNaN(y.data[i]));
    expect(nans.length).toBeGreaterThanOrEqual(8);
    for (const i of nans) expect(bits[i]!.toString(16)).toBe('7fc00000');
  });
});
