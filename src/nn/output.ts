/** What `forward` may return: a value, or Maps and arrays of them; and the same with tensors in their place. */

import { describe, ValueError } from '../errors.ts';
import { type Graph, Value } from '../graph/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The type of an output whose values have become tensors. */
export type Materialized<Out> = Out extends Value
  ? Tensor<Float32Array>
  : Out extends ReadonlyMap<infer Key, infer Item>
    ? Map<Key, Materialized<Item>>
    : Out extends readonly (infer Item)[]
      ? Materialized<Item>[]
      : Out;

/** The values of an output, in order. @throws {@link ValueError} where it holds something else */
export function valuesOf(output: unknown): Value[] {
  if (output instanceof Value) return [output];
  if (output instanceof Map || Array.isArray(output)) return [...output.values()].flatMap(valuesOf);
  throw new ValueError(`forward: expected to return a value, or a Map or array of values, got ${describe(output)}`);
}

/** The graph that a value, or the values of a Map or array, belong to; undefined where there are none. */
export function graphOf(part: unknown): Graph | undefined {
  if (part instanceof Value) return part.graph;
  return part instanceof Map || Array.isArray(part) ? [...part.values()].map(graphOf).find(Boolean) : undefined;
}

/** The output with `of(value)` in each value's place. */
export function materialize<Out>(output: Out, of: (value: Value) => Tensor<Float32Array>): Materialized<Out> {
  const replace = (part: unknown): unknown => {
    if (part instanceof Map) return new Map([...part].map(([key, item]) => [key, replace(item)]));
    return Array.isArray(part) ? part.map(replace) : of(part as Value);
  };
  return replace(output) as Materialized<Out>;
}
