/** The memory budget: kept, spent where it saves most, blind to taps; and what is said where nothing fits. */

import { describe, expect, it } from 'vitest';
import { MemoryError, ShapeError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { openSafetensors } from '../../src/formats/open-safetensors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { deeplabv3_resnet50 } from '../../src/models/deeplabv3.ts';
import { mobilenet_v3_small } from '../../src/models/mobilenetv3.ts';
import { BasicBlock, ResNet, resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { ReLU } from '../../src/nn/activation.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Linear } from '../../src/nn/linear.ts';
import { valuesOf } from '../../src/nn/output.ts';
import type { Op } from '../../src/ops/op.ts';
import { leastSizes } from '../../src/plan/budget.ts';
import type { CompileOptions } from '../../src/plan/compile-options.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { COST_ENGINE } from '../../src/plan/cost.ts';
import { smallerInput } from '../../src/plan/over-budget.ts';
import { Plan } from '../../src/plan/plan.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { programOf } from '../support/programs.ts';

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
      'layertap: expected a plan within 1048576 bytes of WebAssembly memory, got at least 3538944 for an ' +
        'input of [3, 16, 60, 60] ' +
        '(36864 of weights, 3456000 of activations); what fits: an input of [1, 16, 47, 47] (1048576 bytes)',
    );
    const linear = fillParameters(new Linear(512, 512)).compile({ memoryBudgetBytes: 2 ** 19 });
    expect(() => linear.call(generatedTensor('input', [2, 512]))).toThrow(
      'layertap: expected a plan within 524288 bytes of WebAssembly memory, got at least 1114112 for an ' +
        'input of [2, 512] ' +
        "(1048576 of weights, 8192 of activations); nor fit weightStorage: 'f16' (at least 589824 bytes), or an input of " +
        '[1, 512] (at least 1114112 bytes)',
    );
    // The values and weights alone would fit.
    const both = fillParameters(new Conv2d(16, 64, 3, { padding: 1 })).compile({ memoryBudgetBytes: 3_604_480 });
    expect(() => both.call(generatedTensor('input', [3, 16, 60, 60]))).toThrow(
      'layertap: expected a plan within 3604480 bytes of WebAssembly memory, got 3932160 for an input of [3, ' +
        '16, 60, 60] ' +
        '(37120 of weights, 3890688 of activations); what fits: an input of [2, 16, 60, 60] (2818048 bytes)',
    );
  });

  it('is kept by one recording where all of the module runs', () => {
    let runs = 0;
    class Counted extends ReLU {
      override forward(x: Value): Value {
        runs++;
        return super.forward(x);
      }
    }
    new Counted().compile({ memoryBudgetBytes: 2 ** 20 }).call(generatedTensor('input', [1, 1, 4, 4]));
    expect(runs).toBe(1);
  });

  it('is known to be too small by shapes alone, before any algorithm is asked', () => {
    const asked: string[] = [];
    const ask = (what: string) => {
      asked.push(what);
      return [];
    };
    const op: Op<null> = {
      name: 'huge',
      inferShape: ([x]) => x!,
      algorithms: [
        {
          name: 'direct',
          prepare() {
            ask('prepare');
            return { phases: () => ask('phases') };
          },
        },
      ],
    };
    const traced = ([shape]: readonly Shape[]) => {
      const graph = new Graph([shape!]);
      return graph.program([graph.record(op, graph.inputs, null)]);
    };
    const model = new CompiledModel({ memoryBudgetBytes: 2 ** 20 });
    const plan = (shape: Shape) => model.plan(traced([shape]), { resized: traced });
    expect(() => plan([1, 3, 60_000, 60_000])).toThrow(
      'layertap: expected a plan within 1048576 bytes of WebAssembly memory, got at least 115200032768 for ' +
        'an input of ' +
        "[1, 3, 60000, 60000] (0 of weights, 115200000000 of activations); nor fit weightStorage: 'f16' (at least 115200032768 " +
        'bytes), or an input of [1, 3, 1875, 1875] (at least 112525312 bytes)',
    );
    expect(asked).toEqual([]);
    plan([1, 3, 60, 60]);
    expect(asked).not.toEqual([]);
  });

  it('is told in no time for a padding, a picture and a batch that no host has room for', async () => {
    const conv = fillParameters(new Conv2d(64, 64, 3, { padding: 100_000 }));
    expect(() => conv.call(generatedTensor('input', [1, 64, 8, 8]))).toThrow(
      'layertap: expected a plan within 4294967296 bytes of WebAssembly memory, got at least 10240614596608 ' +
        'for an input of ' +
        "[1, 64, 8, 8] (147456 of weights, 10240614425600 of activations); nor fit weightStorage: 'f16' (at least 10240614531072 " +
        'bytes), or an input of [1, 64, 1, 1] (at least 10239897763840 bytes)',
    );
    const model = fillParameters(new ResNet(BasicBlock, [1, 1, 1, 1]));
    const file = await openSafetensors(saveSafetensors(model.stateDict()));
    for (const shape of [
      [1, 3, 60_000, 60_000],
      [100_000, 3, 224, 224],
      [1, 3, 520, 346_493],
    ]) {
      await expect(model.loadStateDictAsync(file, { inputShapes: [shape] }), String(shape)).rejects.toThrow(
        /^layertap: expected a plan within 4294967296 bytes of WebAssembly memory, got at least \d+ for an input of .*; what fits: an/,
      );
    }
    expect(model.compiled?.memoryBytes ?? 0).toBeLessThanOrEqual(65536);
  });

  it('is never told to be too small for what fits: no plan takes less than its values', () => {
    const models = [resnet18(), squeezenet1_1(), mobilenet_v3_small(), deeplabv3_resnet50({ auxLoss: true })];
    for (const model of models) {
      for (const shape of [
        [1, 3, 64, 48],
        [2, 3, 39, 81],
      ]) {
        const whole = programOf([shape], (x) => valuesOf(model.call(x)));
        const every = (n: number) => whole.nodes.filter((_, i) => i % n === 0).map(({ output }) => output);
        const programs = [whole, ...[1, 2, 7].map((n) => ({ ...whole, taps: every(n) }))];
        for (const program of programs) {
          for (const weightStorage of ['f32', 'f16'] as const) {
            const { memoryBytes, constantBytes, roomBytes } = leastSizes(program, weightStorage);
            const plan = new Plan(program, COST_ENGINE, { weightStorage, bytePrice: Infinity });
            const what = `${model.constructor.name} ${shape} ${program.taps.length} ${weightStorage}`;
            expect(memoryBytes, what).toBeLessThanOrEqual(plan.memoryBytes);
            expect(constantBytes, what).toBeLessThanOrEqual(plan.constantBytes);
            expect(roomBytes, what).toBeLessThanOrEqual(plan.roomBytes);
          }
        }
      }
    }
  });
});

