/** Whatever the cost model would choose: every algorithm that fits a convolution computes it, epilogue included. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Program, record, type Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d, type Conv2dOptions } from '../../src/nn/conv.ts';
import { add, cat, hardswish, relu } from '../../src/nn/functional.ts';
import type { Conv2dAttrs } from '../../src/ops/conv2d/attrs.ts';
import { conv2d, referenceConv2d } from '../../src/ops/conv2d/conv2d.ts';
import type { Algorithm, Site } from '../../src/ops/lowering/algorithm.ts';
import type { Op } from '../../src/ops/op.ts';
import { NO_EPILOGUE } from '../../src/ops/rules/epilogue.ts';
import { type Pair, toSides } from '../../src/ops/rules/window.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { numberToFloat16 } from '../../src/tensor/dtype.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { binaries } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { allTapped, inputsOf, programOf, runPlan } from '../support/programs.ts';
import { largest, worstDisagreement } from '../support/tolerance.ts';

const SEED = 3;

/** The algorithm of this name. */
const named = (name: string): Algorithm<Conv2dAttrs> => conv2d.algorithms.find((algorithm) => algorithm.name === name)!;

interface Layer {
  readonly images: number;
  readonly channels: readonly [from: number, to: number];
  readonly size: readonly [height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly options: Conv2dOptions & { readonly groups: number };
  readonly isConcat: boolean;
  readonly hasResidual: boolean;
  /** True where nothing but the layer reads its residual. */
  readonly isOnlyRead: boolean;
  readonly isCurved: boolean;
}

/** Convolutions of the sizes that an algorithm is made for, and of those around. */
const layers: fc.Arbitrary<Layer> = fc
  .record({
    images: fc.integer({ min: 1, max: 2 }),
    channels: fc.tuple(fc.constantFrom(1, 3, 5, 16, 20, 24, 64, 68), fc.constantFrom(1, 4, 7, 16, 17, 20, 33)),
    size: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
    kernel: fc.constantFrom([3, 3], [3, 3], [3, 3], [1, 1], [2, 3], [1, 5], [4, 2]),
    stride: fc.constantFrom(1, 1, 1, 2, 3),
    dilation: fc.constantFrom(1, 1, 2, 3, 6),
    /** As dilation, so that size stays, or any. */
    padding: fc.option(fc.nat(7), { freq: 1 }),
    groups: fc.constantFrom('one', 'one', 'one', 'some', 'all'),
    bias: fc.boolean(),
    isConcat: fc.boolean(),
    hasResidual: fc.boolean(),
    isOnlyRead: fc.boolean(),
    isCurved: fc.boolean(),
  })
  .map(({ stride, dilation, padding, groups, bias, channels: [from, to], kernel, ...rest }) => {
    const count = groups === 'one' ? 1 : groups === 'all' ? from : from % 4 === 0 ? 4 : 1;
    const channels = [from, groups === 'all' ? from : Math.ceil(to / count) * count] as const;
    const options = { stride, dilation, padding: padding ?? dilation, groups: count, bias };
    return { ...rest, channels, kernel: kernel as [number, number], options };
  })
  .filter(({ size, kernel, options: { padding, dilation } }) =>
    [0, 1].every((i) => size[i]! + 2 * (padding as number) > (dilation as number) * (kernel[i]! - 1)),
  );

/** The layer's attributes and shapes, as an algorithm is asked with them. */
function siteOf({ images, channels, size, kernel, options }: Layer): Site<Conv2dAttrs> {
  const module = fillParameters(new Conv2d(channels[0], channels[1], kernel, options));
  const { weight, bias, stride, dilation, groups } = module;
  const padding = toSides('padding', module.padding as Pair);
  const attrs = { weight, bias, stride, padding, dilation, groups };
  const shape = [images, channels[0], ...size];
  const output = conv2d.inferShape([shape], attrs);
  return {
    inputs: [shape],
    shapes: [shape],
    output,
    attrs,
    epilogue: NO_EPILOGUE,
    engine: { tileRows: 4, threads: 1, deterministic: false },
    weightStorage: 'f32',
  };
}

/** The layer whose weights are binary16s. */
function halved(algorithm: Algorithm<Conv2dAttrs>, layer: Layer): Program {
  const program = programWith(layer, algorithm);
  for (const { attrs } of program.nodes) {
    const weight = (attrs as Partial<Conv2dAttrs> | null)?.weight;
    if (weight) weight.tensor = new Tensor(Uint16Array.from(weight.values(), numberToFloat16), weight.shape, 'float16');
  }
  return program;
}

/** The layer as a program with an algorithm, its input and output inside of concatenations where asked. */
function programWith(layer: Layer, algorithm: Algorithm<Conv2dAttrs>): Program {
  const { attrs, inputs, output } = siteOf(layer);
  const only: Op<Conv2dAttrs> = { ...conv2d, algorithms: [algorithm], reference: referenceConv2d };
  const { channels } = layer;
  const norm = fillParameters(new BatchNorm2d(channels[1]));
  return programOf([inputs[0]!, output], (input, residual) => {
    const x = layer.isConcat ? relu(input!) : input!;
    // Of a value that nothing else reads, the output may take the place.
    const added = layer.isOnlyRead ? relu(residual!) : residual!;
    let y: Value = norm.call(record(only, [x], attrs)) as Value;
    if (layer.hasResidual) y = add(y, added);
    y = layer.isCurved ? hardswish(y) : relu(y);
    if (!layer.isConcat) return [y];
    const before = relu(residual!);
    // x lies beside another value from the start, and y behind one.
    return [cat(channels[1] % 4 === 0 ? [before, y] : [y]), cat([x, x])];
  });
}

/** The same with each phase's steps backwards: they mustn't depend on each other. */
function lastFirst<A>(algorithm: Algorithm<A>): Algorithm<A> {
  return {
    ...algorithm,
    prepare(site) {
      const prepared = algorithm.prepare(site);
      if (!prepared) return null;
      return { ...prepared, phases: (binding) => prepared.phases(binding).map((phase) => [...phase].reverse()) };
    },
  };
}

describe.each(conv2d.algorithms)('$name', (algorithm) => {
  it('computes every convolution that it fits, fused or not, beside other values or not', () => {
    const fitting = layers.filter((layer) => algorithm.prepare(siteOf(layer)) !== null);
    fc.assert(
      fc.property(fitting, (layer) => {
        const program = programWith(layer, algorithm);
        const inputs = inputsOf(program, 'input');
        const expected = interpret(program, inputs);
        const whole = allTapped(program);
        const scale = Math.max(1, ...interpret(whole, inputs).map(largest));
        for (const binary of binaries) {
          const unfused = new Map(runPlan(whole, inputs, binary).map((tensor, i) => [whole.taps[i]!, tensor]));
          const fused = runPlan(program, inputs, binary);
          const reversed = runPlan(programWith(layer, lastFirst(algorithm)), inputs, binary, 3);
          reversed.forEach(({ data }, i) => {
            expectBits(data, fused[i]!.data, `tap ${i} in ${binary}, cut for three threads`);
          });
          fused.forEach(({ data }, i) => {
            // √(68·9)·2⁻²⁴ of the largest value for independent roundings, and as much for those of a transform.
            const worst = worstDisagreement(data, expected[i]!.data, () => 3e-6 * scale);
            expect(worst.ratio, `tap ${i} in ${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
            expectBits(data, unfused.get(program.taps[i]!)!.data, `tap ${i} in ${binary}, unfused`);
          });
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('gives the same bits for binary16 weights, stored as f16 or as f32, on any number of threads', () => {
    const fitting = layers.filter((layer) => algorithm.prepare(siteOf(layer)) !== null);
    fc.assert(
      fc.property(fitting, fc.integer({ min: 1, max: 3 }), (layer, threads) => {
        const program = halved(algorithm, layer);
        const inputs = inputsOf(program, 'input');
        for (const binary of binaries) {
          const expected = runPlan(program, inputs, binary);
          const model = new CompiledModel({ weightStorage: 'f16' }, { instance: instantiate(binary), threads });
          const plan = model.plan(program);
          model.run(plan, inputs).forEach(({ data }, i) => {
            expectBits(data, expected[i]!.data, `tap ${i} in ${binary}`);
          });
        }
      }),
      { seed: SEED, numRuns: 40 },
    );
  });
});

describe.each([
  [named('toeplitz-2x2'), [5, 7], 4, 1],
  [named('winograd-2x2'), [5, 7], 1, 1],
  [named('winograd-3x3'), [5, 7], 1, 1],
  [named('winograd-4x4'), [5, 7], 1, 1],
  [named('winograd-3x3-s2'), [10, 13], 1, 2],
] as const)('$0.name', (algorithm, size, dilation, stride) => {
  it('goes on from the sums of the channels before, where there are too many for one transform', () => {
    expectOneResult(algorithm, wideLayer(size, dilation, 516, stride));
  });
});

// 128 tiles or more: two images have so many that the weight is transformed in each run, one image hasn't.
describe.each([
  [named('winograd-2x2'), [21, 23], 1, 516, 1],
  [named('winograd-3x3'), [33, 35], 2, 1028, 1],
  [named('winograd-4x4'), [46, 45], 1, 516, 1],
  [named('winograd-3x3-s2'), [66, 69], 1, 516, 2],
] as const)('$0.name of many tiles', (algorithm, size, dilation, channels, stride) => {
  it('transforms the weight in each run, to the same bits as where it is held', () => {
    const layer = wideLayer(size, dilation, channels, stride);
    const two = expectOneResult(algorithm, { ...layer, images: 2 });
    for (const [binary, images] of two) {
      const [x, residual] = images.inputs;
      [0, 1].forEach((n) => {
        const alone = [x!, residual!].map((tensor) => imageOf(tensor, n));
        const [expected] = runPlan(halved(algorithm, layer), alone, binary);
        expectBits(imageOf(images.output, n).data, expected!.data, `image ${n} in ${binary}`);
      });
    }
  });
});

/** A layer of more channels than are transformed at a time. */
function wideLayer(size: readonly [number, number], dilation: number, channels: number, stride: number): Layer {
  return {
    ...({ images: 1, channels: [channels, 17], size, kernel: [3, 3] } as const),
    ...{ options: { stride, padding: dilation, dilation, groups: 1 }, isConcat: false, hasResidual: true },
    ...{ isOnlyRead: true, isCurved: false },
  };
}

function imageOf({ data, shape }: Tensor<Float32Array>, n: number): Tensor<Float32Array> {
  const length = data.length / shape[0]!;
  return new Tensor(data.slice(n * length, (n + 1) * length), [1, ...shape.slice(1)]);
}

/** The layer's output in each binary: near the reference's, and the same for weights stored as f16, on two threads. */
function expectOneResult(algorithm: Algorithm<Conv2dAttrs>, layer: Layer) {
  const program = halved(algorithm, layer);
  const inputs = inputsOf(program, 'input');
  const [expected] = interpret(program, inputs);
  const scale = Math.max(1, ...interpret(allTapped(program), inputs).map(largest));
  return binaries.map((binary) => {
    const [output] = runPlan(program, inputs, binary);
    // As above, √(channels·9)·2⁻²⁴ twice.
    const bound = 2 * Math.sqrt(layer.channels[0] * 9) * 2 ** -24 * scale;
    const worst = worstDisagreement(output!.data, expected!.data, () => bound);
    expect(worst.ratio, `${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    const stored = new CompiledModel({ weightStorage: 'f16' }, { instance: instantiate(binary), threads: 2 });
    const [alike] = stored.run(stored.plan(program), inputs);
    expectBits(alike!.data, output!.data, `${binary}: stored as f16, on two threads`);
    return [binary, { inputs, output: output! }] as const;
  });
}
