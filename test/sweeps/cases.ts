/**
 * The sweeps' cases as modules with their inputs, and by how much a result may be off. The Python side is
 * scripts/goldens/sweeps.py.
 */

import { readFileSync } from 'node:fs';
import { Graph, macsOf } from '../../src/graph/graph.ts';
import type { Module } from '../../src/nn/module.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { generatedParameter, generatedTensor } from '../support/generator.ts';
import { type BoundRule, boundBy, moduleOf as moduleNamed, type Named } from '../support/named.ts';
import { largest } from '../support/tolerance.ts';

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

/** What a sweep's file says of all its cases. */
interface Sweep extends Omit<Named, 'args' | 'options'> {
  readonly layer: string;
  readonly bound: BoundRule;
}

/** A line of a sweep. */
export interface SweepCase {
  readonly sweep: Sweep;
  /** What inputs and parameters are generated from. */
  readonly key: string;
  readonly args: readonly any[];
  readonly options: any;
  readonly inputs: readonly Shape[];
  readonly kind: Kind;
  /** Null where PyTorch raises. */
  readonly expected: Expected | null;
}

/** The cases of a layer's file. */
export function casesOf(layer: string): SweepCase[] {
  const { cases, ...named } = JSON.parse(readFileSync(new URL(`${layer}.json`, import.meta.url), 'utf8'));
  const sweep: Sweep = { layer, ...named };
  return (cases as any[][]).map(([args, options, inputs, kind, result], i) => {
    const expected = result === 'error' ? null : expectedOf(result);
    return {
      sweep,
      key: `${layer} ${i}`,
      args: args!,
      options,
      inputs: inputs as Shape[],
      kind,
      expected,
    } as SweepCase;
  });
}

function expectedOf([shape, samples, sum, absoluteSum, specials, magnitudes]: any[]): Expected {
  const numbers: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  const read = (sample: Sample) => (typeof sample === 'string' ? numbers[sample]! : sample);
  return { shape, samples: samples.map(read), sum, absoluteSum, specials, magnitudes };
}

/** The layer or function, with its parameters. @throws what a layer's constructor does */
export function moduleOf({ sweep, key, args, options, kind }: SweepCase): Module {
  const module = moduleNamed({ ...sweep, args, options });
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
 * The bound of a case, as its sweep says it: layertap's own roundings and PyTorch's one, since that computed in
 * float64, but for resizing.
 */
export function boundOf(of: SweepCase, module: Module, inputs: readonly Tensor<Float32Array>[]): Bound {
  const { magnitudes, shape } = of.expected!;
  const graph = new Graph(of.inputs);
  const bound = boundBy(of.sweep.bound, {
    options: of.options,
    products: () => {
      const { nodes, taps } = graph.program([module.call(...graph.inputs)]);
      return nodes.reduce((sum, node) => sum + macsOf(node), 0) / Math.max(1, numel(taps[0]!.shape));
    },
    largest: () => inputs.reduce((most, x) => Math.max(most, largest(x)), 0),
  });
  const [most, sum] = magnitudes ?? [0, 0];
  const each = bound(() => most);
  return { each, sum: magnitudes ? bound(() => sum) : numel(shape) * each };
}
