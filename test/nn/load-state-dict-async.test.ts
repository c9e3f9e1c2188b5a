/** Weights that arrive one by one: checked first, kept or packed as they come, and never run by halves. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FormatError, MemoryError, StateDictError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { BasicBlock, ResNet } from '../../src/models/resnet.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { linear, matmul } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import type { CompileOptions } from '../../src/plan/compile-options.ts';
import { numberToFloat16 } from '../../src/tensor/dtype.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';

type Entries = AsyncGenerator<readonly [string, Tensor], void, void>;

/** A file of tensors, and the names that were asked for. */
class File implements TensorStream {
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>;
  readonly asked: string[][] = [];
  readonly #stream: (names: readonly string[]) => Entries;

  constructor(tensors: ReadonlyMap<string, Tensor>, stream?: (names: readonly string[]) => Entries) {
    this.tensors = tensors;
    this.#stream =
      stream ??
      async function* (names) {
        for (const name of names) yield [name, tensors.get(name)!];
      };
  }

  stream(names: Iterable<string>): Entries {
    this.asked.push([...names]);
    return this.#stream(this.asked.at(-1)!);
  }
}

const SHAPE = [1, 3, 48, 40] as const;
const RETURN_LAYERS = { layer2: 'out', 'layer1.0.conv2': 'conv', layer1: 'aux' };
const x = generatedTensor('input', SHAPE, 2);

const network = () => new ResNet(BasicBlock, [1, 1, 1, 1]);
const getter = (options: CompileOptions = {}) => new IntermediateLayerGetter(network(), RETURN_LAYERS).compile(options);
const values = fillParameters(new IntermediateLayerGetter(network(), RETURN_LAYERS)).stateDict();
const convs = () => new Sequential(new Conv2d(16, 32, 3, { padding: 1 }), new BatchNorm2d(32));
const convValues = fillParameters(convs()).stateDict();

/** The features of a getter that was loaded at once. */
function expectedFeatures(options: CompileOptions = {}, of: ReadonlyMap<string, Tensor> = values) {
  const loaded = getter(options);
  loaded.loadStateDict(of);
  return loaded.forward(x);
}

