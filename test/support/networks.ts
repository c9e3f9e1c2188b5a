/** Random networks as programs: what fast-check makes and shrinks is data. No tests in here. */

import fc from 'fast-check';
import type { Program, Value } from '../../src/graph/graph.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import * as functional from '../../src/nn/functional.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { type Shape, sameShape } from '../../src/tensor/shape.ts';
import { fillParameters } from './generator.ts';
import { Random } from './kernels.ts';
import { programOf } from './programs.ts';

/** A step of a random network: what it computes, on which earlier values, and a seed for its sizes. */
export interface Step {
  readonly kind: string;
  readonly on: readonly [number, number, number];
  readonly sizes: number;
}

/** A random network. */
export interface Network {
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

  /** Views of channels, which lie within a vector where their number isn't a multiple of four. */
  chunk(x, others, random, key) {
    if (!isImage(x) || x.shape[1]! < 2) return null;
    const [a, b] = functional.chunk(x, 2, 1) as [Value, Value];
    const branch = convolution(b, others, random, key) ?? activation(b, others, random, key)!;
    const fits = branch.shape[2] === a.shape[2] && branch.shape[3] === a.shape[3];
    return fits ? functional.cat([a, branch]) : branch;
  },

  shuffle: (x) => (isImage(x) && x.shape[1]! % 2 === 0 ? functional.channelShuffle(x, 2) : null),

  /** Activations and sums on [N, H, W, C], and back. */
  channelsLast(x, others, random, key) {
    if (!isImage(x)) return null;
    const y = activation(functional.permute(x, [0, 2, 3, 1]), others, random, key)!;
    return functional.permute(random.next() < 0.5 ? functional.add(y, y) : y, [0, 3, 1, 2]);
  },

  /** Sizes that the bytes fit, and such that they don't. */
  reshape(x, _others, random) {
    if (!isImage(x)) return null;
    const [n, c, h, w] = x.shape as [number, number, number, number];
    return functional.reshape(
      functional.relu(
        functional.reshape(
          x,
          pick(random, [
            [n, c, w, h],
            [n, c * h, w],
            [n, h, c, w],
          ]),
        ),
      ),
      x.shape,
    );
  },

  flatten: (x) => (isImage(x) && x.shape.slice(1).reduce((a, b) => a * b) <= 512 ? functional.flatten(x) : null),
  linear: (x, _others, random, key) =>
    isImage(x) ? null : layer(new Linear(x.shape[1]!, random.whole(1, 20)), key, x),
};

/** Random networks of up to nine steps. */
export const networks: fc.Arbitrary<Network> = fc.record({
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
export function build({ input, steps, taps }: Network): Program {
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
