/**
 * A soak: what is made at random is computed as specified, and calls that meet are right. `npm run soak` goes on for
 * longer.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/graph/interpret.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { binaries } from '../support/binaries.ts';
import { loadKernels, Random } from '../support/kernels.ts';
import { build, networks } from '../support/networks.ts';
import { allTapped, inputsOf } from '../support/programs.ts';
import { largest, worstDisagreement } from '../support/tolerance.ts';
import { runAtTheEnd } from './at-the-end.ts';
import { log, SEED, soak } from './budget.ts';
import { Calls, type Counts } from './calls.ts';

describe('a soak', () => {
  it('of random networks and layers: what the interpreter gives, no step beyond its buffers', async () => {
    const counts: Counts = { networks: 0, nodes: 0, layers: 0 };
    await soak(0.4, 250, (seed) => {
      const random = new Random(seed);
      const [network] = fc.sample(networks, { seed, numRuns: 1 });
      const isLayer = random.next() < 0.4;
      const sizes = isLayer ? network!.input.map((size, i) => (i < 2 ? size : size * 3)) : network!.input;
      const steps = isLayer ? network!.steps.slice(0, 1) : network!.steps;
      const program = build({ ...network!, input: sizes, steps });
      const inputs = inputsOf(program, `${seed}`);
      const expected = interpret(program, inputs);
      // See test/property/networks.test.ts.
      const scale = Math.max(1, ...interpret(allTapped(program), inputs).map(largest));
      for (const last of ['block', 'constants'] as const) {
        const which = [...binaries, 'debug' as const][random.whole(0, binaries.length)]!;
        const kernels = which === 'debug' ? loadKernels(which) : instantiate(which).kernels;
        const engine = { tileRows: random.whole(4, 5), threads: random.whole(1, 3), weightStorage: 'f32' as const };
        const claim = `${JSON.stringify({ ...network!, input: sizes, steps })} in ${which}, ${last} last`;
        const outputs = (() => {
          try {
            return runAtTheEnd(kernels, program, inputs, last, engine);
          } catch (cause) {
            throw new Error(`${(cause as Error).message}: ${claim}, ${JSON.stringify(engine)}`, { cause });
          }
        })();
        outputs.forEach(({ data, shape }, i) => {
          expect(shape).toEqual(expected[i]!.shape);
          const worst = worstDisagreement(data, expected[i]!.data, () => 13e-6 * scale);
          expect(worst.ratio, `tap ${i} of ${claim}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
        });
      }
      counts[isLayer ? 'layers' : 'networks']! += 1;
      counts.nodes! += program.nodes.length;
    });
    log('graphs at the end of memory', counts);
  });

  it('of calls that meet, on five modules and two pools: right to the bit, or the error that may be', async () => {
    const counts: Counts = {};
    const rounds = await soak(0.6, 4, async (seed) => {
      const calls = new Calls(new Random(seed));
      await calls.run(250);
      for (const [what, count] of Object.entries(calls.counts)) counts[what] = (counts[what] ?? 0) + count;
    });
    log('calls', { rounds, ...counts });
    // A soak in which nothing of a kind happens says nothing of it.
    const kinds = ['synchronous', 'asynchronous', 'aborted', 'reloaded', 'reloaded asynchronously', 'workers killed'];
    for (const kind of kinds) expect(counts[kind], `${kind}, from seed ${SEED} on`).toBeGreaterThan(0);
  });
});
