/** Thousands of layers with options drawn at random give what PyTorch gives, and are refused where PyTorch raises. */

import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { LayertapError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { Graph } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import * as layers from '../../src/index.ts';
import * as containers from '../../src/nn/container.ts';
import type { Conv2d } from '../../src/nn/conv.ts';
import { Module } from '../../src/nn/module.ts';
import { numel } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { winogradBound } from '../support/winograd-magnitudes.ts';
import { transformOf } from '../support/winograd-transforms.ts';
import { type Bound, boundOf, casesOf, inputsOf, moduleOf, placesOf, type SweepCase } from './cases.ts';
import { differences } from './differences.ts';

const swept = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length));

/** What a number of nine digits is off by at most; sums in another order add less. */
const DIGITS = 5.1e-9;

const differs = (what: 'errors' | 'plan', of: SweepCase, algorithm?: string) =>
  differences.some((one) => one.in === what && one.applies(of, algorithm));

/** What is wrong with a result, or null. */
function wrongWith(of: SweepCase, y: Tensor<Float32Array>, bound: Bound): string | null {
  const { shape, samples, sum, absoluteSum, specials } = of.expected!;
  if (String(y.shape) !== String(shape)) return `shape [${y.shape}], right [${shape}]`;
  for (const [i, at] of placesOf(of.key, y.data.length).entries()) {
    const [actual, right] = [y.data[at]!, Math.fround(samples[i]!)];
    const isSame = Object.is(actual, right) || actual === right;
    if (!isSame && !(Math.abs(actual - right) <= bound.each)) {
      return `${actual} at ${at}, right ${right}, off by ${Math.abs(actual - right) / bound.each} bounds`;
    }
  }
  const counts = [0, 0, 0];
  let [total, absolute] = [0, 0];
  for (const v of y.data) {
    if (Number.isNaN(v)) counts[0]!++;
    else if (v === Infinity) counts[1]!++;
    else if (v === -Infinity) counts[2]!++;
    else {
      total += v;
      absolute += Math.abs(v);
    }
  }
  if (String(counts) !== String(specials)) return `${counts} NaN, ∞ and −∞, right ${specials}`;
  const room = bound.sum + DIGITS * absoluteSum;
  const off = Math.max(Math.abs(total - sum), Math.abs(absolute - absoluteSum));
  return off <= room
    ? null
    : `sums ${total} and ${absolute}, right ${sum} and ${absoluteSum}, off by ${off / room} bounds`;
}

const described = ({ key, args, options, inputs, kind }: SweepCase) =>
  `${key}: ${JSON.stringify([args, options, inputs, kind])}`;

/** What a case comes to, each null where it is right or not asked for. */
interface Outcome {
  readonly refusal: string | null;
  readonly reference: string | null;
  readonly plan: string | null;
}

function outcomeOf(of: SweepCase): Outcome {
  const right = { refusal: null, reference: null, plan: null };
  const inputs = inputsOf(of);
  let module: Module;
  let y: Tensor<Float32Array>;
  try {
    module = moduleOf(of);
    y = module.call(...inputs);
  } catch (error) {
    const isRight = error instanceof LayertapError && (!of.expected || differs('errors', of));
    return isRight ? right : { ...right, refusal: `${described(of)}: ${error}` };
  }
  if (!of.expected) return { ...right, refusal: `${described(of)}: computed` };
  const graph = new Graph(of.inputs);
  const [specified] = interpret(graph.program([module.call(...graph.inputs)]), inputs);
  const bound = boundOf(of, module, inputs);
  const reference = wrongWith(of, specified!, bound);
  const algorithm = module.compiled!.steps[0]?.algorithm;
  const plan = differs('plan', of, algorithm)
    ? null
    : wrongWith(of, y, bound) && wrongWith(of, y, bySide(of, module, inputs, bound));
  return {
    ...right,
    reference: reference && `${described(of)}: ${reference}`,
    plan: plan && `${described(of)} by ${algorithm}: ${plan}`,
  };
}

/** The bound where a convolution goes by a transform, whose terms are larger; the same for all others. */
function bySide(of: SweepCase, module: Module, [x]: readonly Tensor<Float32Array>[], bound: Bound): Bound {
  const transform = transformOf(module.compiled!.steps[0]?.algorithm ?? '');
  if (!transform) return bound;
  const { shape } = of.expected!;
  const boundAt = winogradBound(transform, module as Conv2d, x!, shape);
  const bounds = Array.from({ length: numel(shape) }, (_, at) => boundAt(at));
  const each = bounds.reduce((most, one) => Math.max(most, one), 0);
  return { each: bound.each + each, sum: bound.sum + bounds.reduce((sum, one) => sum + one, 0) };
}

describe.each(swept)('%s', (layer) => {
  let outcomes: readonly Outcome[] = [];
  beforeAll(() => {
    outcomes = casesOf(layer).map(outcomeOf);
  });
  const wrong = (what: keyof Outcome) => outcomes.flatMap((outcome) => outcome[what] ?? []);

  it('is refused, by an error of the library, where PyTorch raises and nowhere else', () => {
    expect(wrong('refusal')).toEqual([]);
  });

  it("gives PyTorch's values by its reference", () => {
    expect(wrong('reference')).toEqual([]);
  });

  it("gives PyTorch's values by its plan", () => {
    expect(wrong('plan')).toEqual([]);
  });
});

describe('the sweeps', () => {
  it('cover every layer and every functional form', () => {
    const others = new Set<unknown>([
      IntermediateLayerGetter,
      layers.FeatureExtractor,
      layers.FeatureListNet,
      layers.Layer,
      ...Object.values(containers),
      ...Object.values(layers.models),
    ]);
    const isLayer = (of: unknown) => typeof of === 'function' && of.prototype instanceof Module && !others.has(of);
    const names = Object.entries(layers).flatMap(([name, of]) => (isLayer(of) ? name : []));
    expect(names.filter((name) => !swept.includes(name))).toEqual([]);
    const lower = swept.map((name) => name.toLowerCase());
    // The functions that check a layer's options stand beside the forms.
    const functions = Object.keys(layers.functional).filter((name) => !name.endsWith('Attrs'));
    // A form of any number of axes is what the layers for one and two run.
    const isSwept = (form: string) => ['', '1d', '2d'].some((axes) => lower.includes(form + axes));
    expect(functions.filter((name) => !isSwept(name.toLowerCase()))).toEqual([]);
  });

  it('are thousands, with errors and each kind of data among them', () => {
    const cases = swept.flatMap(casesOf);
    expect(cases.length).toBeGreaterThan(4000);
    expect(cases.filter(({ expected }) => !expected).length).toBeGreaterThan(300);
    expect(new Set(cases.map(({ kind }) => kind)).size).toBe(6);
    expect(cases.filter(({ inputs }) => inputs[0]!.some((size) => size > 4000)).length).toBeGreaterThan(100);
  });

  it.each(differences)('differ as docs/pytorch.md says: $words', ({ words, applies }) => {
    expect(readFileSync(new URL('../../docs/pytorch.md', import.meta.url), 'utf8')).toContain(words);
    const algorithm = 'winograd-4x4';
    expect(swept.flatMap(casesOf).some((of) => of.expected && applies(of, algorithm))).toBe(true);
  });
});
