/** The steps of a plan one by one: what each node's kernels take, without a model's input and output around them. */

import { macsOf } from '../dist/index.js';
import { CompiledModel, callsOf } from '../dist/internals.js';
import { traced } from './models.mjs';
import { inputOf, stateDictOf } from './weights.mjs';

/** @typedef {{ op: string, algorithm: string, name: string, macs: number, run: () => void }} Step */

/**
 * A module compiled for an input shape, and its steps in order. Running the steps in order is a run without the input's
 * and outputs' copies; each may run by itself on what the others left.
 *
 * @param {import('../dist/index.js').Module<any>} module @param {readonly number[]} shape
 * @param {import('../dist/index.js').CompileOptions} [options]
 * @returns {{ model: CompiledModel, steps: Step[], run: () => void }} `run` is a whole run
 */
export function compiledSteps(module, shape, options) {
  module.loadStateDict(stateDictOf(module));
  const { program } = traced(module, shape);
  /** @type {Step[]} */
  const steps = [];
  const nodes = program.nodes.map((node) => {
    const { op, inputs, output } = node;
    const algorithms = op.algorithms.map((algorithm) => ({
      ...algorithm,
      /** @type {typeof algorithm.prepare} */
      prepare(site) {
        const prepared = algorithm.prepare(site);
        if (!prepared) return null;
        const { phases: phasesOf } = prepared;
        const kernel = /** @type {any} */ (site.attrs)?.weight?.shape.slice(2).join('×') ?? '';
        const [from, to] = [inputs[0], output].map((value) => value.shape.slice(1).join('×'));
        const name = [op.name, kernel, from, '→', to, `(${algorithm.name})`].filter(Boolean).join(' ');
        return {
          ...prepared,
          /** @type {typeof phasesOf} */
          phases(binding) {
            const phases = phasesOf(binding);
            const calls = callsOf(binding.kernels, phases);
            const run = () => {
              for (const call of calls) call();
            };
            steps.push({ op: op.name, algorithm: algorithm.name, name, macs: macsOf(node), run });
            return phases;
          },
        };
      },
    }));
    return { ...node, op: { ...op, algorithms } };
  });
  const model = new CompiledModel(options);
  const plan = model.plan({ ...program, nodes });
  const x = inputOf(shape);
  const run = () => void model.run(plan, [x]);
  run();
  return { model, steps, run };
}
