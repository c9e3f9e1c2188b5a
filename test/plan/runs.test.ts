/**
 * Runs of one compiled model that meet: whatever comes in between two jobs of an asynchronous run, no result changes by
 * a bit.
 */

import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { nextTurn } from '../../src/next-turn.ts';
import { ModuleList, Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, maxPool2d, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { noise } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { programOf } from '../support/programs.ts';

/** What it computes first takes the whole arena, its input's place included: no step can be computed twice. */
class Wide extends Module {
  readonly first = new Sequential(new Conv2d(64, 8, 1), new Conv2d(8, 192, 1), new Conv2d(192, 8, 1));
  readonly blocks = new ModuleList([1, 2, 3, 4].map(() => new Conv2d(8, 8, 3, { padding: 1 })));
  forward(x: Value): Value {
    let y = relu(this.first.call(x));
    for (const block of this.blocks) y = relu(add(block.call(y), y));
    return y;
  }
}

const network = fillParameters(new Wide());
const [x, z, other] = [noise('x', [1, 64, 9, 11]), noise('z', [1, 64, 9, 11]), noise('other', [2, 64, 5, 6])];

/** A compiled model with a plan for x and z, and one for another shape. */
function compiled(options: ConstructorParameters<typeof CompiledModel>[0] = {}, instance = instantiate('simd')) {
  const model = new CompiledModel(options, { instance });
  const plan = (shape: typeof x.shape) => {
    return model.plan(programOf([shape], (value) => [network.call(value) as Value]));
  };
  return { model, same: plan(x.shape), another: plan(other.shape) };
}

const expected = (() => {
  const { model, same, another } = compiled();
  const of = (plan: typeof same, input: typeof x) => model.run(plan, [input])[0]!.data;
  return { x: of(same, x), z: of(same, z), other: of(another, other) };
})();

describe('a synchronous run', () => {
  it('any number of microtasks after an asynchronous one began, or computed a step, changes neither', async () => {
    const { model, same, another } = compiled();
    const steps = same.program.nodes.length;
    // A first stretch of one step, of half of them, and of all but one.
    const stretches = [1, Math.floor(steps / 2), steps - 1].map((count) => {
      let stretchMs = 2 ** -40;
      while (same.stopAfter(0, stretchMs) < count) stretchMs *= 1.1;
      return stretchMs;
    });
    for (let i = 0; i < 12 * stretches.length; i++) {
      const microtasks = Math.floor(i / stretches.length);
      const stretchMs = stretches[i % stretches.length]!;
      const first = same.stopAfter(0, stretchMs);
      for (const at of [0, first, same.stopAfter(first, stretchMs), steps]) {
        const between: Promise<void>[] = [];
        const later = async () => {
          for (let i = 0; i < microtasks; i++) await null;
          const claim = `${microtasks} microtasks after step ${at}`;
          expectBits(model.run(same, [z])[0]!.data, expected.z, claim);
          expectBits(model.run(another, [other])[0]!.data, expected.other, claim);
        };
        const run = model.runAsync(same, [x], {
          stretchMs,
          onProgress: (nodes) => void (nodes === at && between.length === 0 && between.push(later())),
        });
        if (at === 0) between.push(later());
        expectBits((await run)[0]!.data, expected.x, `${microtasks} microtasks after step ${at}`);
        expect(between.length).toBe(1);
        await Promise.all(between);
      }
    }
  });

  it('in any turn of the event loop changes nothing, and the asynchronous run ends with it', async () => {
    const { model, same, another } = compiled();
    const steps = same.program.nodes.length;
    for (let turns = 1; turns < steps; turns++) {
      const seen: number[] = [];
      const run = model.runAsync(same, [x], { stretchMs: 0, onProgress: (nodes) => void seen.push(nodes) });
      for (let i = 0; i < turns; i++) await nextTurn();
      expectBits(model.run(another, [other])[0]!.data, expected.other, `turn ${turns}`);
      expectBits((await run)[0]!.data, expected.x, `turn ${turns}`);
      expect(seen.at(-1)).toBe(steps);
      expect(new Set(seen).size).toBe(seen.length);
    }
  });
});

describe('stretches', () => {
  it('end where steps are worth so many milliseconds, or with the last', () => {
    const { same } = compiled();
    const steps = same.program.nodes.length;
    expect(same.stopAfter(0)).toBe(steps);
    expect(same.stopAfter(3)).toBe(steps);
    expect(same.stopAfter(steps)).toBe(steps);
    expect(same.stopAfter(3, 0)).toBe(4);
    expect(same.stopAfter(3, Number.MIN_VALUE)).toBe(4);
    expect(same.stopAfter(0, Infinity)).toBe(steps);
  });
});

it('a stretch ends after a stem whose products are worth it', () => {
  // 118 million products take 4.4 ms by the cost model. Passing over the values would take half a millisecond.
  const stem = fillParameters(new Conv2d(3, 64, 7, { stride: 2, padding: 3 }));
  const program = programOf([[1, 3, 224, 224]], (x) => [maxPool2d(stem.call(x) as Value, 2)]);
  expect(new CompiledModel().plan(program).stopAfter(0, 4)).toBe(1);
});
