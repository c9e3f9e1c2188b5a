/**
 * Scratch memory of a thread is no other thread's. Threads run the steps of a phase at the same time, so two steps of
 * one phase may name the same scratch memory only where one thread runs both. Runs on one thread can't tell.
 */

import { describe, expect, it } from 'vitest';
import { Conv2d } from '../../src/nn/conv.ts';
import { ConvTranspose2d } from '../../src/nn/conv-transpose.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { stepsOf } from '../../src/threads/protocol.ts';
import type { KernelStep } from '../../src/wasm/step.ts';
import * as builders from '../../src/wasm/steps.gen.ts';
import { compiledModel } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { programOf } from '../support/programs.ts';

/** Each kernel's name and those of its parameters, in order: what its builder asks for. */
const KERNELS = new Map(
  Object.entries(builders).map(([name, builder]) => {
    const named = builder(new Proxy({}, { get: (_, parameter) => parameter }) as never);
    return [named.kernel, { name, parameters: named.args as readonly unknown[] }] as const;
  }),
);

/** Parameters that are a thread's own memory. */
const OWN = ['scratch', 'wide', 'partial'];

/** The addresses of a step's own memory, by what it is for. */
function ownMemory({ kernel, args }: KernelStep): string[] {
  return KERNELS.get(kernel)!.parameters.flatMap((name, i) =>
    OWN.includes(String(name)) && args[i] !== 0 ? [`${String(name)} at ${args[i]}`] : [],
  );
}

const conv = (channels: number, out: number, stride = 1, groups = 1) =>
  new Conv2d(channels, out, 3, { stride, padding: 1, groups });

/** Few output channels: fewer panels than threads. Many input channels: sums of several runs. */
const LAYERS: readonly (readonly [() => Module, Shape])[] = [
  ...[16, 24, 40, 64].flatMap((out) => [[() => conv(512, out), [1, 512, 38, 38]] as const]),
  ...[16, 32].map((out) => [() => conv(300, out), [1, 300, 30, 30]] as const),
  [() => conv(1024, 16), [1, 1024, 20, 20]],
  [() => conv(512, 256, 2), [1, 512, 28, 28]],
  [() => conv(512, 48, 2), [1, 512, 28, 28]],
  [() => conv(512, 16, 1, 2), [2, 512, 9, 9]],
  [() => conv(1024, 32, 1, 2), [1, 1024, 20, 20]],
  [() => new Conv2d(640, 24, 3, { padding: 12, dilation: 12 }), [1, 640, 28, 28]],
  [() => new Conv2d(3, 16, 7, { stride: 2, padding: 3 }), [1, 3, 40, 40]],
  [() => new Linear(2000, 24), [3, 2000]],
  [() => new ConvTranspose2d(300, 12, 4, { stride: 2 }), [1, 300, 9, 9]],
];

describe('scratch memory', () => {
  it('has a name in kernels by which it is known', () => {
    const kernels = [...KERNELS.values()].filter((one) => one.parameters.some((name) => OWN.includes(String(name))));
    const expected = ['f32_conv2d', 'f32_winograd_input', 'f32_winograd_output', 'f32_winograd_weights'];
    expect(kernels.map(({ name }) => name).sort()).toEqual(expected);
  });

  it.each([2, 3, 4, 5, 7, 8])("is each thread's own, of %i threads", (threads) => {
    const algorithms = new Set<string>();
    for (const [layer, x] of LAYERS) {
      const module = fillParameters(layer());
      const model = compiledModel('simd', threads);
      const plan = model.plan(programOf([x], (value) => [module.call(value)]));
      model.run(plan, [generatedTensor('x', x)]);
      algorithms.add(plan.steps[0]!.algorithm);
      for (const [i, phase] of plan.phases.entries()) {
        const threadsOf = new Map<string, Set<number>>();
        for (let thread = 0; thread < threads; thread++) {
          for (const step of stepsOf([phase], thread, threads)[0]!) {
            if ('host' in step) continue;
            for (const memory of ownMemory(step)) {
              threadsOf.set(memory, (threadsOf.get(memory) ?? new Set()).add(thread));
            }
          }
        }
        const shared = [...threadsOf].filter(([, users]) => users.size > 1).map(([memory]) => memory);
        expect(shared, `${module} on ${x}, phase ${i}`).toEqual([]);
      }
    }
    expect(algorithms).toContain('winograd-4x4');
    expect(algorithms).toContain('winograd-3x3-s2');
    expect(algorithms).toContain('split-taps');
  });
});
