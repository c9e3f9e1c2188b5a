/** Random networks: a plan computes what the interpreter specifies, and neither fusing, taps nor other runs change a bit. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Program, Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import * as functional from '../../src/nn/functional.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { type Shape, sameShape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits, loadKernels, Random } from '../support/kernels.ts';
import { allTapped, inputsOf, programOf } from '../support/programs.ts';
import { largest, worstDisagreement } from '../support/tolerance.ts';

const SEED = 7;
const WORKER = new URL('../../dist/threads/worker.js', import.meta.url);

/** A step of a random network: what it computes, on which earlier values, and a seed for its sizes. */
interface Step {
  readonly kind: string;
  readonly on: readonly [number, number, number];
  readonly sizes: number;
}

interface Network {
  readonly input: Shape;
  readonly steps: readonly Step[];
  /** One bit for each value: whether it is a tap. */
  readonly taps: number;
}

/** Few for stems and tails, sixteen and more for Winograd, 64 for split taps. */
const CHANNELS = [1, 3, 4, 6, 16, 20, 32, 64, 64] as const;

const KERNELS = [
  [1, 1],
  [3, 3],
  [3, 3],
  [3, 3],
  [2, 3],
  [5, 1],
] as const;

type Build = (x: Value, others: readonly Value[], random: Random, key: string) => Value | null;

const layer = (module: Module, key: string, x: Value) => fillParameters(module, `${key}.`).call(x) as Value;
const pick = <T>(random: Random, items: readonly T[]): T => items[random.whole(0, items.length - 1)]!;
const isImage = (x: Value) => x.shape.length === 4;
const norm = (x: Value, key: string) => layer(new BatchNorm2d(x.shape[1]!), key, x);
const ACTIVATIONS = [
  functional.relu,
  functional.relu6,
  functional.hardswish,
  functional.hardsigmoid,
  functional.sigmoid,
  functional.silu,
];

const activation: Build = (x, _others, random) => pick(random, ACTIVATIONS)(x);

const convolution: Build = (x, _others, random, key) => {
  if (!isImage(x)) return null;
  const channels = x.shape[1]!;
  const kernel = pick(random, KERNELS);
  const dilation = pick(random, [1, 1, 2, 3]);
  const padding = random.whole(0, dilation * 2);
  const fits = [0, 1].every((i) => x.shape[i + 2]! + 2 * padding > dilation * (kernel[i]! - 1));
  const groups = pick(
    random,
    [1, 1, 2, 4, channels].filter((n) => channels % n === 0),
  );
  const out = groups * Math.ceil(pick(random, CHANNELS) / groups);
  if (!fits || out > 64) return null;
  const stride = pick(random, [1, 1, 1, 2]);
  return layer(
    new Conv2d(channels, out, kernel, { stride, padding, dilation, groups, bias: random.next() < 0.5 }),
    key,
    x,
  );
};

