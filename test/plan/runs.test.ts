/** Runs of one compiled model that meet: whatever comes in between two jobs of an asynchronous run, no result changes by a bit. */

import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { nextTurn } from '../../src/next-turn.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { noise, TinyResNet } from '../nn/support.ts';
import { fillParameters } from '../support/generator.ts';
import { expectBits } from '../support/kernels.ts';
import { programOf } from '../support/programs.ts';

const network = fillParameters(new TinyResNet());
const [x, z, other] = [noise('x', [1, 3, 33, 47]), noise('z', [1, 3, 33, 47]), noise('other', [2, 3, 20, 21])];

/** A compiled model with a plan for x and z, and one for another shape. */
function compiled(options: ConstructorParameters<typeof CompiledModel>[0] = {}, given = instantiate('simd')) {
  const model = new CompiledModel(options, given);
  const plan = (shape: typeof x.shape) => {
    return model.plan(shape.join(), () => programOf([shape], (value) => [network.call(value) as Value]));
  };
  return { model, same: plan(x.shape), another: plan(other.shape) };
}

const expected = (() => {
  const { model, same, another } = compiled();
  const of = (plan: typeof same, input: typeof x) => model.run(plan, [input])[0]!.data;
  return { x: of(same, x), z: of(same, z), other: of(another, other) };
})();

describe('a synchronous run', () => {
  it('any number of microtasks after an asynchronous one was asked for, or has computed a step, changes neither', async () => {
    const { model, same, another } = compiled();
    const steps = same.program.nodes.length;
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      for (const at of [0, 1, 2, Math.floor(steps / 2), steps - 1, steps]) {
        const between: Promise<void>[] = [];
        const later = async () => {
          for (let i = 0; i < microtasks; i++) await null;
          const claim = `${microtasks} microtasks after step ${at}`;
          expectBits(model.run(same, [z])[0]!.data, expected.z, claim);
          expectBits(model.run(another, [other])[0]!.data, expected.other, claim);
        };
        const run = model.runAsync(same, [x], {
          stretchMs: 0,
          onProgress: (nodes) => void (nodes === at && between.push(later())),
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
