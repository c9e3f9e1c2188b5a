/**
 * createFeatureExtractor: any layer of a model, or any node between layers, as the model's own forward computes it. It
 * behaves as torchvision's does; every difference is in the table of docs/pytorch.md.
 */

import { byNearness, describe, listed, ShapeError, ValueError } from '../errors.ts';
import { type Graph, parametersOf, type Value } from '../graph/graph.ts';
import { prune } from '../graph/passes/prune.ts';
import type { AsyncOptions } from '../nn/execution.ts';
import type { Member } from '../nn/members.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { graphOf, valuesOf } from '../nn/output.ts';
import { Snapshot } from '../nn/snapshot.ts';
import { withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { absentIn } from './intermediate-layer-getter.ts';
import { type NamedNode, NodeNames } from './node-names.ts';
import {
  type ChildName,
  type FeatureInfo,
  type FeatureName,
  type ForwardOptions,
  layersOf,
  type ReturnLayers,
  Taps,
  type Traced,
} from './taps.ts';
import { shapesOf, tracedModel } from './traced-model.ts';

/** Options of {@link getGraphNodeNames}. */
export interface NodeNamesOptions {
  /**
   * What the model is traced with to find its nodes: unless given `[1, C, 224, 224]` with the channels C that the first
   * convolution takes, `[1, C, 224]` where it is one of rows, or `[1, C]` where a linear layer comes first. Of a model
   * whose `forward` takes several inputs it is an array with a shape for each: unless given that one shape for all.
   */
  readonly inputShape?: Shape | readonly Shape[];
}

/** Options of {@link createFeatureExtractor}. */
export interface FeatureExtractorOptions<Nodes> extends NodeNamesOptions {
  /** The nodes, which are features by their own names; or nodes with the names of their features. */
  readonly returnNodes: Nodes;
}

/** The names of the features of a list of nodes, or of nodes with names. */
export type NamesIn<Nodes> = Extract<
  Nodes extends readonly string[]
    ? Nodes[number]
    : Nodes extends ReadonlyMap<string, infer Name> | Iterable<readonly [string, infer Name]>
      ? Name
      : Nodes[keyof Nodes],
  FeatureName
>;

/**
 * A module that returns what some nodes of a model give, as the model's own `forward` computes them:
 *
 *     const extractor = createFeatureExtractor(resnet50(), { returnNodes: { 'layer3.2.add': 'sum', fc: 'logits' } });
 *     const features = extractor.forward(x); // Map { 'sum' → Tensor, 'logits' → Tensor }
 *
 * A node is a layer by its path or a function by its name after its module's path; {@link getGraphNodeNames} lists
 * them. A path that several nodes begin with stands for the last of them. A layer that runs again is `relu_1` the
 * second time. Besides, any module inside of a layer such as Conv2dNormActivation can be named by its path. Of two
 * nodes with one feature's name, the earlier one is returned.
 *
 * @throws {@link ValueError} for a node that isn't there, with what there is
 * @see torchvision.models.feature_extraction.create_feature_extractor
 */
export function createFeatureExtractor<
  Model extends AnyModule,
  const Nodes extends readonly (ChildName<Model> | (string & {}))[] | ReturnLayers<FeatureName, Model>,
>(model: Model, options: FeatureExtractorOptions<Nodes>): FeatureExtractor<NamesIn<Nodes>> {
  const defaults = { returnNodes: undefined, inputShape: undefined };
  const { returnNodes, inputShape } = withDefaults('createFeatureExtractor', options, defaults);
  checkModel('createFeatureExtractor', model);
  const isList = Array.isArray(returnNodes) && returnNodes.every((node) => typeof node === 'string');
  const layers = layersOf<NamesIn<Nodes>>(
    'createFeatureExtractor: expected returnNodes as an array of nodes, { node: feature }, a Map or entries',
    isList ? returnNodes.map((node) => [node, node]) : returnNodes,
  );
  return new FeatureExtractor(model, layers, inputShape);
}

/**
 * The names of a model's nodes, in the order in which its `forward` runs them, as torchvision's function of that name
 * gives them for eval mode. Nodes that only compute shapes have none, nor have parameters.
 *
 * @see torchvision.models.feature_extraction.get_graph_node_names
 */
export function getGraphNodeNames(model: AnyModule, options: NodeNamesOptions = {}): string[] {
  const { inputShape } = withDefaults('getGraphNodeNames', options, { inputShape: undefined });
  checkModel('getGraphNodeNames', model);
  return tracedModel('getGraphNodeNames', model, shapesOf(inputShape)).names.nodes.map(({ name }) => name);
}

/**
 * What {@link createFeatureExtractor} returns. The model's modules are shared, and `forward` runs the model's own: what
 * changes in the model, changes here. Children and state are those that the nodes need; a layer that they don't need
 * isn't computed, packed or read from a file. The whole model's weights can be loaded as they are.
 *
 * @typeParam Name the features' names
 */
export class FeatureExtractor<Name extends FeatureName = FeatureName> extends Module<Map<Name, Value>> {
  readonly #model: AnyModule;
  readonly #taps: Taps<any>;
  readonly #inputShapes: readonly Shape[] | undefined;
  /** How many inputs the model was traced with. */
  readonly #inputCount: number;
  readonly #run: (forward: (x: Value) => void, x: Value) => void;
  #kept: Kept | null = null;

  /** @internal @param run records what it is given on a value: the model's own forward */
  constructor(
    model: AnyModule,
    layers: ReadonlyMap<string, Name>,
    inputShape: Shape | readonly Shape[] | undefined,
    run = (forward: (x: Value) => void, x: Value): void => forward(x),
  ) {
    super();
    this.#model = model;
    this.#run = run;
    this.#inputShapes = shapesOf(inputShape);
    this.#taps = new Taps('FeatureExtractor', this, layers, (inputs, some) => this.#trace(inputs, some));
    const { graph, names } = tracedModel('createFeatureExtractor', model, this.#inputShapes);
    this.#inputCount = graph.inputs.length;
    const missing = [...layers.keys()].filter((query) => !nodeOf(names, query));
    if (missing.length > 0) throw missingNodes(model, names, missing);
  }

  /** The requested nodes and their features' names, as given. */
  get returnNodes(): ReadonlyMap<string, Name> {
    return this.#taps.layers;
  }

  /**
   * The features by name, in order of execution. On a tensor `[N, C, H, W]` it computes them; on a value, inside of
   * another module's `forward`, it records them. It takes as many of them as the model's `forward` does: after them
   * come the options.
   *
   * @throws {@link ValueError} where `only` names a feature that isn't returned, or a node doesn't run for this shape
   */
  override forward<Only extends Name = Name>(
    x: Tensor,
    options?: ForwardOptions<Only>,
  ): Map<Only, Tensor<Float32Array>>;
  override forward<Only extends Name = Name>(x: Value, options?: ForwardOptions<Only>): Map<Only, Value>;
  override forward(...inputs: readonly Tensor[]): Map<Name, Tensor<Float32Array>>;
  override forward(...inputs: readonly Value[]): Map<Name, Value>;
  override forward<Only extends Name = Name>(
    ...inputsAndOptions: readonly [...inputs: Tensor[], options: ForwardOptions<Only>]
  ): Map<Only, Tensor<Float32Array>>;
  override forward<Only extends Name = Name>(
    ...inputsAndOptions: readonly [...inputs: Value[], options: ForwardOptions<Only>]
  ): Map<Only, Value>;
  override forward(...given: readonly any[]): Map<Name, any> {
    const count = given.length > 1 && !isInput(given.at(-1)) ? given.length - 1 : given.length;
    const [inputs, [options = {}]] = [given.slice(0, count), given.slice(count)];
    checkKinds(inputs);
    return this.#taps.forward(inputs, options);
  }

  /**
   * The features as {@link forward} computes them, with the same bits, and with a turn of the event loop after each
   * stretch of some milliseconds' work. All work is on this thread: see {@link callAsync}.
   *
   * @param inputs a tensor or several; they mustn't change until the call ends
   * @returns a promise, rejected with the signal's reason where it was aborted; the extractor stays usable
   */
  async forwardAsync<Only extends Name = Name>(
    inputs: Tensor | readonly Tensor[],
    options: ForwardOptions<Only> & AsyncOptions = {},
  ): Promise<Map<Only, Tensor<Float32Array>>> {
    const tensors = Array.isArray(inputs) && inputs.length > 0 ? inputs : [inputs];
    checkKinds(tensors);
    return this.#taps.forwardAsync(tensors, options) as Promise<Map<any, Tensor<Float32Array>>>;
  }

  /**
   * What each feature will be for an input shape, in order of execution: nothing is computed, and no weights are
   * needed.
   *
   * @param inputShape `[N, C, H, W]`, or what else the model takes
   * @param others the other inputs' shapes, where the model's `forward` takes several
   * @throws {@link ValueError} where a feature is a Map or an array, with the nodes that are its tensors
   */
  featureInfo(inputShape: Shape, ...others: readonly Shape[]): FeatureInfo<Name>[] {
    const shapes = [inputShape, ...others];
    for (const shape of shapes) this.#taps.checkShape(shape);
    return this.#taps.info(shapes, []);
  }

  /** @internal Those of the model that a feature needs. */
  override members(): ReadonlyMap<string, Member> {
    const { children, states } = this.#needed();
    const isNeeded = (member: Member) => (member instanceof Parameter ? states.has(member) : children.has(member));
    return new Map([...this.#model.members()].filter(([, member]) => isNeeded(member)));
  }

  override getSubmodule(path: string): AnyModule {
    return path === '' ? this : this.#model.getSubmodule(path);
  }

  /** @internal Those of the model that a feature needs. */
  override namedState(prefix = '', into: [path: string, state: Parameter][] = []): readonly [string, Parameter][] {
    const { states } = this.#needed();
    for (const named of this.#model.namedState(prefix)) if (states.has(named[1])) into.push([...named]);
    return into;
  }

  /** @internal The model's besides: how its state dict is read is its own. */
  override everyModule(prefix = '', into: [path: string, module: AnyModule][] = []): readonly [string, AnyModule][] {
    into.push([prefix, this]);
    return this.#model.everyModule(prefix, into);
  }

  /** All of the model's keys that no feature needs. */
  protected override droppedKeys(): readonly string[] {
    const own = new Set([...this.namedState()].map(([path]) => path));
    const others = [...this.#model.stateShapes().keys()].filter((key) => !own.has(key));
    return [...others, ...absentIn(this.#model)];
  }

  /** @internal */
  override strangersIn(graph: Graph, parameters: Iterable<Parameter>): readonly AnyModule[] {
    return this.#model.strangersIn(graph, parameters);
  }

  /** What the features need of the model as it is. */
  #needed(): Kept {
    if (this.#kept?.snapshot.isCurrent) return this.#kept;
    const { graph, names } = tracedModel('FeatureExtractor', this.#model, this.#inputShapes);
    const nodes = new Map<string, NamedNode>();
    for (const query of this.returnNodes.keys()) {
      const node = nodeOf(names, query);
      if (node) nodes.set(query, node);
    }
    const program = prune(graph.program([...nodes.values()].flatMap(({ output }) => valuesOf(output))));
    const values = new Set<Value>([...program.taps, ...program.nodes.flatMap((node) => [...node.inputs, node.output])]);
    const read = new Set(parametersOf(program));
    const states = new Set<Parameter>();
    for (const module of this.#model.modules()) {
      const own = [...module.members()].flatMap(([, member]) => (member instanceof Parameter ? member : []));
      if (own.some((state) => read.has(state))) for (const state of own) states.add(state);
    }
    const children = new Set<unknown>();
    for (const child of this.#model.children()) {
      const output = graph.outputOf(child);
      const isNeeded = output !== undefined && valuesOf(output).some((value) => values.has(value));
      if (isNeeded || [...child.parameters(), ...child.buffers()].some((state) => states.has(state)))
        children.add(child);
    }
    // Parameters' values have no part in it, and change while they are loaded.
    const snapshot = new Snapshot(this.#model.dependencies().filter((part) => !(part instanceof Parameter)));
    const nodeNames = new Map(Array.from(nodes, ([query, { name }]) => [query, name]));
    this.#kept = { snapshot, nodeNames, states, children };
    return this.#kept;
  }

  /** Records the model's own forward; features and their nodes in order of execution. */
  #trace([x, ...others]: readonly Value[], layers: ReadonlyMap<string, Name>): Traced<Name> {
    const count = 1 + others.length;
    if (count < this.#inputCount) {
      throw new ValueError(
        `FeatureExtractor: expected ${this.#inputCount} inputs, as the model was traced with, got ${count}; ` +
          'call(x, y), callAsync([x, y]) and featureInfo(shapeOfX, shapeOfY) take several',
      );
    }
    const { graph } = x!;
    const outer = graph.watch;
    const names = new NodeNames(this.#model, [x!, ...others], outer);
    graph.watch = names;
    try {
      this.#run((value) => this.#model.call(value, ...others), x!);
    } catch (error) {
      // What follows the last node may need a larger input, and isn't computed. Which one is the last is told by the
      // model as it is.
      if (!(error instanceof ShapeError)) throw error;
      const { nodeNames } = this.#needed();
      const isDone = [...layers.keys()].every((query) => {
        const node = nodeOf(names, query);
        return node && node.name === nodeNames.get(query);
      });
      if (!isDone) throw error;
    } finally {
      graph.watch = outer;
    }
    const found = [...layers.keys()].map((query) => ({ query, node: nodeOf(names, query) }));
    const lost = found.filter(({ node }) => !node);
    if (lost.length > 0) {
      const queries = listed(lost.map(({ query }) => query));
      throw new ValueError(`FeatureExtractor: expected every requested node to run, got no output of ${queries}`);
    }
    const places = new Map<unknown, number>([...names.nodes, ...names.modules.values()].map((node, i) => [node, i]));
    // From the last to the first, as torchvision does: of two nodes with one name the earlier one stays.
    const ordered = [...found].sort((a, b) => places.get(b.node)! - places.get(a.node)!);
    const outputs = new Map<Name, Value>();
    const paths = new Map<Name, string>();
    for (const { query, node } of ordered) {
      const name = layers.get(query)!;
      outputs.set(name, node!.output as Value);
      paths.set(name, query);
    }
    const partsOf = (feature: unknown) => namesOfParts(feature, [...names.modules.values(), ...names.nodes]);
    return { features: new Map([...outputs].reverse()), paths, partsOf };
  }
}

/** What the features need of a model as it was. */
interface Kept {
  readonly snapshot: Snapshot;
  /** For each node asked for, the name of the one that it stands for. */
  readonly nodeNames: ReadonlyMap<string, string>;
  readonly states: ReadonlySet<Parameter>;
  readonly children: ReadonlySet<unknown>;
}

/** @throws {@link ValueError} where it is no module */
function checkModel(name: string, model: unknown): void {
  if (!(model instanceof Module)) throw new ValueError(`${name}: expected a Module, got ${describe(model)}`);
}

function isInput(part: unknown): boolean {
  return part instanceof Tensor || graphOf(part) !== undefined;
}

/** @throws {@link ValueError} where others aren't of the first one's kind */
function checkKinds([first, ...others]: readonly unknown[]): void {
  const isTensor = first instanceof Tensor;
  if (others.every((x) => isInput(x) && x instanceof Tensor === isTensor)) return;
  throw new ValueError(
    `FeatureExtractor: expected all inputs as Tensors or as Values, got ${describe([first, ...others])}`,
  );
}

/**
 * The node that a name stands for: the last one that it names or that lies below it; or else a module inside of one.
 */
function nodeOf({ nodes, modules }: NodeNames, query: string): NamedNode | undefined {
  return [...nodes].reverse().find(({ name }) => name === query || name.startsWith(`${query}.`)) ?? modules.get(query);
}

/** What to ask for in the place of a feature of several tensors. */
function namesOfParts(feature: unknown, nodes: readonly NamedNode[]): string {
  const values = valuesOf(feature);
  const names = values.flatMap((value) => {
    // The shortest path stands for those of the modules inside of it.
    const ofValue = nodes.flatMap(({ name, output }) => (output === value ? name : []));
    return ofValue.sort((a, b) => a.length - b.length).slice(0, 1);
  });
  if (names.length === 0) return 'none of its tensors is a node: forward gives them together';
  const some = names.length === values.length ? '' : `${names.length} of its ${values.length} tensors by `;
  return `ask for ${some}${listed(names, 24)}`;
}

/**
 * The error for nodes that aren't there: in torchvision's words first, then with those of the deepest level that is.
 */
function missingNodes(model: AnyModule, names: NodeNames, missing: readonly string[]): ValueError {
  const all = [...names.nodes.map(({ name }) => name), ...names.modules.keys()];
  const below = (level: string) => {
    const prefix = level === '' ? '' : `${level}.`;
    return new Set(all.flatMap((name) => (name.startsWith(prefix) ? name.slice(prefix.length).split('.')[0]! : [])));
  };
  const levels = new Map<string, string[]>();
  for (const query of missing) {
    let level = query;
    do level = level.slice(0, Math.max(0, level.lastIndexOf('.')));
    while (level !== '' && below(level).size === 0);
    const wrong = query.slice(level === '' ? 0 : level.length + 1).split('.')[0]!;
    levels.set(level, [...(levels.get(level) ?? []), wrong]);
  }
  const there = [...levels].map(([level, wrong]) => {
    const near = listed(byNearness(wrong, below(level)), 24);
    return level === '' ? `its nodes are ${near}` : `the nodes of ${describe(level)} are ${near}`;
  });
  // A number at the end of a layer's own name is taken for a node's number.
  const renamed = missing.flatMap((query) => names.nodes.find(({ path }) => path === query) ?? []);
  const hint = renamed.map(({ path, name }) => `; the node of ${describe(path)} is ${describe(name)}`).join('');
  return new ValueError(
    `createFeatureExtractor: node: ${listed(missing)} is not present in model; ` +
      `${there.join('; ')}${hint}${model.pathHint(missing)}`,
  );
}
