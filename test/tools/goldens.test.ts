/** The tools compute what torch and numpy do. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import * as tools from '../../src/tools/index.ts';
import { generatedTensor } from '../support/generator.ts';
import { roundingBound, worstDisagreement } from '../support/tolerance.ts';

interface Golden {
  readonly function: string;
  readonly name: string;
  readonly inputs: readonly { key: string; shape: Shape; sets: readonly (readonly [number, string])[] }[];
  readonly args: readonly unknown[];
  readonly outputs: readonly { shape: Shape; values: readonly (number | string)[] }[];
}

const { cases } = JSON.parse(readFileSync('test/goldens/tools.json', 'utf8')) as { cases: readonly Golden[] };

/** A number as Python writes it. */
const toNumber = (value: number | string) =>
  typeof value === 'number' ? value : Number(value.replace('inf', 'Infinity').replace('nan', 'NaN'));

function inputsOf({ inputs }: Golden): Tensor<Float32Array>[] {
  return inputs.map(({ key, shape, sets }) => {
    const { data } = generatedTensor(key, shape);
    for (const [index, value] of sets) data[index] = toNumber(value);
    return new Tensor(data, shape);
  });
}

const of = (...names: readonly string[]) => cases.filter((one) => names.includes(one.function));
const titled = (all: readonly Golden[]) => all.map((one) => [`${one.function}: ${one.name}`, one] as const);

/** What a tool gives, as a list of tensors. */
function outputsOf(golden: Golden): Tensor[] {
  const inputs = inputsOf(golden);
  const takesList = golden.function === 'stack' || golden.function === 'cat';
  const tool = (tools as unknown as Record<string, (...args: unknown[]) => unknown>)[golden.function]!;
  const result = tool(...(takesList ? [inputs] : inputs), ...golden.args);
  if (result instanceof Tensor) return [result];
  return Array.isArray(result) ? result : [(result as tools.Topk).values, (result as tools.Topk).indices];
}

describe('what only moves or compares numbers is equal', () => {
  it.each(titled(of('topk', 'argmax', 'stack', 'unstack', 'cat')))('%s', (_, golden) => {
    const outputs = outputsOf(golden);
    expect(outputs.map(({ shape }) => shape)).toEqual(golden.outputs.map(({ shape }) => shape));
    for (const [i, { data }] of outputs.entries()) {
      expect(Array.from(data as Float32Array)).toEqual(golden.outputs[i]!.values.map(toNumber));
    }
  });
});

describe('sums are within their roundings', () => {
  // Tools compute in float64 and round once, by 2⁻²⁴ of the result; so does whoever reads the golden's float64. torch's
  // softmax is in float32 itself: an exponential of 2 ulp, a sum of at most 7 terms and a division.
  const roundings = (name: string) => (name === 'softmax' ? 14 : 2);

  it.each(titled(of('softmax', 'globalAveragePool', 'l2Normalize', 'cosineSimilarity', 'classActivationMaps')))(
    '%s',
    (_, golden) => {
      const outputs = outputsOf(golden);
      expect(outputs.map(({ shape }) => shape)).toEqual(golden.outputs.map(({ shape }) => shape));
      for (const [i, { data }] of outputs.entries()) {
        const expected = golden.outputs[i]!.values.map(toNumber);
        const worst = worstDisagreement(data as Float32Array, expected, (at) =>
          roundingBound(roundings(golden.function), Math.abs(expected[at]!)),
        );
        expect(worst.ratio, JSON.stringify(worst)).toBeLessThanOrEqual(1);
      }
    },
  );
});

describe('pictures', () => {
  // Both sides compute in float64: a byte is off by one where that falls on the other side of a half.
  const MOST = 1;

  it.each(titled(of('heatmap')))('%s: numpy’s scale, and torch’s pixels in grey', (_, golden) => {
    const [x] = inputsOf(golden) as [Tensor];
    const { data, width, height, low, high } = tools.heatmap(x, {
      ...(golden.args[0] as object),
      colormap: tools.gray,
    });
    const [scale, pixels] = golden.outputs.map(({ values }) => values.map(toNumber)) as [number[], number[]];
    expect([height, width]).toEqual(golden.outputs[1]!.shape);
    expect(low).toBeCloseTo(scale[0]!, 12);
    expect(high).toBeCloseTo(scale[1]!, 12);
    for (const [i, share] of pixels.entries()) {
      expect(Math.abs(data[i * 4]! - share * 255)).toBeLessThanOrEqual(MOST);
      expect(data[i * 4 + 3]).toBe(255);
    }
  });

  it.each(titled(of('pcaToRgb')))('%s: numpy’s components, with its signs', (_, golden) => {
    const [x] = inputsOf(golden) as [Tensor];
    const { data, width, height, explained } = tools.pcaToRgb(x);
    const [parts, scores] = golden.outputs.map(({ values }) => values.map(toNumber)) as [number[], number[]];
    expect([3, height, width]).toEqual(golden.outputs[1]!.shape);
    for (const [k, part] of parts.entries()) expect(explained[k]).toBeCloseTo(part, 12);
    const plane = width * height;
    for (const [i, share] of scores.entries()) {
      const byte = data[(i % plane) * 4 + Math.floor(i / plane)]!;
      expect(Math.abs(byte - share * 255), `component ${Math.floor(i / plane)}`).toBeLessThanOrEqual(MOST);
    }
  });
});

it('softmax takes the axis by itself or as an option', () => {
  const x = generatedTensor('x', [2, 3]);
  expect(tools.softmax(x, { dim: 0 })).toEqual(tools.softmax(x, 0));
  expect(tools.softmax(x, {})).toEqual(tools.softmax(x, 1));
  expect(tools.softmax(x, { dim: 0 }).data).not.toEqual(tools.softmax(x).data);
});
