/** The memory budget: kept, spent where it saves most, blind to taps; and what is said where nothing fits. */

import { describe, expect, it } from 'vitest';
import { MemoryError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { BasicBlock, ResNet } from '../../src/models/resnet.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { CompileOptions } from '../../src/plan/compiled-model.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';

const LAYERS = ['conv1', 'maxpool', 'layer1', 'layer2.0.conv1', 'layer2', 'layer3'];
const SHAPE = [1, 3, 64, 48] as const;

const getterOf = (options: CompileOptions) => {
  const model = fillParameters(new ResNet(BasicBlock, [1, 1, 1, 1]));
  return new IntermediateLayerGetter(model, new Map(LAYERS.map((name) => [name, name]))).compile(options);
};

/** Runs with these options, and tells the memory and the algorithms. */
function measured(options: CompileOptions, shape: Shape = SHAPE) {
  const getter = getterOf(options);
  const features = getter.forward(generatedTensor('input', shape, 2));
  const { memoryBytes, steps } = getter.compiled!;
  return { features, memoryBytes, algorithms: steps.map(({ algorithm }) => algorithm), steps };
}

const unlimited = measured({});

/** The least budget with which the getter runs, in pages. */
const least = (() => {
  let [low, high] = [1, unlimited.memoryBytes / 65536];
  while (low < high) {
    const middle = (low + high) >> 1;
    try {
      measured({ memoryBudgetBytes: middle * 65536 });
      high = middle;
    } catch {
      low = middle + 1;
    }
  }
  return low * 65536;
})();

const between = [0, 0.25, 0.5, 0.75].map((part) => {
  return Math.floor(least + (unlimited.memoryBytes - least) * part);
});

describe('a memory budget', () => {
  it('is kept, and spent: the more there is, the more layers take Winograd', () => {
    expect(least).toBeLessThan(unlimited.memoryBytes);
    const counts = between.map((memoryBudgetBytes) => {
      const { memoryBytes, algorithms } = measured({ memoryBudgetBytes });
      expect(memoryBytes).toBeLessThanOrEqual(memoryBudgetBytes);
      return algorithms.filter((name) => name.startsWith('winograd')).length;
    });
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[0]).toBeLessThan(counts.at(-1)!);
    expect(measured({ memoryBudgetBytes: unlimited.memoryBytes }).algorithms).toEqual(unlimited.algorithms);
  });

  it('gives every subset of taps the same bits', () => {
    const x = generatedTensor('input', SHAPE, 2);
    for (const options of [
      { memoryBudgetBytes: between[1]! },
      { memoryBudgetBytes: between[3]! },
      { weightStorage: 'f16' as const },
      { weightStorage: 'f16' as const, memoryBudgetBytes: between[1]! },
    ]) {
      const getter = getterOf(options);
      const expected = getter.forward(x);
      for (let mask = 1; mask < 2 ** LAYERS.length - 1; mask++) {
        const only = LAYERS.filter((_, i) => mask & (1 << i));
        for (const [name, { data }] of getter.forward(x, { only })) {
          const same = Buffer.compare(Buffer.from(data.buffer), Buffer.from(expected.get(name)!.data.buffer)) === 0;
          expect(same, `${name} of ${only.join(', ')} with ${JSON.stringify(options)}`).toBe(true);
        }
      }
    }
  });

  it('that no plan fits is refused before anything is allocated, with ways out that fit', () => {
    const getter = getterOf({ memoryBudgetBytes: least - 65536 });
    const x = generatedTensor('input', SHAPE, 2);
    expect(() => getter.forward(x)).toThrow(MemoryError);
    expect(getter.compiled!.memoryBytes).toBeLessThanOrEqual(65536);
    const { message } = (() => {
      try {
        return getter.forward(x) as never;
      } catch (error) {
        return error as MemoryError;
      }
    })();
    const [, halves, height, width, smaller] =
      /'f16' \((\d+) bytes\), or an input of \[1, 3, (\d+), (\d+)\] \((\d+) bytes\)$/.exec(message)!.map(Number) as [
        number,
        number,
        number,
        number,
        number,
      ];
    const stored = measured({ memoryBudgetBytes: least - 65536, weightStorage: 'f16' });
    expect(stored.memoryBytes).toBeLessThanOrEqual(least - 65536);
    expect(measured({ weightStorage: 'f16' }).memoryBytes).toBe(halves);
    const resized = measured({ memoryBudgetBytes: least - 65536 }, [1, 3, height, width]);
    expect(resized.memoryBytes).toBeLessThanOrEqual(least - 65536);
    expect(resized.memoryBytes).toBe(smaller);
  });

  it('says all of that in one message', () => {
    const conv = fillParameters(new Conv2d(16, 64, 3, { padding: 1 })).compile({ memoryBudgetBytes: 2 ** 20 });
    expect(() => conv.call(generatedTensor('input', [3, 16, 60, 60]))).toThrow(
      'layertap: expected a plan within 1048576 bytes of WebAssembly memory, got 3932160 for an input of [3, 16, 60, 60] ' +
        '(37120 of weights, 3891392 of activations); what fits: an input of [1, 16, 42, 42] (1048576 bytes)',
    );
    const linear = fillParameters(new Linear(512, 512)).compile({ memoryBudgetBytes: 2 ** 19 });
    expect(() => linear.call(generatedTensor('input', [2, 512]))).toThrow(
      'layertap: expected a plan within 524288 bytes of WebAssembly memory, got 1310720 for an input of [2, 512] ' +
        "(1050624 of weights, 196608 of activations); nor fit weightStorage: 'f16' (917504 bytes), or an input of [1, 512] (1310720 bytes)",
    );
  });
});

describe('compile', () => {
  it('refuses options that are unknown or out of range', () => {
    const conv = new Conv2d(3, 8, 1);
    expect(() => conv.compile({ memory: 1 } as CompileOptions)).toThrow(
      'compile: expected options of deterministic, pool, memoryBudgetBytes, weightStorage, got "memory"',
    );
    for (const memoryBudgetBytes of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1, '1' as unknown as number]) {
      expect(() => conv.compile({ memoryBudgetBytes })).toThrow(ValueError);
    }
    expect(() => conv.compile({ memoryBudgetBytes: 0 })).toThrow(
      'compile: expected memoryBudgetBytes as a whole number from 1 to 4294967296, got 0',
    );
    expect(() => conv.compile({ weightStorage: 'f8' as 'f16' })).toThrow(
      "compile: expected weightStorage as 'f32' or 'f16', got \"f8\"",
    );
  });
});

describe('weights stored as f16', () => {
  it('take half the bytes, and no Winograd unless a budget leaves room for it', () => {
    const stored = measured({ weightStorage: 'f16' });
    const bytes = ({ steps }: typeof stored) => steps.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
    const plain = measured({ memoryBudgetBytes: least });
    expect(bytes(stored)).toBeLessThan(0.52 * bytes(plain));
    expect(stored.algorithms.some((name) => name.startsWith('winograd'))).toBe(false);
    const roomy = measured({ weightStorage: 'f16', memoryBudgetBytes: unlimited.memoryBytes });
    expect(roomy.algorithms.some((name) => name.startsWith('winograd'))).toBe(true);
    expect(roomy.memoryBytes).toBeLessThanOrEqual(unlimited.memoryBytes);
  });
});
