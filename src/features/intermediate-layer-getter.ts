/**
 * IntermediateLayerGetter: a model cut after the last layer that is asked for. It behaves as torchvision's does, and
 * takes dotted paths and subsets besides; every difference is in the table of docs/pytorch.md.
 */

import { describe, listed, ShapeError, ValueError } from '../errors.ts';
import { Graph, macsOf, parametersOf, reductionsOf, Value } from '../graph/graph.ts';
import { prune } from '../graph/passes/prune.ts';
import { ModuleDict } from '../nn/container.ts';
import { type AsyncOptions, checkedAsyncOptions, type Recording } from '../nn/execution.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { graphOf } from '../nn/output.ts';
import { withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';

/** What a feature is returned as. */
export type FeatureName = string | number;

/** Layers and the names of their features: a Map, entries, or a plain object. */
export type ReturnLayers =
  | ReadonlyMap<string, FeatureName>
  | Iterable<readonly [string, FeatureName]>
  | Readonly<Record<string, FeatureName>>;

/** Options of {@link IntermediateLayerGetter.forward}. */
export interface ForwardOptions {
  /** The features to return, all unless given; what follows the last of them isn't run. */
  readonly only?: readonly FeatureName[];
}

/** What a feature will be for an input shape. */
export interface FeatureInfo {
  readonly name: FeatureName;
  /** The path of its layer. */
  readonly module: string;
  readonly shape: Shape;
  readonly channels: number;
  /** How many of the input's rows one of the feature's stands for, by the strides between them: 8, 16, 32. */
  readonly reduction: number;
  /** Multiply-accumulates from the input to this feature. */
  readonly macs: number;
  /** Bytes of the feature as float32. */
  readonly bytes: number;
}

/**
 * Runs a model's children in order and returns the named ones' outputs, as in PyTorch:
 *
 *     const getter = new IntermediateLayerGetter(resnet50(), { layer4: 'out', layer3: 'aux' });
 *     const features = getter.forward(x); // Map { 'aux' → Tensor, 'out' → Tensor }
 *
 * Children after the last requested one are dropped, those before are shared with the model. Right only where the
 * model's own `forward` runs its children in that order: functional steps between them are lost. The whole model's
 * weights can be loaded as they are, since the keys of dropped children are ignored:
 *
 *     await getter.loadStateDictAsync(await openSafetensors(url)); // reads the kept children's bytes alone
 *
 * @see torchvision.models._utils.IntermediateLayerGetter
 */
export class IntermediateLayerGetter extends ModuleDict<Map<FeatureName, Value>> {
  /** The requested paths and their features' names, as given. */
  readonly returnLayers: ReadonlyMap<string, FeatureName>;
  /** The model's keys that are not the kept children's, as {@link droppedKeys} writes them. */
  readonly #dropped: readonly string[];

  /**
   * @param returnLayers keys are direct children or dotted paths below them (`layer3.5`); of two layers with one name,
   *   the
   * last executed wins; without any, the first child is kept
   * @throws {@link ValueError} naming the layers that aren't there, and the children that are
   */
  constructor(model: AnyModule, returnLayers: ReturnLayers) {
    if (!(model instanceof Module)) {
      throw new ValueError(`IntermediateLayerGetter: expected a Module, got ${describe(model)}`);
    }
    const layers = layersOf(returnLayers);
    const children = [...model.namedChildren()];
    checkLayers(model, children, layers);
    const wanted = new Set([...layers.keys()].map((path) => path.split('.')[0]!));
    const kept: [string, AnyModule][] = [];
    for (const [name, child] of children) {
      kept.push([name, child]);
      wanted.delete(name);
      if (wanted.size === 0) break;
    }
    super(kept);
    this.returnLayers = layers;
    const before = model instanceof IntermediateLayerGetter ? model.droppedKeys() : [];
    this.#dropped = [...droppedOf(model, new Set(kept.map(([name]) => name))), ...before];
  }

  /** The keys of dropped children, unless a child of that name was added since. */
  protected override droppedKeys(): readonly string[] {
    return this.#dropped.filter((key) => !this.has(key.replace(/\.$/, '')));
  }

  protected override get version(): number {
    return 2;
  }

  /**
   * The features by name, in order of execution. On a tensor `[N, C, H, W]` it computes them; on a value, inside of
   * another module's `forward`, it records them.
   *
   * @throws {@link ValueError} where `only` names a feature that isn't returned, or the child that holds a layer
   *   doesn't run it
   */
  override forward(x: Tensor, options?: ForwardOptions): Map<FeatureName, Tensor<Float32Array>>;
  override forward(x: Value, options?: ForwardOptions): Map<FeatureName, Value>;
  override forward(x: Tensor | Value, options: ForwardOptions = {}): Map<FeatureName, any> {
    const { only } = withDefaults('forward', options, { only: undefined });
    const layers = this.#subset(only);
    if (!(x instanceof Tensor) && !graphOf(x)) {
      throw new ValueError(`IntermediateLayerGetter: expected a Tensor or a Value, got ${describe(x)}`);
    }
    if (x instanceof Tensor) {
      return this.execution().run([x], this.#recording(layers));
    }
    return this.#trace(x, layers).features;
  }

  /**
   * The features as {@link forward} computes them, with the same bits, and with a turn of the event loop after each
   * stretch of some milliseconds' work. All work is on this thread: see {@link callAsync}.
   *
   *     const features = await getter.forwardAsync(x, { signal, onProgress: ({ child, done, total }) => … });
   *
   * @param x a tensor that doesn't change until the call ends
   * @returns a promise, rejected with the signal's reason where it was aborted; the getter stays usable
   */
  async forwardAsync(
    x: Tensor,
    options: ForwardOptions & AsyncOptions = {},
  ): Promise<Map<FeatureName, Tensor<Float32Array>>> {
    const defaults = { only: undefined, onProgress: undefined, signal: undefined };
    const { only, ...known } = withDefaults('forwardAsync', options, defaults);
    checkedAsyncOptions(known, 'forwardAsync');
    if (!(x instanceof Tensor)) {
      throw new ValueError(`IntermediateLayerGetter: expected a Tensor, got ${describe(x)}`);
    }
    const layers = this.#subset(only);
    return this.execution().runAsync([x], known, this.#recording(layers));
  }

  /**
   * What each feature will be for an input shape, in order of execution: nothing is computed, and no weights are
   * needed.
   *
   * @param inputShape `[N, C, H, W]`
   * @throws {@link ValueError} where a feature is a Map or an array
   */
  featureInfo(inputShape: Shape): FeatureInfo[] {
    const isShape = Array.isArray(inputShape) && inputShape.length === 4;
    if (
      !isShape ||
      ![...inputShape].every((size, axis) => Number.isSafeInteger(size) && size >= (axis === 0 ? 0 : 1))
    ) {
      throw new ShapeError(
        'IntermediateLayerGetter: expected an input of shape [N, C, H, W] in which no axis but N is empty, ' +
          `got ${describe(inputShape)}`,
      );
    }
    const graph = new Graph([inputShape]);
    const { features, paths } = this.#trace(graph.inputs[0]!, this.returnLayers);
    this.strangersIn(graph, parametersOf(graph.program([])));
    const reductions = reductionsOf(graph.program([]));
    return [...features].map(([name, value]) => {
      if (!(value instanceof Value)) {
        throw new ValueError(
          `IntermediateLayerGetter: expected features that are single tensors, got ${describe(value)} ` +
            `for "${paths.get(name)}"`,
        );
      }
      const { shape } = value;
      const { nodes } = prune(graph.program([value]));
      return {
        name,
        module: paths.get(name)!,
        shape,
        channels: shape[1]!,
        reduction: Math.max(1, Math.round(reductions.get(value)!)),
        macs: nodes.reduce((sum, node) => sum + macsOf(node), 0),
        bytes: numel(shape) * 4,
      };
    });
  }

  /** The layers of the features that `only` names: all unless given. */
  #subset(only: readonly FeatureName[] | null | undefined): ReadonlyMap<string, FeatureName> {
    if (only === undefined || only === null) return this.returnLayers;
    if (!Array.isArray(only)) {
      throw new ValueError(
        `IntermediateLayerGetter: expected only as an array of features' names, got ${describe(only)}`,
      );
    }
    const names = new Set(this.returnLayers.values());
    const unknown = [...only].filter((name) => !names.has(name));
    if (unknown.length > 0) {
      throw new ValueError(
        `IntermediateLayerGetter: expected only to name features of ${listed(names, 24)}, got ${listed(unknown)}`,
      );
    }
    return new Map([...this.returnLayers].filter(([, name]) => only.includes(name)));
  }

  /** What is recorded for the features of these layers. */
  #recording(layers: ReadonlyMap<string, FeatureName>): Recording<Map<FeatureName, Value>> {
    const name = JSON.stringify([...layers]);
    return { name, record: ([value]) => this.#trace(value!, layers).features };
  }

  /** Records the children up to the last of `layers`; features and their paths in order of execution. */
  #trace(x: Value, layers: ReadonlyMap<string, FeatureName>) {
    const children = new Set([...layers.keys()].map((path) => path.split('.')[0]!));
    let y: any = x;
    for (const [name, child] of this.items()) {
      y = child!.call(y);
      children.delete(name);
      if (children.size === 0) break;
    }
    const modules = new Map<object, string>();
    for (const path of layers.keys()) if (this.has(path.split('.')[0]!)) modules.set(this.getSubmodule(path), path);
    const features = new Map<FeatureName, Value>();
    const paths = new Map<FeatureName, string>();
    const graph = graphOf(x)!;
    for (const module of graph.completed) {
      const path = modules.get(module);
      if (path === undefined) continue;
      const name = layers.get(path)!;
      features.set(name, graph.outputOf(module) as Value);
      paths.set(name, path);
      modules.delete(module);
    }
    if (modules.size > 0) {
      throw new ValueError(
        `IntermediateLayerGetter: expected every requested layer to run, got no output of ${listed(modules.values())}`,
      );
    }
    return { features, paths };
  }
}

/** A model's keys that aren't those of the kept children; those of a child end in a dot. */
function droppedOf(model: AnyModule, kept: ReadonlySet<string>): string[] {
  const members = [...model.members()].filter(([name]) => !kept.has(name));
  // A child that the model was built without, such as an auxiliary head, is a property that is null.
  const absent = Object.keys(model).filter((name) => Reflect.get(model, name) === null);
  const own = members.map(([name, member]) => (member instanceof Parameter ? name : `${name}.`));
  return [...own, ...absent.map((name) => `${name}.`)];
}

/** @throws {@link ValueError} where it isn't one of the forms of {@link ReturnLayers} */
function layersOf(returnLayers: ReturnLayers): Map<string, FeatureName> {
  const expected = 'IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries';
  const isObject = typeof returnLayers === 'object' && returnLayers !== null;
  const entries: readonly unknown[] = !isObject
    ? [null]
    : Symbol.iterator in returnLayers
      ? [...returnLayers]
      : Object.entries(returnLayers);
  if (!entries.every((entry) => Array.isArray(entry) && entry.length === 2)) {
    throw new ValueError(`${expected}, got ${describe(returnLayers)}`);
  }
  const layers = new Map(entries as [string, FeatureName][]);
  for (const [layer, name] of layers) {
    if (typeof name === 'string' || typeof name === 'number') continue;
    throw new ValueError(
      `${expected}, with strings or numbers as features, got ${describe(name)} for ${describe(layer)}`,
    );
  }
  return layers;
}

/**
 * @throws {@link ValueError} where a path is neither a child nor a module below one, a shared one counting once, with
 *   the children
 * of the level that is wrong
 */
function checkLayers(
  model: AnyModule,
  children: readonly (readonly [string, AnyModule])[],
  layers: ReadonlyMap<string, FeatureName>,
): void {
  const names = children.map(([name]) => name);
  const below = [...model.namedModules()].filter(([path]) => path.includes('.'));
  const present = new Map<unknown, AnyModule>([...children, ...below]);
  const missing = [...layers.keys()].filter((path) => !present.has(path));
  if (missing.length === 0) return;
  const problems = missing.map((path) =>
    typeof path === 'string' ? describe(path) : `${describe(path)} (a ${typeof path}, not a string)`,
  );
  // The longest part of each path that is there: what is below it is what could have been meant.
  const levels = new Set(missing.map((path) => (typeof path === 'string' ? parentOf(path, present) : '')));
  const there = [...levels].map((level) =>
    level === ''
      ? `its children are ${listed(names, 24)}`
      : `the children of ${describe(level)} are ${listed(
          [...present.get(level)!.namedChildren()].map(([name]) => name),
          24,
        )}`,
  );
  throw new ValueError(
    `return_layers are not present in model: ${problems.slice(0, 8).join(', ')}; ${there.join('; ')}` +
      model.pathHint(missing),
  );
}

/** The longest path above one that is there; '' for the model's own. */
function parentOf(path: string, present: ReadonlyMap<unknown, unknown>): string {
  let parent = path;
  do parent = parent.slice(0, Math.max(0, parent.lastIndexOf('.')));
  while (parent !== '' && !present.has(parent));
  return parent;
}