describe('a smaller input', () => {
  /** What is found where inputs take `bytes` bytes, and how many were asked for. */
  const searched = (given: readonly Shape[], most: number, bytes: (shapes: readonly Shape[]) => number) => {
    let plans = 0;
    const sizesOf = (shapes: readonly Shape[]) => {
      plans++;
      return { memoryBytes: bytes(shapes), constantBytes: 0, roomBytes: bytes(shapes) };
    };
    const found = smallerInput(given, sizesOf(given), sizesOf, most);
    return { shapes: found?.shapes, plans: plans - 1 };
  };

  it('is the largest that fits, and takes a plan or two where bytes grow with pixels', () => {
    const pixels = ([shape]: readonly Shape[]) => shape![0]! * shape![2]! * shape![3]!;
    expect(searched([[1, 3, 320, 640]], 50_000, pixels)).toEqual({ shapes: [[1, 3, 150, 300]], plans: 1 });
    expect(searched([[9, 3, 10, 10]], 420, pixels)).toEqual({ shapes: [[4, 3, 10, 10]], plans: 1 });
    expect(searched([[9, 3, 10, 10]], 50, pixels)).toEqual({ shapes: [[1, 3, 7, 7]], plans: 2 });
  });

  it('is found where bytes grow less than pixels', () => {
    const flat = ([shape]: readonly Shape[]) => 1e6 + shape![2]!;
    expect(searched([[1, 3, 320, 320]], 1e6 + 200, flat)).toEqual({ shapes: [[1, 3, 240, 240]], plans: 8 });
  });

  it('is given up after eight plans', () => {
    expect(searched([[2 ** 40, 64]], 10, () => 11)).toMatchObject({ plans: 8 });
  });

  it.each([new ShapeError('too small'), new TypeError("a forward's own")])(
    'is at least what the program can take, which is told by %s',
    (error) => {
      const tooSmall = ([shape]: readonly Shape[]) => {
        const height = shape![2]!;
        if (height < 33) throw error;
        return height * 10;
      };
      expect(searched([[1, 3, 320, 320]], 100, tooSmall).shapes).toEqual([[1, 3, 50, 50]]);
    },
  );
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
    expect(() => conv.compile({ deterministic: 'no' as unknown as boolean })).toThrow(
      'compile: deterministic: expected true or false, got "no"',
    );
    for (const pool of [null, 2, Promise.resolve()] as unknown as NonNullable<CompileOptions['pool']>[]) {
      expect(() => conv.compile({ pool })).toThrow(/^compile: expected pool as a ThreadPool, got (null|2|a Promise)/);
    }
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
