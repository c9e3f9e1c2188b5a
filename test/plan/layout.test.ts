/** In which order nodes run and where values lie: it may save memory, and never changes a bit. */

import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import type { Progress } from '../../src/nn/execution.ts';
import { add, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import { COST_ENGINE } from '../../src/plan/cost.ts';
import { Plan } from '../../src/plan/plan.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { programOf } from '../support/programs.ts';

const x = generatedTensor('input', [1, 16, 40, 40]);

/** Reads an early value last, as DeepLab's auxiliary classifier does. */
class Branching extends Module<Map<string, Value>> {
  readonly early = new Conv2d(16, 64, 1);
  readonly late = new Conv2d(64, 128, 1);
  readonly later = new Conv2d(128, 128, 1);
  readonly aux = new Conv2d(64, 4, 1);
  readonly upsample = new Upsample({ scaleFactor: 2 });

  forward(x: Value) {
    const early = this.early.call(x) as Value;
    const out = relu(this.later.call(this.late.call(early)) as Value);
    return new Map([
      ['out', out],
      ['aux', this.upsample.call(this.aux.call(early))],
    ]);
  }
}

describe('a plan', () => {
  it('runs early what reads a value that then need not be kept, where that saves memory', async () => {
    const model = fillParameters(new Branching());
    const outputs = model.call(x);
    const channels = () => model.compiled!.steps.map(({ op, shape }) => `${op} ${shape[1]}`);
    expect(channels()).toEqual(['conv2d 64', 'conv2d 4', 'conv2d 128', 'conv2d 128', 'interpolate 4']);
    const done: Progress[] = [];
    const again = await model.callAsync(x, { onProgress: (progress) => done.push(progress) });
    const macs = 40 * 40 * (16 * 64 + 64 * 128 + 128 * 128 + 64 * 4);
    expect(done).toEqual([{ child: 'upsample', done: macs, total: macs }]);
    expect(again).toEqual(outputs);
  });

  it('lets a large tap out in pieces', () => {
    class Relu extends Module {
      forward(x: Value) {
        return relu(x);
      }
    }
    // Of 5 · 4 bytes, 2²⁰ hold 52,428 pixels.
    const x = generatedTensor('input', [2, 5, 200, 301]);
    const { data, shape } = new Relu().call(x);
    expect(shape).toEqual(x.shape);
    expect(data).toEqual(x.data.map((v) => Math.max(0, v)));
  });

  it('adds to residuals in place: a chain of blocks takes no more activations than one', () => {
    const conv = new Conv2d(16, 16, 1);
    const arenaBytes = (blocks: number) => {
      const program = programOf([[1, 16, 40, 40]], (x) => {
        let y = conv.call(x) as Value;
        for (let i = 0; i < blocks; i++) y = relu(add(conv.call(relu(y)) as Value, y));
        return [y];
      });
      return new Plan(program, COST_ENGINE).arenaBytes;
    };
    expect(arenaBytes(5)).toBe(arenaBytes(1));
    // The input of a block, that of its convolution, and nothing for its output.
    expect(arenaBytes(5)).toBe(2 * 16 * 40 * 40 * 4);
  });
});
