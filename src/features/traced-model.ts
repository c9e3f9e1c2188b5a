/** Traces of a model by itself, to find its nodes before there is an input. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { type Graph, Value } from '../graph/graph.ts';
import type { AnyModule } from '../nn/module.ts';
import { traced } from '../nn/traced.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkShape, formatShape, type Shape } from '../tensor/shape.ts';
import { type NamedModule, NodeNames } from './node-names.ts';

/** The shape of an input, or those of several, in an array; undefined where none are given. */
export function shapesOf(given: Shape | readonly Shape[] | undefined): readonly Shape[] | undefined {
  if (given === undefined || given === null) return undefined;
  const isList = Array.isArray(given) && given.length > 0 && given.every((shape) => Array.isArray(shape));
  return isList ? (given as readonly Shape[]) : [given as Shape];
}

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

/** `an input of [1, 3, 224, 224]`, or `inputs of … and …`. */
export function formatInputs(shapes: readonly Shape[]): string {
  const all = shapes.map(formatShape);
  return all.length === 1 ? `an input of ${all[0]}` : `inputs of ${all.join(' and ')}`;
}

/** What a layer such as Identity gives here, so that its node is told from the one before it. It isn't computed. */
const passed = { name: 'passed', inferShape: ([x]: readonly Shape[]) => x!, axis: 'any', algorithms: [] } as const;

/** Names of nodes, of which no two give one value: what others need tells which of them are needed. */
class TracedNames extends NodeNames {
  override complete(module: NamedModule, output: unknown): unknown {
    const others = this.nodes.map((node) => node.output);
    super.complete(module, output);
    const node = this.nodes[others.length];
    if (!node || !(output instanceof Value) || !others.includes(output)) return output;
    node.output = output.graph.record(passed, [output], null, null);
    return node.output;
  }
}

/** What is known of a model before there is an input. */
export interface TracedModel {
  readonly graph: Graph;
  readonly names: NodeNames;
}

/**
 * A trace of the model's own forward, and the names of its nodes. Hooks run, since what they record are nodes.
 *
 * @param name what was called, for messages
 * @param inputShapes unless given, inputs of the usual shape
 * @param inputCount at most so many of these, as many as the forward names unless given: fewer are tried one by one,
 *   since a forward's count has optional inputs, too
 */
export function tracedModel(
  name: string,
  model: AnyModule,
  inputShapes: readonly Shape[] | undefined,
  inputCount = Math.max(1, model.forward.length),
): TracedModel {
  for (const shape of inputShapes ?? []) checkShape(`${name}: inputShape`, shape);
  const usual = usualShape(model);
  let failure: unknown = null;
  for (let count = inputShapes?.length ?? inputCount; count > 0; count--) {
    const shapes = inputShapes ?? Array.from({ length: count }, () => usual);
    try {
      const { graph, output } = traced(model, shapes, (inputs) => {
        const names = new TracedNames(model, inputs, null);
        // A trace that looks for the place of an error watches by itself.
        inputs[0]!.graph.watch ??= names;
        model.call(...inputs);
        return names;
      });
      return { graph, names: output };
    } catch (error) {
      failure ??= failedTrace(name, model, shapes, error);
      if (inputShapes) break;
    }
  }
  throw failure;
}

/** The error for a model that can't be traced with inputs of these shapes. */
function failedTrace(name: string, model: AnyModule, shapes: readonly Shape[], error: unknown): unknown {
  const count = model.forward.length;
  const given = shapes.map((shape) => describe(shape));
  if (error instanceof ShapeError) {
    const wayOut = given.length === 1 ? 'the shape of an input' : 'an array of the shapes of inputs';
    return new ShapeError(
      `${name}: expected a model that takes ${formatInputs(shapes)}, got "${error.message}"; give ${wayOut} that it ` +
        'takes as inputShape',
    );
  }
  const isOfInputs = Math.max(count, given.length) > 1 && (error instanceof ValueError || error instanceof TypeError);
  if (!isOfInputs) return error;
  const got = given.join(' and ');
  return new ValueError(
    given.length < count
      ? `${name}: expected a shape for each input of a model whose forward takes ${count}, got ${got} for ` +
          `${describe(model)}; ${name === 'featuresOnly' ? 'createFeatureExtractor takes' : 'give'} an array of ` +
          'them as inputShape'
      : `${name}: expected a model that takes values of ${got}, got "${error.message}" from ${describe(model)}; ` +
          'return what you need from its forward, and call it',
  );
}
