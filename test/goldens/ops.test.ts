/** Every op equals PyTorch's, by its reference and by its kernels in both binaries. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadSafetensors } from '../../src/formats/safetensors-read.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { conv2d } from '../../src/ops/conv2d/conv2d.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { boundsOf, halvesBoundOf, inputsOf, type OpCase, opCases, programOf, programsOf } from '../support/op-cases.ts';
import { worstDisagreement } from '../support/tolerance.ts';

const goldens = loadSafetensors(readFileSync(new URL('ops.safetensors', import.meta.url)));

function expectGolden(opCase: OpCase, actual: Tensor<Float32Array>, algorithm?: string): void {
  const golden = goldens.get(opCase.name)!;
  expect(actual.shape).toEqual(golden.shape);
  const worst = worstDisagreement(actual.data, golden.float().data, boundsOf(opCase, algorithm));
  expect(worst.ratio, `${opCase.name} ${algorithm}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
}

it('has a golden for each case, each under its own name', () => {
  expect([...goldens.keys()].sort()).toEqual(opCases.map(({ name }) => name).sort());
});

it('declares all parameters of its attributes, so that they are loaded, watched and counted', () => {
  for (const opCase of opCases) {
    for (const { op, attrs } of programOf(opCase).nodes) {
      const among = Object.values(attrs ?? {}).filter((value) => value instanceof Parameter);
      expect(op.parameters?.(attrs).filter(Boolean) ?? [], op.name).toEqual(among);
    }
  }
});

describe("a reference gives PyTorch's result", () => {
  it.each(opCases)('$name', (opCase) => {
    expectGolden(opCase, interpret(programOf(opCase), inputsOf(opCase))[0]!);
  });
});

describe.each(binaries)("every algorithm that fits gives PyTorch's result in the %s binary", (binary) => {
  it.each(opCases)('$name', (opCase) => {
    const programs = programsOf(opCase, compiledModel(binary).engine);
    for (const [algorithm, program] of programs) {
      const model = compiledModel(binary);
      const plan = model.plan(program);
      expectGolden(opCase, model.run(plan, inputsOf(opCase))[0]!, algorithm);
    }
    expect(programs.size).toBeGreaterThan(0);
  });
});

describe.each(binaries)(
  "weights stored as f16 give PyTorch's result but for their rounding in the %s binary",
  (binary) => {
    it.each(opCases.filter(({ op }) => op === 'conv2d' || op === 'linear'))('$name', (opCase) => {
      for (const [algorithm, program] of programsOf(opCase, compiledModel(binary).engine)) {
        const model = new CompiledModel({ weightStorage: 'f16' }, { instance: instantiate(binary) });
        const actual = model.run(model.plan(program), inputsOf(opCase))[0]!;
        const expected = goldens.get(opCase.name)!.float().data;
        const [float, half] = [boundsOf(opCase, algorithm), halvesBoundOf(opCase)];
        const worst = worstDisagreement(actual.data, expected, (i) => float(i) + half(i));
        expect(worst.ratio, `${opCase.name} ${algorithm}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
      }
    });
  },
);

it('covers every algorithm of a convolution', () => {
  const { engine } = compiledModel('simd');
  const covered = opCases
    .filter(({ op }) => op === 'conv2d')
    .flatMap((opCase) => [...programsOf(opCase, engine).keys()]);
  expect(new Set(covered)).toEqual(new Set(conv2d.algorithms.map(({ name }) => name)));
});
