/** The sweeps' cases as modules with their inputs, and by how much a result may be off. The Python side is scripts/goldens/sweeps.py. */

import { readFileSync } from 'node:fs';
import type { Value } from '../../src/graph/graph.ts';
import * as layers from '../../src/index.ts';
import { Module } from '../../src/nn/module.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { generatedParameter, generatedTensor } from '../support/generator.ts';
import { largest, roundingBound, sumBound } from '../support/tolerance.ts';

type Kind = 'noise' | 'constant' | 'ramp' | 'positive' | 'negative' | 'specials';
type Sample = number | 'nan' | 'inf' | '-inf';

/** What PyTorch computes. */
export interface Expected {
  readonly shape: Shape;
  /** The values at {@link placesOf}. */
  readonly samples: readonly number[];
  /** Of the finite values. */
  readonly sum: number;
  readonly absoluteSum: number;
  /** How many values are NaN, ∞ and −∞. */
  readonly specials: readonly number[];
  /** The largest and the sum of Σ|term| over the outputs. */
  readonly magnitudes: readonly [largest: number, sum: number] | null;
}

/** A line of a sweep. */
export interface SweepCase {
  readonly layer: string;
  /** What inputs and parameters are generated from. */
  readonly key: string;
  readonly args: readonly any[];
  readonly options: any;
  readonly inputs: readonly Shape[];
  readonly kind: Kind;
  /** Null where PyTorch raises. */
  readonly expected: Expected | null;
}

const FUNCTIONS: Readonly<Record<string, (inputs: readonly Value[]) => Value>> = {
  add: ([a, b]) => layers.functional.add(a!, b!),
  mul: ([a, b]) => layers.functional.mul(a!, b!),
  cat: (inputs) => layers.functional.cat(inputs),
};

/** A functional form as a module. */
class Functional extends Module {
  readonly #record: (inputs: readonly Value[]) => Value;

  constructor(record: (inputs: readonly Value[]) => Value) {
    super();
    this.#record = record;
  }

  forward(...inputs: Value[]): Value {
    return this.#record(inputs);
  }
}

/** The cases of a layer's file. */
export function casesOf(layer: string): SweepCase[] {
  const lines = JSON.parse(readFileSync(new URL(`${layer}.json`, import.meta.url), 'utf8')) as any[][];
  return lines.map(([args, options, inputs, kind, result], i) => {
    const key = `${layer} ${i}`;
    return { layer, key, args, options, inputs, kind, expected: result === 'error' ? null : expectedOf(result) };
  });
}

function expectedOf([shape, samples, sum, absoluteSum, specials, magnitudes]: any[]): Expected {
  const numbers: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  const read = (sample: Sample) => (typeof sample === 'string' ? numbers[sample]! : sample);
  return { shape, samples: samples.map(read), sum, absoluteSum, specials, magnitudes };
}

/** The layer with its parameters. @throws what its constructor does */
export function moduleOf({ layer, key, args, options, kind }: SweepCase): Module {
  const record = FUNCTIONS[layer];
  if (record) return new Functional(record);
  const Layer = (layers as any)[layer] as new (...args: unknown[]) => Module;
  const module = new Layer(...args, ...(Object.keys(options).length > 0 ? [options] : []));
  const isOneSigned = kind === 'constant' || kind === 'positive' || kind === 'negative';
  const keys = [...module.stateShapes()].filter(([name]) => name !== 'num_batches_tracked');
  module.loadStateDict(
    keys.map(([name, shape]) => {
      const parameter = generatedParameter(name, shape, `${key}.`);
      return [name, isOneSigned ? new Tensor(parameter.data.map(Math.abs), shape) : parameter] as const;
    }),
  );
  return module;
}

const SPECIALS = [Number.NaN, Infinity, -Infinity, -0, 6];

/** The inputs' values. */
export function inputsOf({ key, inputs, kind }: SweepCase): Tensor<Float32Array>[] {
  return inputs.map((shape, i) => {
    const x = generatedTensor(`${key}.input${i}`, shape);
    const { data } = x;
    if (kind === 'constant') data.fill(0.7);
    else if (kind === 'ramp') for (let at = 0; at < data.length; at++) data[at] = ((at % 1000) - 300) / 64;
    // From 4u − 2, which is exact.
    else if (kind === 'positive') for (let at = 0; at < data.length; at++) data[at] = (data[at]! + 2) / 2;
    else if (kind === 'negative') for (let at = 0; at < data.length; at++) data[at] = -(data[at]! + 2) / 2;
    else if (kind === 'specials') {
      for (let at = 3; at < data.length; at += 11) data[at] = SPECIALS[Math.floor(at / 11) % SPECIALS.length]!;
    }
    return x;
  });
}

/** The four places of {@link Expected.samples}. */
export function placesOf(key: string, count: number): number[] {
  if (count === 0) return [];
  const drawn = generatedTensor(`${key}.places`, [2]).data;
  return [0, count - 1, ...Array.from(drawn, (v) => Math.floor(((v + 2) / 4) * count))];
}

/** By how much one value of the result may be off, and by how much the sum of all. */
export interface Bound {
  readonly each: number;
  readonly sum: number;
}

/**
 * The bound of a case: layertap's own roundings and PyTorch's one, since that computed in float64, but for resizing. Zero for what only moves
 * or compares numbers, or rounds once.
 */
export function boundOf({ layer, args, options, expected }: SweepCase, inputs: readonly Tensor<Float32Array>[]): Bound {
  const { magnitudes, shape } = expected!;
  const ofParts = (bound: (magnitude: number) => number): Bound => {
    const [largest, sum] = magnitudes ?? [0, 0];
    return { each: bound(largest), sum: bound(sum) };
  };
  const ofAll = (each: number): Bound => ({ each, sum: numel(shape) * each });
  switch (layer) {
    case 'Conv2d': {
      const [channels, , kernel] = args;
      const taps = Array.isArray(kernel) ? kernel[0] * kernel[1] : kernel * kernel;
      return ofParts((magnitude) => sumBound((channels / (options.groups ?? 1)) * taps + 1, magnitude));
    }
    case 'Linear':
      return ofParts((magnitude) => sumBound(args[0] + 1, magnitude));
    case 'AvgPool2d':
    case 'AdaptiveAvgPool2d':
      // The kernels' promise: runs of 16 pixels in float32, which are added up in float64. Then one rounding on each side.
      return ofParts((magnitude) => roundingBound(18, magnitude));
    case 'BatchNorm2d':
    case 'FrozenBatchNorm2d':
      // The scale, the mean's product with it, the shift, the product, the sum; and PyTorch's result.
      return ofParts((magnitude) => roundingBound(6, magnitude));
    case 'Upsample': {
      if (options.mode !== 'bilinear') return ofAll(0);
      // A value passes six roundings on each side: its two weights, products and sums. The coordinates are the same.
      return ofAll(roundingBound(12, largest(inputs[0]!)));
    }
    case 'Hardswish':
    case 'Hardsigmoid':
      // A sum, a product and a quotient; and PyTorch's result.
      return ofAll(roundingBound(4, Math.max(1, ...inputs.map(largest))));
    case 'Sigmoid':
    case 'SiLU':
      // Within 4 ulp, of which each is two units; and PyTorch's result.
      return ofAll(roundingBound(9, Math.max(1, ...inputs.map(largest))));
    default:
      return ofAll(0);
  }
}
