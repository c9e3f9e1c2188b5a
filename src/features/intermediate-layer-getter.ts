/**
 * IntermediateLayerGetter: a model cut after the last layer that is asked for. It behaves as torchvision's does, and takes
 * dotted paths and subsets besides; every difference is in the README's table.
 */

import { ShapeError, ValueError } from '../errors.ts';
import { Graph, macsOf, reductionsOf, Value } from '../graph/graph.ts';
import { prune } from '../graph/passes/prune.ts';
import { ModuleDict } from '../nn/container.ts';
import type { AsyncOptions } from '../nn/execution.ts';
import { Module } from '../nn/module.ts';
import { graphOf } from '../nn/output.ts';
import { withDefaults } from '../options.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
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
 * Children after the last requested one are dropped, those before are shared with the model. Right only where the model's own
 * `forward` runs its children in that order: functional steps between them are lost.
 *
 * @see torchvision.models._utils.IntermediateLayerGetter
 */
export class IntermediateLayerGetter extends ModuleDict<Map<FeatureName, Value>> {
  /** The requested paths and their features' names, as given. */
  readonly returnLayers: ReadonlyMap<string, FeatureName>;

  /**
   * @param returnLayers keys are direct children or dotted paths below them (`layer3.5`); of two layers with one name, the
   * last executed wins; without any, the first child is kept
   * @throws {@link ValueError} naming the layers that aren't there, and the children that are
   */
  constructor(model: Module<any>, returnLayers: ReturnLayers) {
    if (!(model instanceof Module)) {
      const got = (model as object | null | undefined)?.constructor?.name ?? String(model);
      throw new ValueError(`IntermediateLayerGetter: expected a Module, got ${got}`);
    }
    const layers = layersOf(returnLayers);
    const children = [...model.namedChildren()];
    checkLayers(model, children, layers);
    const wanted = new Set([...layers.keys()].map((path) => path.split('.')[0]!));
    const kept: [string, Module<any>][] = [];
    for (const [name, child] of children) {
      kept.push([name, child]);
      wanted.delete(name);
      if (wanted.size === 0) break;
    }
    super(kept);
    this.returnLayers = layers;
  }

  protected override get version(): number {
    return 2;
  }

  /**
   * The features by name, in order of execution. On a tensor `[N, C, H, W]` it computes them; on a value, inside of another
   * module's `forward`, it records them.
   *
   * @throws {@link ValueError} where `only` names a feature that isn't returned, or the child that holds a layer doesn't run it
   */
  override forward(x: Tensor, options?: ForwardOptions): Map<FeatureName, Tensor<Float32Array>>;
  override forward(x: Value, options?: ForwardOptions): Map<FeatureName, Value>;
  override forward(x: Tensor | Value, options: ForwardOptions = {}): Map<FeatureName, any> {
    const { only } = withDefaults('forward', options, { only: undefined });
    const layers = only ? this.#subset(only) : this.returnLayers;
    if (!(x instanceof Tensor) && !graphOf(x)) {
      const got = (x as object | null | undefined)?.constructor?.name ?? String(x);
      throw new ValueError(`IntermediateLayerGetter: expected a Tensor or a Value, got ${got}`);
    }
    if (x instanceof Tensor) {
      const variant = JSON.stringify([...layers]);
      return this.execution().run([x], variant, ([value]) => this.#trace(value!, layers).features);
    }
    return this.#trace(x, layers).features;
  }

  /**
   * The features as {@link forward} computes them, with the same bits, and with a turn of the event loop after each stretch of some
   * milliseconds' work. All work is on this thread: see {@link callAsync}.
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
    if (!(x instanceof Tensor)) {
      const got = (x as object | null | undefined)?.constructor?.name ?? String(x);
      throw new ValueError(`IntermediateLayerGetter: expected a Tensor, got ${got}`);
    }
    const layers = only ? this.#subset(only) : this.returnLayers;
    const trace = ([value]: readonly Value[]) => this.#trace(value!, layers).features;
    return this.execution().runAsync([x], JSON.stringify([...layers]), trace, known);
  }

  /**
   * What each feature will be for an input shape, in order of execution: nothing is computed, and no weights are needed.
   *
   * @param inputShape `[N, C, H, W]`
   * @throws {@link ValueError} where a feature is a Map or an array
   */
  featureInfo(inputShape: Shape): FeatureInfo[] {
    if (
      inputShape.length !== 4 ||
      !inputShape.every((size, axis) => Number.isSafeInteger(size) && size >= (axis === 0 ? 0 : 1))
    ) {
      throw new ShapeError(
        `IntermediateLayerGetter: expected an input of shape [N, C, H, W] in which no axis but N is empty, got ${formatShape(inputShape)}`,
      );
    }
    const graph = new Graph([inputShape]);
    const { features, paths } = this.#trace(graph.inputs[0]!, this.returnLayers);
    const reductions = reductionsOf(graph.program([]));
    return [...features].map(([name, value]) => {
      if (!(value instanceof Value)) {
        const got = (value as object).constructor.name;
        throw new ValueError(
          `IntermediateLayerGetter: expected features that are single tensors, got ${got} for "${paths.get(name)}"`,
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

  #subset(only: readonly FeatureName[]): ReadonlyMap<string, FeatureName> {
    const names = new Set(this.returnLayers.values());
    const unknown = only.filter((name) => !names.has(name));
    if (unknown.length > 0) {
      throw new ValueError(
        `IntermediateLayerGetter: expected only to name features of ${list(names)}, got ${list(unknown)}`,
      );
    }
    return new Map([...this.returnLayers].filter(([, name]) => only.includes(name)));
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
        `IntermediateLayerGetter: expected every requested layer to run, got no output of ${list(modules.values())}`,
      );
    }
    return { features, paths };
  }
}

/** @throws {@link ValueError} where it isn't one of the forms of {@link ReturnLayers} */
function layersOf(returnLayers: ReturnLayers): Map<string, FeatureName> {
  if (typeof returnLayers === 'object' && returnLayers !== null) {
    const entries = Symbol.iterator in returnLayers ? [...returnLayers] : Object.entries(returnLayers);
    if (entries.every((entry) => Array.isArray(entry) && entry.length === 2)) return new Map(entries);
  }
  const got = JSON.stringify(returnLayers);
  throw new ValueError(
    `IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries, got ${got}`,
  );
}

/** @throws {@link ValueError} where a path is neither a child nor a module below one, a shared one counting once */
function checkLayers(
  model: Module<any>,
  children: readonly (readonly [string, Module<any>])[],
  layers: ReadonlyMap<string, FeatureName>,
): void {
  const names = children.map(([name]) => name);
  const below = [...model.namedModules()].map(([path]) => path).filter((path) => path.includes('.'));
  const present = new Set([...names, ...below]);
  const missing = [...layers.keys()].filter((path) => !present.has(path));
  if (missing.length === 0) return;
  const problems = missing.map((path) =>
    typeof path === 'string' ? `"${path}"` : `${String(path)} (a ${typeof path}, not a string)`,
  );
  throw new ValueError(
    `return_layers are not present in model: ${problems.join(', ')}; its children are ${list(names)}`,
  );
}

function list(names: Iterable<FeatureName>): string {
  return [...names].map((name) => JSON.stringify(name)).join(', ') || 'none';
}
