/** Whether two ways to run a model's modules give the same values: by their graphs, nothing is computed. */

import { describe } from '../errors.ts';
import { type Graph, recordingInto, Value } from '../graph/graph.ts';
import { Constant, Parameter } from '../tensor/parameter.ts';

/** What `run` throws, which records into the graph; null where it throws nothing. */
export function problemOf(graph: Graph, run: () => void): Error | null {
  try {
    recordingInto(graph, run);
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(describe(error));
  }
}

/**
 * Numbers the values of some graphs: two have one number where the same ops make them of the same inputs, parameters
 * and attributes.
 *
 * @returns the numbers of an output's values, in its form; all that is neither a value nor a Map or array of these is
 *   the same
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
  const form = (part: unknown): unknown => {
    if (part instanceof Value) return numberOf(part);
    if (part instanceof Map) return [...part].map(([key, item]) => [String(key), form(item)]);
    return Array.isArray(part) ? part.map(form) : null;
  };
  return (output) => JSON.stringify(form(output));
}