/** By name: what a step adds to a network, or null where it doesn't fit its operands. */
const BUILDS: Readonly<Record<string, Build>> = {
  convolution,
  activation,

  fused(x, others, random, key) {
    const y = convolution(x, others, random, `${key}.conv`);
    return y && activation(norm(y, `${key}.bn`), others, random, key);
  },

  residual(x, [other], random, key) {
    if (!isImage(x)) return null;
    const [from, to] = [other!.shape[1]!, x.shape[1]!];
    if (
      !isImage(other!) ||
      !sameShape([other!.shape[0]!, ...other!.shape.slice(2)], [x.shape[0]!, ...x.shape.slice(2)])
    ) {
      return null;
    }
    const y = norm(layer(new Conv2d(from, to, 3, { padding: 1 }), `${key}.conv`, other!), `${key}.bn`);
    return activation(random.next() < 0.5 ? functional.add(y, x) : functional.add(x, y), [], random, key);
  },

  depthwise(x, _others, random, key) {
    if (!isImage(x)) return null;
    const [channels, stride, dilation] = [x.shape[1]!, pick(random, [1, 2]), pick(random, [1, 2])];
    return layer(new Conv2d(channels, channels, 3, { padding: dilation, stride, dilation, groups: channels }), key, x);
  },

  norm: (x, _others, _random, key) => (isImage(x) ? norm(x, key) : null),
  add: (x, others) => (sameShape(x.shape, others[0]!.shape) ? functional.add(x, others[0]!) : null),
  mul: (x, others) => (sameShape(x.shape, others[0]!.shape) ? functional.mul(x, others[0]!) : null),

  excite(x, _others, _random, key) {
    if (!isImage(x)) return null;
    const [channels] = [x.shape[1]!];
    const pooled = functional.adaptiveAvgPool2d(x, 1);
    return functional.mul(x, functional.sigmoid(layer(new Conv2d(channels, channels, 1), key, pooled)));
  },

  concat(x, others, random) {
    const fits = others.filter(
      (y) => y.shape.every((size, i) => i === 1 || size === x.shape[i]) && isImage(y) === isImage(x),
    );
    const parts = [x, ...fits].slice(0, random.whole(1, 3));
    if (random.next() < 0.3) parts.push(x);
    return parts.reduce((sum, { shape }) => sum + shape[1]!, 0) <= 128 ? functional.cat(parts) : null;
  },

  maxPool(x, _others, random) {
    if (!isImage(x)) return null;
    const [kernel, stride, ceilMode] = [random.whole(1, 3), random.whole(1, 3), random.next() < 0.5];
    const padding = random.whole(0, Math.floor(kernel / 2));
    if (Math.min(x.shape[2]!, x.shape[3]!) + 2 * padding < kernel) return null;
    return functional.maxPool2d(x, kernel, { stride, padding, ceilMode });
  },

  avgPool(x, _others, random) {
    if (!isImage(x)) return null;
    const [kernel, stride, ceilMode] = [random.whole(1, 3), random.whole(1, 3), random.next() < 0.5];
    const padding = random.whole(0, Math.floor(kernel / 2));
    if (Math.min(x.shape[2]!, x.shape[3]!) + 2 * padding < kernel) return null;
    return functional.avgPool2d(x, kernel, { stride, padding, ceilMode, countIncludePad: random.next() < 0.5 });
  },

  adaptive: (x, _others, random) =>
    isImage(x) ? functional.adaptiveAvgPool2d(x, [random.whole(1, 9), pick(random, [1, 4, null])]) : null,

  resize(x, _others, random) {
    if (!isImage(x)) return null;
    const size = [random.whole(1, 14), random.whole(1, 14)] as const;
    return random.next() < 0.3
      ? functional.interpolate(x, { size })
      : functional.interpolate(x, { size, mode: 'bilinear', alignCorners: random.next() < 0.5 });
  },

  flatten: (x) => (isImage(x) && x.shape.slice(1).reduce((a, b) => a * b) <= 512 ? functional.flatten(x) : null),
  linear: (x, _others, random, key) =>
    isImage(x) ? null : layer(new Linear(x.shape[1]!, random.whole(1, 20)), key, x),
};

const networks: fc.Arbitrary<Network> = fc.record({
  input: fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(...CHANNELS),
      fc.integer({ min: 1, max: 13 }),
      fc.integer({ min: 1, max: 13 }),
    )
    .map((sizes) => sizes as Shape),
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom(...Object.keys(BUILDS)),
      // Mostly on what was computed last: 0 is the last value.
      on: fc.tuple(fc.constantFrom(0, 0, 0, 1, 2, 5), fc.nat(5), fc.nat(9)),
      sizes: fc.nat(1e6),
    }),
    { minLength: 1, maxLength: 9 },
  ),
  taps: fc.nat(2 ** 12 - 1),
});

/** The network as a program of two inputs; its taps are some of the steps' and inputs' values, at least the last. */
function build({ input, steps, taps }: Network): Program {
  return programOf([input, input], (...inputs) => {
    const values: Value[] = [...inputs];
    steps.forEach(({ kind, on, sizes }, i) => {
      const [x, ...others] = on.map((back) => values.at(-1 - (back % values.length))!) as [Value, ...Value[]];
      const y = BUILDS[kind]!(x, others, new Random(sizes), `${i}.${kind}`);
      if (y) values.push(y);
    });
    return values.filter((_, i) => i === values.length - 1 || taps & (1 << i));
  });
}

/** The same with the steps of each phase backwards: they mustn't depend on each other. */
function lastFirst(program: Program): Program {
  const nodes = program.nodes.map((node) => {
    const algorithms = node.op.algorithms.map((algorithm): typeof algorithm => ({
      ...algorithm,
      bind: (...given) => algorithm.bind(...given).map((phase) => [...phase].reverse()),
    }));
    return { ...node, op: { ...node.op, algorithms } };
  });
  return { ...program, nodes };
}

