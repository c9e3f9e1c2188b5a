/** Traces of a model by itself, to find its nodes before there is an input. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { Graph } from '../graph/graph.ts';
import type { AnyModule } from '../nn/module.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkShape, type Shape } from '../tensor/shape.ts';
import { NodeNames } from './node-names.ts';

/** The input that a model most probably takes. */
export function usualShape(model: AnyModule): Shape {
  for (const module of model.modules()) {
    const { inChannels, inFeatures, weight } = module as {
      readonly inChannels?: number;
      readonly inFeatures?: number;
      readonly weight?: unknown;
    };
    const channels = inChannels ?? inFeatures;
    if (typeof channels !== 'number' || !(weight instanceof Parameter)) continue;
    return [1, channels, ...weight.shape.slice(2).map(() => 224)];
  }
  const first = [...model.parameters()].find(({ shape }) => shape.length > 1)?.shape;
  return first?.length === 2 ? [1, first[1]!] : [1, first?.[1] ?? 3, 224, 224];
}

/** A trace of the model's own forward, without its hooks' effects elsewhere, and the names of its nodes. */
export function tracedModel(
  name: string,
  model: AnyModule,
  inputShape: Shape,
): { readonly graph: Graph; readonly names: NodeNames } {
  checkShape(`${name}: inputShape`, inputShape);
  const graph = new Graph([inputShape]);
  const names = new NodeNames(model, graph.inputs, null);
  graph.watch = names;
  try {
    model.call(graph.inputs[0]);
  } catch (error) {
    const inputs = model.forward.length;
    if (inputs > 1 && error instanceof ValueError) {
      throw new ValueError(
        `${name}: expected a model whose forward takes one input, got ${describe(model)}, whose takes ${inputs}; ` +
          'return what you need from its forward, and call it',
      );
    }
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(
      `${name}: expected a model that takes an input of ${describe(inputShape)}, got "${error.message}"; ` +
        'give the shape of an input that it takes as inputShape',
    );
  }
  return { graph, names };
}