describe('loadStateDictAsync', () => {
  it('keeps the values, as loadStateDict does', async () => {
    const model = getter();
    const file = new File(values);
    expect(await model.loadStateDictAsync(file)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(file.asked).toEqual([[...values.keys()]]);
    expect(model.forward(x)).toEqual(expectedFeatures());
    expect([...model.stateDict()]).toEqual([...values]);
  });

  it('checks keys and shapes before it asks for anything', async () => {
    const wrong = new Map<string, Tensor>(values);
    wrong.delete('conv1.weight');
    wrong.set('conv9.weight', generatedTensor('w', [1]));
    wrong.set('bn1.weight', generatedTensor('w', [63]));
    for (const inputShapes of [null, [SHAPE]]) {
      const model = getter();
      model.loadStateDict(values);
      const file = new File(wrong);
      await expect(model.loadStateDictAsync(file, { inputShapes })).rejects.toThrow(
        'Error(s) in loading state_dict for IntermediateLayerGetter:\n\t' +
          'Missing key(s) in state_dict: "conv1.weight". \n\tUnexpected key(s) in state_dict: "conv9.weight". \n\t' +
          'size mismatch for bn1.weight: copying a param with shape torch.Size([63]) from checkpoint, ' +
          'the shape in current model is torch.Size([64]).',
      );
      expect(file.asked).toEqual([]);
      expect(model.forward(x)).toEqual(expectedFeatures());
    }
  });

  it("asks only for what a getter kept of the whole model's file, and refuses other keys", async () => {
    const whole = fillParameters(network()).stateDict();
    for (const inputShapes of [null, [SHAPE]]) {
      const model = getter();
      const file = new File(whole);
      expect(await model.loadStateDictAsync(file, { inputShapes })).toEqual({ missingKeys: [], unexpectedKeys: [] });
      const asked = [...values.keys()].filter((key) => !inputShapes || !key.endsWith('num_batches_tracked'));
      expect(file.asked).toEqual([asked]);
      expect(model.forward(x)).toEqual(expectedFeatures());
    }
    const foreign = new File(new Map([...whole, ['layer5.weight', generatedTensor('w', [1])]]));
    await expect(getter().loadStateDictAsync(foreign)).rejects.toThrow(
      'Error(s) in loading state_dict for IntermediateLayerGetter:\n\t' +
        'Unexpected key(s) in state_dict: "layer5.weight". ',
    );
    expect(foreign.asked).toEqual([]);
  });

  it('asks only for what the module has, where keys need not match', async () => {
    const file = new File(fillParameters(network()).stateDict());
    const model = getter();
    const { missingKeys, unexpectedKeys } = await model.loadStateDictAsync(file, { strict: false });
    expect(missingKeys).toEqual([]);
    expect(unexpectedKeys).toContain('layer4.0.conv1.weight');
    expect(file.asked).toEqual([[...values.keys()]]);
  });

  it('tells how much has arrived, as the file does', async () => {
    const seen: unknown[] = [];
    const file = new File(convValues);
    const told: TensorStream = {
      tensors: file.tensors,
      stream(names, options) {
        options?.onProgress?.({ loadedBytes: 1, totalBytes: 2 });
        return file.stream(names);
      },
    };
    await convs().loadStateDictAsync(told, { onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([{ loadedBytes: 1, totalBytes: 2 }]);
  });

  it('refuses options that it has not', async () => {
    await expect(convs().loadStateDictAsync(new File(convValues), { shapes: [] } as object)).rejects.toThrow(
      'loadStateDictAsync: expected options of strict, inputShapes, signal, onProgress, got "shapes"',
    );
  });
});

describe('loadStateDictAsync with inputShapes', () => {
  it.each<CompileOptions>([{}, { deterministic: true }, { weightStorage: 'f16' }, { memoryBudgetBytes: 6 * 2 ** 20 }])(
    'gives the bits of loadStateDict with %o, for every subset of taps, in the same memory',
    async (options) => {
      const model = getter(options);
      const file = new File(values);
      await model.loadStateDictAsync(file, { inputShapes: [SHAPE] });
      const expected = expectedFeatures(options);
      for (const only of [['out', 'conv', 'aux'], ['out'], ['conv'], ['aux', 'conv']]) {
        for (const [name, { data }] of model.forward(x, { only })) expect(data).toEqual(expected.get(name)!.data);
      }
      const loaded = getter(options);
      loaded.loadStateDict(values);
      loaded.forward(x);
      expect(model.compiled!.memoryBytes).toBeLessThanOrEqual(loaded.compiled!.memoryBytes);
      // Whatever no input reaches isn't read.
      expect(file.asked).toEqual([[...values.keys()].filter((key) => !key.endsWith('num_batches_tracked'))]);
    },
  );

  it('takes f16 files as they are', async () => {
    const halves = new Map(
      [...values].map(([key, { data, shape, dtype }]) => {
        if (dtype !== 'float32') return [key, values.get(key)!];
        return [key, new Tensor(Uint16Array.from(data as Float32Array, numberToFloat16), shape, 'float16')];
      }),
    );
    const model = getter({ weightStorage: 'f16' });
    await model.loadStateDictAsync(new File(halves), { inputShapes: [SHAPE] });
    expect(model.forward(x)).toEqual(expectedFeatures({ weightStorage: 'f16' }, halves));
  });

  it.each([
    ["the file's order", (names: string[]) => names],
    ['the reverse order', (names: string[]) => names.reverse()],
  ])('has values put where activations will be, in %s, and keeps nothing of that memory', async (_, ordered) => {
    const file = new File(values);
    const reusing: TensorStream = {
      tensors: file.tensors,
      async *stream(names, options) {
        for await (const [name, { data, shape, dtype }] of file.stream(ordered([...names]))) {
          const { buffer, byteOffset } = options!.memory!(name, data.byteLength);
          const view = new Float32Array(buffer, byteOffset, data.length);
          view.set(data as Float32Array);
          yield [name, new Tensor(view, shape, dtype)];
          view.fill(Number.NaN);
        }
      },
    };
    const model = getter();
    await model.loadStateDictAsync(reusing, { inputShapes: [SHAPE] });
    expect(model.forward(x)).toEqual(expectedFeatures());
  });

  it("lets a weight's values go", async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const weights: WeakRef<Tensor>[] = [];
    const model = convs();
    const file = new File(convValues, async function* (names) {
      for (const name of names) {
        const { data, shape } = convValues.get(name)!;
        const tensor = new Tensor(data.slice(), shape);
        if (shape.length > 1) weights.push(new WeakRef(tensor));
        yield [name, tensor];
      }
    });
    await model.loadStateDictAsync(file, { inputShapes: [[1, 16, 20, 20]] });
    for (let i = 0; i < 20 && weights.some((weight) => weight.deref()); i++) {
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    }
    expect(weights.map((weight) => weight.deref())).toEqual([undefined]);
    expect(() => model.stateDict()).toThrow(
      'Sequential: expected values for all parameters, got none for "0.weight"; loadStateDictAsync keeps ' +
        'none where it is given ' +
        'inputShapes: load without them',
    );
  });

  it('runs another input shape that takes the same algorithms, and says what to do for others', async () => {
    const [large, similar, small] = [
      [1, 16, 20, 20],
      [1, 16, 22, 20],
      [1, 16, 3, 3],
    ] as const;
    const loaded = convs();
    loaded.loadStateDict(convValues);
    const input = (shape: readonly number[]) => generatedTensor('input', shape);
    const expected = new Map([large, similar, small].map((shape) => [shape, loaded.call(input(shape)).data]));
    const model = convs();
    await model.loadStateDictAsync(new File(convValues), { inputShapes: [large] });
    expect(model.call(input(similar)).data).toEqual(expected.get(similar));
    const refuse = () => model.call(input(small));
    expect(refuse).toThrow(StateDictError);
    expect(refuse).toThrow(
      'Sequential: expected weights packed for an input of [1, 16, 3, 3], got them packed for [1, 16, 20, 20]; call ' +
        'loadStateDictAsync with both among inputShapes, or without inputShapes to keep the values',
    );
    expect(model.call(input(large)).data).toEqual(expected.get(large));

    const both = convs();
    await both.loadStateDictAsync(new File(convValues), { inputShapes: [large, small] });
    for (const shape of [small, large, similar, small, large]) {
      expect(both.call(input(shape)).data).toEqual(expected.get(shape));
    }
  });

  it('keeps the values of a weight that another op reads as they are', async () => {
    class Tied extends Module {
      readonly weight = new Parameter([8, 8]);
      forward(x: Value): Value {
        return matmul(linear(x, this.weight), this.weight);
      }
    }
    const state = fillParameters(new Tied()).stateDict();
    const loaded = new Tied();
    loaded.loadStateDict(state);
    const model = new Tied();
    await model.loadStateDictAsync(new File(state), { inputShapes: [[2, 8]] });
    const input = generatedTensor('input', [2, 8]);
    expectBits(model.call(input).data, loaded.call(input).data, 'tied');
  });

  it('never drops a packed weight, however large an input comes', async () => {
    const model = convs();
    await model.loadStateDictAsync(new File(convValues), { inputShapes: [[1, 16, 20, 20]] });
    const loaded = convs();
    loaded.loadStateDict(convValues);
    for (const size of [20, 57, 24, 60, 20]) {
      const input = generatedTensor('input', [1, 16, size, size]);
      expectBits(model.call(input).data, loaded.call(input).data, `${size}`);
    }
  });

  it('says so where values that are gone would be needed to compile anew', async () => {
    const message =
      'Sequential: expected values for all parameters that run, got none for "0.weight"; loadStateDictAsync ' +
      'keeps none where ' +
      'it is given inputShapes: load without them';
    const input = generatedTensor('input', [1, 16, 20, 20]);
    for (const change of [
      (model: Sequential) => model.compile({ deterministic: true }),
      (model: Sequential) => model.registerForwardHook(() => undefined),
      (model: Sequential) =>
        model.loadStateDict(
          [...convValues].filter(([key]) => key === '0.bias'),
          { strict: false },
        ),
    ]) {
      const model = convs();
      await model.loadStateDictAsync(new File(convValues), { inputShapes: [[1, 16, 20, 20]] });
      model.call(input);
      change(model);
      expect(() => model.call(input)).toThrow(message);
    }
    const model = convs();
    await model.loadStateDictAsync(new File(convValues), { inputShapes: [[1, 16, 20, 20]] });
    model.loadStateDict(convValues);
    expect(model.call(input).shape).toEqual([1, 32, 20, 20]);
  });

  it('refuses before reading what fits no memory', async () => {
    const model = getter({ memoryBudgetBytes: 2 ** 20 });
    const file = new File(values);
    await expect(model.loadStateDictAsync(file, { inputShapes: [SHAPE] })).rejects.toThrow(MemoryError);
    expect(file.asked).toEqual([]);

    const wide = () => new Conv2d(64, 64, 3, { padding: 1 });
    const wideFile = new File(fillParameters(wide()).stateDict());
    const shapes = [
      [1, 64, 16, 16],
      [1, 64, 3, 3],
    ];
    const both = wide();
    await both.loadStateDictAsync(wideFile, { inputShapes: shapes });
    const memoryBudgetBytes = both.compiled!.memoryBytes - 65536;
    for (const shape of shapes)
      await wide()
        .compile({ memoryBudgetBytes })
        .loadStateDictAsync(wideFile, { inputShapes: [shape] });
    wideFile.asked.length = 0;
    const refused = wide().compile({ memoryBudgetBytes }).loadStateDictAsync(wideFile, { inputShapes: shapes });
    await expect(refused).rejects.toThrow(
      `layertap: expected plans within ${memoryBudgetBytes} bytes of WebAssembly memory, got ` +
        `${memoryBudgetBytes + 65536} for 2 input ` +
        'shapes together, whose weights are packed in several ways; load for fewer of them',
    );
    expect(wideFile.asked).toEqual([]);
  });
});

describe('a file that ends, breaks or lies while it is loaded', () => {
  const NONE = /^Sequential: expected values for all parameters that run, got none for "0.weight"/;
  const input = generatedTensor('input', [1, 16, 20, 20]);
  const inputShapes = [input.shape];

  /** Loads a broken file into a module that had values, and one that works after it. */
  async function expectNothingHalfLoaded(broken: TensorStream, expected: unknown, options = {}): Promise<void> {
    const model = convs();
    model.loadStateDict(convValues);
    const out = model.call(input).data;
    await expect(model.loadStateDictAsync(broken, { ...options, inputShapes })).rejects.toThrow(expected as Error);
    expect(() => model.call(input)).toThrow(NONE);
    expect(() => model.stateDict()).toThrow(StateDictError);
    await model.loadStateDictAsync(new File(convValues), { inputShapes });
    expect(model.call(input).data).toEqual(out);

    // Without inputShapes nothing changes.
    const keeping = convs();
    keeping.loadStateDict(convValues);
    await expect(keeping.loadStateDictAsync(broken, options)).rejects.toThrow(expected as Error);
    expect(keeping.call(input).data).toEqual(out);
  }

  const entry = (name: string) => [name, convValues.get(name)!] as const;

  it('leaves a module without values wherever it breaks', async () => {
    for (let count = 0; count <= 6; count++) {
      const broken = new File(convValues, async function* (names) {
        for (const name of names.slice(0, count)) yield entry(name);
        throw new Error('the connection is lost');
      });
      await expectNothingHalfLoaded(broken, new Error('the connection is lost'));
    }
  });

  it('is refused with what it gave', async () => {
    const lies: [(names: readonly string[]) => Entries, string][] = [
      [
        async function* (names) {
          yield entry(names[0]!);
          yield entry(names[0]!);
        },
        'loadStateDictAsync: expected a tensor that was asked for and has not come yet, got "0.weight"',
      ],
      [
        async function* (names) {
          for (const name of names) yield entry(name);
          yield entry('1.num_batches_tracked');
          yield ['more', generatedTensor('more', [1])];
        },
        'loadStateDictAsync: expected no more tensors, got ',
      ],
      [
        async function* () {
          yield ['0.weight', generatedTensor('w', [32, 16, 3, 2])];
        },
        'loadStateDictAsync: expected "0.weight" of shape [32, 16, 3, 3], as the file said, got [32, 16, 3, 2]',
      ],
      [
        async function* (names) {
          yield entry(names[1]!);
        },
        'loadStateDictAsync: expected all ',
      ],
    ];
    for (const [stream, message] of lies) {
      await expectNothingHalfLoaded(new File(convValues, stream), message);
      await expect(convs().loadStateDictAsync(new File(convValues, stream), { inputShapes })).rejects.toThrow(
        FormatError,
      );
    }
    const short = new File(convValues, async function* () {
      yield entry('0.weight');
    });
    await expect(convs().loadStateDictAsync(short, { inputShapes })).rejects.toThrow(
      'loadStateDictAsync: expected all 6 tensors that were asked for, got none for "0.bias", "1.weight", "1.bias", ' +
        '"1.running_mean", "1.running_var"',
    );
  });

  it('is left where the signal is aborted, with its reason', async () => {
    const stop = new AbortController();
    const endless = new File(convValues, async function* (names) {
      yield entry(names[0]!);
      stop.abort(new Error('enough'));
      for (;;) yield entry(names[1]!);
    });
    await expectNothingHalfLoaded(endless, new Error('enough'), { signal: stop.signal });
  });

  it('has no effect on a layer without weights to pack', async () => {
    const norm = fillParameters(new BatchNorm2d(4));
    const y = generatedTensor('input', [1, 4, 3, 3]);
    const before = norm.call(y).data;
    const others = fillParameters(new BatchNorm2d(4), 'other.').stateDict();
    const broken = new File(others, async function* (names) {
      for (const name of names.slice(0, 2)) yield [name, others.get(name)!];
      throw new Error('the connection is lost');
    });
    await expect(norm.loadStateDictAsync(broken, { inputShapes: [[1, 4, 3, 3]] })).rejects.toThrow('is lost');
    expect(norm.call(y).data).toEqual(before);
  });

  it('may not change the module meanwhile', async () => {
    for (const change of [
      (model: Sequential) => model.compile(),
      (model: Sequential) => model.loadStateDict(convValues),
      (model: Sequential) => expect(() => model.call(input)).toThrow(NONE),
    ]) {
      const model = convs();
      const file = new File(convValues, async function* (names) {
        for (const name of names) {
          yield entry(name);
          if (name === '0.bias') change(model);
        }
      });
      const loading = model.loadStateDictAsync(file, { inputShapes });
      if (change.toString().includes('NONE')) await loading;
      else {
        await expect(loading).rejects.toThrow(
          'Sequential: expected a module that stays as it is while it is loaded, got one that changed',
        );
      }
    }
  });
});