const runOn = (model: CompiledModel, program: Program, inputs: readonly Tensor<Float32Array>[], key = '') =>
  model.run(
    model.plan(key, () => program),
    inputs,
  );

describe('random networks', () => {
  it('give what the interpreter gives', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        const expected = interpret(program, inputs);
        // Kaiming-scaled weights keep values in one size. Of the largest, a layer loses about √576·2⁻²⁴ where its 576 roundings
        // are independent, and nine layers add up: 13e-6.
        const scale = Math.max(1, ...interpret(allTapped(program), inputs).map(largest));
        for (const binary of binaries) {
          runOn(compiledModel(binary), program, inputs).forEach(({ data, shape }, i) => {
            expect(shape).toEqual(expected[i]!.shape);
            const worst = worstDisagreement(data, expected[i]!.data, () => 13e-6 * scale);
            expect(worst.ratio, `tap ${i} in ${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
          });
        }
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('give the same bits fused and with every value tapped, in one compiled model and in the debug binary', () => {
    const debug = loadKernels('debug');
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        const whole = allTapped(program);
        for (const binary of binaries) {
          const model = compiledModel(binary);
          const unfused = new Map(runOn(model, whole, inputs, 'all').map((tensor, i) => [whole.taps[i]!, tensor]));
          const fused = runOn(model, program, inputs, 'some');
          fused.forEach(({ data }, i) => {
            expectBits(data, unfused.get(program.taps[i]!)!.data, `tap ${i} in ${binary}`);
          });
          if (binary === 'simd') {
            const asserting = new CompiledModel({}, { binary, kernels: debug });
            runOn(asserting, program, inputs).forEach(({ data }, i) => {
              expectBits(data, fused[i]!.data, `tap ${i} with asserts`);
            });
          }
        }
      }),
      { seed: SEED + 1, numRuns: 60 },
    );
  });

  it('give the same bits cut for any number of threads', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        for (const binary of binaries) {
          const whole = runOn(compiledModel(binary), program, inputs);
          for (const threads of [2, 3, 4]) {
            runOn(compiledModel(binary, threads), lastFirst(program), inputs).forEach(({ data }, i) => {
              expectBits(data, whole[i]!.data, `tap ${i} in ${binary}, ${threads} threads`);
            });
          }
        }
      }),
      { seed: SEED + 3, numRuns: 60 },
    );
  });

  it('give the same bits on threads', async () => {
    const pools: ThreadPool[] = [];
    for (const threads of [2, 3, 4]) pools.push(await ThreadPool.create(threads, { worker: WORKER }));
    await fc.assert(
      fc.asyncProperty(networks, fc.constantFrom(...pools), async (network, pool) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        for (const binary of binaries) {
          const whole = runOn(compiledModel(binary), program, inputs);
          const model = new CompiledModel({ pool }, pool.instantiate(binary));
          const plan = model.plan('', () => program);
          // A turn after each step, and then none: from the second time on, workers know the steps.
          for (const stretchMs of [0, Infinity]) {
            const tensors = await model.runAsync(plan, inputs, { stretchMs });
            tensors.forEach(({ data }, i) => {
              expectBits(data, whole[i]!.data, `tap ${i} in ${binary}, ${pool.threads} threads`);
            });
          }
        }
      }),
      { seed: SEED + 4, numRuns: 60 },
    );
    for (const pool of pools) await pool.close();
  });

  it('repeat to the bit after other inputs and other shapes', () => {
    fc.assert(
      fc.property(networks, networks, (network, other) => {
        const [program, between] = [build(network), build(other)];
        const [x, z] = [inputsOf(program, 'x'), inputsOf(program, 'z')];
        for (const binary of binaries) {
          const model = compiledModel(binary);
          const first = runOn(model, program, x);
          runOn(model, program, z);
          runOn(model, between, inputsOf(between, 'x'), 'between');
          runOn(model, program, x).forEach(({ data }, i) => {
            expectBits(data, first[i]!.data, `tap ${i} in ${binary}`);
          });
        }
      }),
      { seed: SEED + 2, numRuns: 40 },
    );
  });
});
