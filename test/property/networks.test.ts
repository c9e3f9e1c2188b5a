/**
 * Random networks: a plan computes what the interpreter specifies, and neither fusing, taps nor other runs change a
 * bit.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Program } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { expectBits, loadKernels } from '../support/kernels.ts';
import { build, networks } from '../support/networks.ts';
import { allTapped, inputsOf } from '../support/programs.ts';
import { largest, worstDisagreement } from '../support/tolerance.ts';

const SEED = 7;
const WORKER = new URL('../../dist/threads/worker.js', import.meta.url);

/** The same with the steps of each phase backwards: they mustn't depend on each other. */
function lastFirst(program: Program): Program {
  const nodes = program.nodes.map((node) => {
    const algorithms = node.op.algorithms.map((algorithm): typeof algorithm => ({
      ...algorithm,
      prepare(site) {
        const prepared = algorithm.prepare(site);
        if (!prepared) return null;
        return { ...prepared, phases: (binding) => prepared.phases(binding).map((phase) => [...phase].reverse()) };
      },
    }));
    return { ...node, op: { ...node.op, algorithms } };
  });
  return { ...program, nodes };
}

const runOn = (model: CompiledModel, program: Program, inputs: readonly Tensor<Float32Array>[]) =>
  model.run(model.plan(program), inputs);

describe('random networks', () => {
  it('give what the interpreter gives', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        const expected = interpret(program, inputs);
        // Kaiming-scaled weights keep values in one size. Of the largest, a layer loses about √576·2⁻²⁴ where its 576
        // roundings are independent, and nine layers add up: 13e-6.
        const scale = Math.max(1, ...interpret(allTapped(program), inputs).map(largest));
        for (const binary of binaries) {
          runOn(compiledModel(binary), program, inputs).forEach(({ data, shape }, i) => {
            expect(shape).toEqual(expected[i]!.shape);
            const worst = worstDisagreement(data, expected[i]!.data, () => 13e-6 * scale);
            expect(worst.ratio, `tap ${i} in ${binary}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
          });
        }
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('give the same bits fused and with every value tapped, in one compiled model and in the debug binary', () => {
    const debug = loadKernels('debug');
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        const whole = allTapped(program);
        for (const binary of binaries) {
          const model = compiledModel(binary);
          const unfused = new Map(runOn(model, whole, inputs).map((tensor, i) => [whole.taps[i]!, tensor]));
          const fused = runOn(model, program, inputs);
          fused.forEach(({ data }, i) => {
            expectBits(data, unfused.get(program.taps[i]!)!.data, `tap ${i} in ${binary}`);
          });
          if (binary === 'simd') {
            const asserting = new CompiledModel({}, { instance: { binary, kernels: debug } });
            runOn(asserting, program, inputs).forEach(({ data }, i) => {
              expectBits(data, fused[i]!.data, `tap ${i} with asserts`);
            });
          }
        }
      }),
      { seed: SEED + 1, numRuns: 60 },
    );
  });

  it('give the same bits cut for any number of threads', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        for (const binary of binaries) {
          const whole = runOn(compiledModel(binary), program, inputs);
          for (const threads of [2, 3, 4]) {
            runOn(compiledModel(binary, threads), lastFirst(program), inputs).forEach(({ data }, i) => {
              expectBits(data, whole[i]!.data, `tap ${i} in ${binary}, ${threads} threads`);
            });
          }
        }
      }),
      { seed: SEED + 3, numRuns: 60 },
    );
  });

  it('give the same bits on threads', async () => {
    const pools: ThreadPool[] = [];
    for (const threads of [2, 3, 4]) pools.push(await ThreadPool.create(threads, { worker: WORKER }));
    await fc.assert(
      fc.asyncProperty(networks, fc.constantFrom(...pools), async (network, pool) => {
        const program = build(network);
        const inputs = inputsOf(program, 'input');
        for (const binary of binaries) {
          const whole = runOn(compiledModel(binary), program, inputs);
          const model = new CompiledModel({ pool }, { instance: pool.instantiate(binary) });
          const plan = model.plan(program);
          // A turn after each step, and then none: from the second time on, workers know the steps.
          for (const stretchMs of [0, Infinity]) {
            const tensors = await model.runAsync(plan, inputs, { stretchMs });
            tensors.forEach(({ data }, i) => {
              expectBits(data, whole[i]!.data, `tap ${i} in ${binary}, ${pool.threads} threads`);
            });
          }
        }
      }),
      { seed: SEED + 4, numRuns: 60 },
    );
    for (const pool of pools) await pool.close();
  });

  it('repeat to the bit after other inputs and other shapes', () => {
    fc.assert(
      fc.property(networks, networks, (network, other) => {
        const [program, between] = [build(network), build(other)];
        const [x, z] = [inputsOf(program, 'x'), inputsOf(program, 'z')];
        for (const binary of binaries) {
          const model = compiledModel(binary);
          const plan = model.plan(program);
          const first = model.run(plan, x);
          model.run(plan, z);
          runOn(model, between, inputsOf(between, 'x'));
          model.run(plan, x).forEach(({ data }, i) => {
            expectBits(data, first[i]!.data, `tap ${i} in ${binary}`);
          });
        }
      }),
      { seed: SEED + 2, numRuns: 40 },
    );
  });
});
