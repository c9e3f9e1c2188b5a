/** Whether two ways to run a model's modules give the same values: by their graphs, nothing is computed. */

import type { Graph } from '../graph/graph.ts';
import { valuesOf } from '../nn/output.ts';
import { Constant, Parameter } from '../tensor/parameter.ts';

/** What `run` throws; null where it throws nothing. */
export function problemOf(run: () => void): Error | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * Numbers the values of some graphs: two have one number where the same ops make them of the same inputs, parameters
 * and attributes.
 *
 * @returns the numbers of an output's values
 */
export function numbered(graphs: readonly Graph[]): (output: unknown) => string {
  const numbers = new Map<unknown, number>();
  const known = new Map<string, number>();
  const numberOf = (part: unknown): number => {
    // The size is a number that nothing has yet.
    if (!numbers.has(part)) numbers.set(part, numbers.size);
    return numbers.get(part)!;
  };
  for (const { inputs, nodes } of graphs) {
    for (const [i, input] of inputs.entries()) numbers.set(input, -1 - i);
    for (const { op, attrs, inputs, output } of nodes) {
      const plain = JSON.stringify(attrs, (_, part) =>
        part instanceof Constant
          ? [part.shape, part.values()].join(':')
          : part instanceof Parameter
            ? numberOf(part)
            : typeof part === 'number'
              ? String(part)
              : part,
      );
      const key = `${[op, ...inputs].map(numberOf)} ${plain}`;
      if (!known.has(key)) known.set(key, numberOf(output));
      numbers.set(output, known.get(key)!);
    }
  }
  return (output) => String(valuesOf(output).map(numberOf));
}
