/** Traces of a model by itself, to find its nodes before there is an input. */

import { describe, ShapeError } from '../errors.ts';
import { Graph } from '../graph/graph.ts';
import type { AnyModule } from '../nn/module.ts';
import type { Shape } from '../tensor/shape.ts';
import { NodeNames } from './node-names.ts';

/** The input that a model most probably takes. */
export function usualShape(model: AnyModule): Shape {
  const first = [...model.parameters()].find(({ shape }) => shape.length > 1)?.shape;
  return first?.length === 2 ? [1, first[1]!] : [1, first?.[1] ?? 3, 224, 224];
}

/** A trace of the model's own forward, without its hooks' effects elsewhere, and the names of its nodes. */
export function tracedModel(
  name: string,
  model: AnyModule,
  inputShape: Shape,
): { readonly graph: Graph; readonly names: NodeNames } {
  const graph = new Graph([inputShape]);
  const names = new NodeNames(model, graph.inputs, null);
  graph.watch = names;
  try {
    model.call(graph.inputs[0]);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(
      `${name}: expected a model that takes an input of ${describe(inputShape)}, got "${error.message}"; ` +
        'give the shape of an input that it takes as inputShape',
    );
  }
  return { graph, names };
}
