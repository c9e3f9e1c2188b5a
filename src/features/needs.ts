/**
 * What an extractor's features need of its model: nodes, state and children, as one trace of the model tells. A call
 * with other inputs must need the same, since the extractor's state dict holds no more.
 */

import { describe, listed, StateDictError, ValueError } from '../errors.ts';
import { type Graph, parametersOf, Value } from '../graph/graph.ts';
import { prune } from '../graph/passes/prune.ts';
import type { AnyModule } from '../nn/module.ts';
import { valuesOf } from '../nn/output.ts';
import { Snapshot } from '../nn/snapshot.ts';
import { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import type { NamedNode, NodeNames } from './node-names.ts';
import { formatInputs, type TracedModel } from './traced-model.ts';

const WAY_OUT = 'give createFeatureExtractor the shapes of such inputs as inputShape';

/** What some nodes of a model need of it, for inputs of some shapes. */
export class Needs {
  /** All parameters and buffers of each module that owns one that is read: a state dict has a layer's all or none. */
  readonly states: ReadonlySet<Parameter>;
  /** The model's direct children that hold a needed node, or state that is read. */
  readonly children: ReadonlySet<unknown>;
  readonly #model: AnyModule;
  readonly #shapes: readonly Shape[];
  /** By each query: the node that it stands for, and how many have its name when numbers at the ends are left out. */
  readonly #nodes = new Map<string, { readonly name: string; readonly count: number }>();
  /** The names of all nodes, in the order in which they ran. */
  readonly #order: readonly string[];
  /** The names of the nodes that those asked for need, these included. */
  readonly #names: ReadonlySet<string>;
  readonly #snapshot: Snapshot;

  /** @param queries the nodes asked for; those that aren't there need nothing */
  constructor(model: AnyModule, { graph, names }: TracedModel, queries: Iterable<string>) {
    this.#model = model;
    this.#shapes = graph.inputs.map(({ shape }) => shape);
    this.#order = names.nodes.map(({ name }) => name);
    // No parameters are given, so that nothing is refused here. Parameters' values have no part in what is needed, and
    // change while they are loaded.
    const dependencies = [model, ...model.strangersIn(graph, [])].flatMap((module) => module.dependencies());
    this.#snapshot = new Snapshot(dependencies.filter((part) => !(part instanceof Parameter)));
    const taps = [...queries].flatMap((query) => {
      const node = nodeOf(names, query);
      if (!node) return [];
      this.#nodes.set(query, { name: node.name, count: countOf(names, node.name) });
      return valuesOf(node.output);
    });
    const program = prune(graph.program(taps));
    const values = new Set<Value>([...taps, ...program.nodes.flatMap((node) => [...node.inputs, node.output])]);
    const read = new Set(parametersOf(program));
    const states = new Set<Parameter>();
    for (const module of model.modules()) {
      const own = [...module.members()].flatMap(([, member]) => (member instanceof Parameter ? member : []));
      if (own.some((state) => read.has(state))) for (const state of own) states.add(state);
    }
    this.states = states;
    const isNeeded = ({ output }: NamedNode) => valuesIn(output).some((value) => values.has(value));
    const nodes = names.nodes.filter(isNeeded);
    this.#names = new Set(nodes.map(({ name }) => name));
    const paths = [...nodes, ...[...names.modules.values()].filter(isNeeded)].map(({ path }) => path);
    const isChildNeeded = ([name, child]: readonly [string, AnyModule]) =>
      paths.some((path) => path === name || path.startsWith(`${name}.`)) ||
      [...child.parameters(), ...child.buffers()].some((state) => states.has(state));
    this.children = new Set([...model.namedChildren()].filter(isChildNeeded).map(([, child]) => child));
  }

  /** True as long as the model is what it was. */
  get isCurrent(): boolean {
    return this.#snapshot.isCurrent;
  }

  /** Whether the node of that name is needed, where inputs are as they were. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Whether a trace that ended early began as this one, and came to what these nodes stand for. */
  areReached(queries: Iterable<string>, names: NodeNames): boolean {
    const isDone = (query: string) => {
      const node = nodeOf(names, query);
      return node && node.name === this.#nodes.get(query)?.name;
    };
    return names.nodes.every(({ name }, i) => name === this.#order[i]) && [...queries].every(isDone);
  }

  /** With fewer inputs than the model was traced with, an error that says so in the place of the model's own. */
  inputCountError(inputs: readonly Value[], error: unknown): unknown {
    if (inputs.length >= this.#shapes.length) return error;
    return new ValueError(
      `FeatureExtractor: expected ${this.#shapes.length} inputs, as the model was traced with, got ${inputs.length}; ` +
        'call(x, y), callAsync([x, y]) and featureInfo(shapeOfX, shapeOfY) take several',
    );
  }

  /**
   * @throws {@link ValueError} where a node was asked for by its name, of which there is another number: it may be
   *   another one's. A path above nodes stands for the last one of them, whatever these are.
   */
  checkNames(queries: Iterable<string>, names: NodeNames): void {
    for (const query of queries) {
      const traced = this.#nodes.get(query);
      const count = countOf(names, query);
      // The first input is the first one whatever follows.
      if (traced?.name !== query || query === names.nodes[0]!.name || count === traced.count) continue;
      throw new ValueError(
        `FeatureExtractor: expected as many nodes named ${describe(query)} but for their numbers as for ` +
          `${formatInputs(this.#shapes)}, ${traced.count}, got ${count}, of which another one may have the name; ${WAY_OUT}`,
      );
    }
  }

  /**
   * @param start how many nodes the graph had before the model ran
   * @throws {@link StateDictError} where features read what of the model isn't among {@link states}
   */
  checkState(features: Iterable<unknown>, graph: Graph, start: number): void {
    const { nodes, ...program } = prune(graph.program([...features].flatMap((feature) => valuesOf(feature))));
    const read = new Set(parametersOf({ ...program, nodes: nodes.filter(({ position }) => position >= start) }));
    const others = [...this.#model.namedState()].filter(([, state]) => read.has(state) && !this.states.has(state));
    if (others.length === 0) return;
    throw new StateDictError(
      `FeatureExtractor: expected features to need the state that they need for ${formatInputs(this.#shapes)}, ` +
        `got features that need ${listed(others.map(([path]) => path))} besides; ${WAY_OUT}`,
    );
  }
}

/**
 * The node that a name stands for: the last one that it names or that lies below it; or else a module inside of one.
 */
export function nodeOf({ nodes, modules }: NodeNames, query: string): NamedNode | undefined {
  return [...nodes].reverse().find(({ name }) => name === query || name.startsWith(`${query}.`)) ?? modules.get(query);
}

/** How many nodes have a name but for the numbers at its end. */
function countOf({ nodes }: NodeNames, name: string): number {
  const base = (one: string) => one.replace(/(_\d+)+$/, '');
  return nodes.filter((node) => base(node.name) === base(name)).length;
}

/** All values of an output that may hold other things, too. */
function valuesIn(output: unknown): Value[] {
  if (output instanceof Map || Array.isArray(output)) return [...output.values()].flatMap(valuesIn);
  return output instanceof Value ? [output] : [];
}
