/**
 * createFeatureExtractor: any layer of a model, or any node between layers, as the model's own forward computes it. It
 * behaves as torchvision's does; every difference is in the table of docs/pytorch.md.
 */

import { describe, listed, ShapeError, UnsupportedError, ValueError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { AsyncOptions } from '../nn/execution.ts';
import type { Member } from '../nn/members.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { graphOf, valuesOf } from '../nn/output.ts';
import { withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { absentIn } from './intermediate-layer-getter.ts';
import { missingNodes } from './missing-nodes.ts';
import { Needs, nodeOf } from './needs.ts';
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
  readonly inputShape?: Shape | readonly Shape[] | undefined;
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
  return new FeatureExtractor(model, layers, { inputShape });
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

/** @internal Records a model's own forward on a value: featuresOnly takes strides away meanwhile. */
export type Run = (forward: (x: Value) => void, x: Value) => void;

/** How an extractor's model is traced. */
interface Tracing extends NodeNamesOptions {
  /** With how many inputs, unless shapes are given: as many as its forward names. */
  readonly inputCount?: number;
  readonly run?: Run | undefined;
}

/**
 * What {@link createFeatureExtractor} returns. The model's modules are shared, and `forward` runs the model's own: what
 * changes in the model, changes here. Children and state are those that the nodes need; a layer that they don't need
 * isn't computed, packed or read from a file. The whole model's weights can be loaded as they are.
 *
 * @typeParam Name the features' names
 */
export class FeatureExtractor<Name extends FeatureName = FeatureName> extends Module<Map<Name, Value>> {
  /** @internal Functions of the model have the extractor's path in a model around it, as torchvision's have. */
  readonly isFlat = true;
  readonly #model: AnyModule;
  readonly #taps: Taps<any>;
  readonly #inputShapes: readonly Shape[] | undefined;
  readonly #inputCount: number | undefined;
  readonly #run: Run;
  #needs: Needs;

  /** @internal */
  constructor(model: AnyModule, layers: ReadonlyMap<string, Name>, { inputShape, inputCount, run }: Tracing) {
    super();
    this.#model = model;
    this.#run = run ?? ((forward, x) => forward(x));
    this.#inputShapes = shapesOf(inputShape);
    this.#inputCount = inputCount;
    this.#taps = new Taps('FeatureExtractor', this, layers, (inputs, some) => this.#trace(inputs, some));
    const trace = tracedModel('createFeatureExtractor', model, this.#inputShapes, inputCount);
    const missing = [...layers.keys()].filter((query) => !nodeOf(trace.names, query));
    if (missing.length > 0) throw missingNodes(model, trace, missing);
    this.#needs = new Needs(model, trace, layers.keys());
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
   * @throws {@link ValueError} where `only` names a feature that isn't returned, or where a node doesn't run for this
   *   shape or may be another one of its name
   * @throws {@link StateDictError} where a feature needs parameters that it didn't need when the model was traced
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
    const inputs = [...given];
    const options = inputs.length > 1 && isOptions(inputs.at(-1)) ? inputs.pop() : {};
    // Inputs with a default may be left out so.
    while (inputs.length > 1 && (inputs.at(-1) ?? null) === null) inputs.pop();
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
    return this.#taps.info([inputShape, ...others], []);
  }

  /** @internal Those of the model that a feature needs. */
  override members(): ReadonlyMap<string, Member> {
    const { children, states } = this.#needed();
    const isNeeded = (member: Member) => (member instanceof Parameter ? states.has(member) : children.has(member));
    return new Map([...this.#model.members()].filter(([, member]) => isNeeded(member)));
  }

  /** @internal The model's, whether a feature needs it or not: the model may change in steps. */
  override member(name: string): Member | undefined {
    return this.#model.member(name);
  }

  override getSubmodule(path: string): AnyModule {
    return path === '' ? this : this.#model.getSubmodule(path);
  }

  /** Adds a child to the model, or replaces it. */
  override addModule(name: string, module: AnyModule | null): this {
    this.#model.addModule(name, module);
    return this;
  }

  /** Replaces a module of the model. */
  override setSubmodule(path: string, module: AnyModule | null): this {
    this.#model.setSubmodule(path, module);
    return this;
  }

  /** Sets the training flag of the whole model. */
  override train(mode = true): this {
    super.train(mode);
    this.#model.train(mode);
    return this;
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
  #needed(): Needs {
    const own = [...super.members()].flatMap(([name, member]) => (member ? name : []));
    if (own.length > 0) {
      throw new ValueError(
        `FeatureExtractor: expected modules and parameters on the model, got ${listed(own)} on the extractor; ` +
          'addModule adds a module to the model',
      );
    }
    if (!this.#needs.isCurrent) {
      const trace = tracedModel('FeatureExtractor', this.#model, this.#inputShapes, this.#inputCount);
      this.#needs = new Needs(this.#model, trace, this.returnNodes.keys());
    }
    return this.#needs;
  }

  /** Records the model's own forward; features and their nodes in order of execution. */
  #trace(inputs: readonly Value[], layers: ReadonlyMap<string, Name>): Traced<Name> {
    const [x, ...others] = inputs;
    const graph = graphOf(x)!;
    const start = graph.nodes.length;
    const outer = graph.watch;
    const needs = this.#needed();
    const names = new NodeNames(this.#model, inputs, outer, (name) => needs.has(name));
    graph.watch = names;
    let isWhole = true;
    try {
      this.#run((value) => this.#model.call(value, ...others), x!);
    } catch (error) {
      // What follows the last node may need a larger input, or can't be dilated, and isn't computed. `needs` knows
      // which one is the last.
      isWhole = false;
      const isLeftOut = error instanceof ShapeError || error instanceof UnsupportedError;
      if (!isLeftOut) throw needs.inputCountError(inputs, error);
      if (!needs.areReached(layers.keys(), names)) throw error;
    } finally {
      graph.watch = outer;
    }
    const found = [...layers.keys()].map((query) => ({ query, node: nodeOf(names, query) }));
    const lost = found.filter(({ node }) => !node);
    if (lost.length > 0) {
      const queries = listed(lost.map(({ query }) => query));
      throw new ValueError(`FeatureExtractor: expected every requested node to run, got no output of ${queries}`);
    }
    // A trace that ended early has fewer nodes of each name.
    if (isWhole) needs.checkNames(layers.keys(), names);
    // From the last to the first, as torchvision does: of two nodes with one name the earlier one stays.
    const ordered = [...found].sort((a, b) => b.node!.at - a.node!.at);
    const outputs = new Map<Name, Value>();
    const paths = new Map<Name, string>();
    for (const { query, node } of ordered) {
      const name = layers.get(query)!;
      outputs.set(name, node!.output as Value);
      paths.set(name, query);
    }
    needs.checkState(outputs.values(), graph, start);
    const partsOf = (feature: unknown) => namesOfParts(feature, [...names.modules.values(), ...names.nodes]);
    return { features: new Map([...outputs].reverse()), paths, partsOf };
  }
}

/** @throws {@link ValueError} where it is no module */
function checkModel(name: string, model: unknown): void {
  if (!(model instanceof Module)) throw new ValueError(`${name}: expected a Module, got ${describe(model)}`);
}

function isInput(part: unknown): boolean {
  return part instanceof Tensor || graphOf(part) !== undefined;
}

/** True for what can't be meant as an input. */
function isOptions(part: unknown): boolean {
  const isList = Array.isArray(part) || ArrayBuffer.isView(part) || part instanceof Map;
  return typeof part === 'object' && part !== null && !isList && !isInput(part);
}

/** @throws {@link ValueError} where others aren't of the first one's kind */
function checkKinds([first, ...others]: readonly unknown[]): void {
  const isTensor = first instanceof Tensor;
  if (others.every((x) => isInput(x) && x instanceof Tensor === isTensor)) return;
  throw new ValueError(
    `FeatureExtractor: expected all inputs as Tensors or as Values, got ${describe([first, ...others])}`,
  );
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
