/**
 * IntermediateLayerGetter: a model cut after the last layer that is asked for. It behaves as torchvision's does, and
 * takes dotted paths and subsets besides; every difference is in the table of docs/pytorch.md.
 */

import { describe, listed, UnsupportedError, ValueError } from '../errors.ts';
import { Graph, Value } from '../graph/graph.ts';
import { ModuleDict } from '../nn/container.ts';
import type { AsyncOptions } from '../nn/execution.ts';
import { levelAbove } from '../nn/load-state-dict.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { graphOf } from '../nn/output.ts';
import { callable, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkInputShape, type Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { numbered, problemOf } from './deviations.ts';
import {
  type FeatureInfo,
  type FeatureName,
  type ForwardOptions,
  layersOf,
  type ReturnLayers,
  Taps,
  type Traced,
} from './taps.ts';

export type { ChildName, FeatureInfo, FeatureName, ForwardOptions, ReturnLayers } from './taps.ts';

/** Options of {@link IntermediateLayerGetter}. */
export interface GetterOptions {
  /**
   * Called once, at the first run, where a feature isn't what the model's own forward gives: console.warn unless given.
   * With null nothing is looked for.
   */
  readonly onWarning?: ((message: string) => void) | null;
}

/** A feature that isn't what the model's own forward gives. */
export interface Deviation<Name extends FeatureName = FeatureName> {
  readonly name: Name;
  /** The path of its layer. */
  readonly module: string;
  /** What makes the difference: the end of a sentence that begins with the layer. */
  readonly reason: string;
}

/**
 * Runs a model's children in order and returns the named ones' outputs, as in PyTorch:
 *
 *     const getter = new IntermediateLayerGetter(resnet50(), { layer4: 'out', layer3: 'aux' });
 *     const features = getter.forward(x); // Map { 'aux' → Tensor, 'out' → Tensor }
 *
 * Children after the last requested one are dropped, those before are shared with the model. Right only where the
 * model's own `forward` runs its children in that order: functional steps between them are lost. {@link deviations}
 * says where, and {@link createFeatureExtractor} gives the model's own values. The whole model's weights can be loaded
 * as they are, since the keys of dropped children are ignored:
 *
 *     await getter.loadStateDictAsync(await openSafetensors(url)); // reads the kept children's bytes alone
 *
 * @typeParam Name the features' names
 * @see torchvision.models._utils.IntermediateLayerGetter
 */
export class IntermediateLayerGetter<
  Name extends FeatureName = FeatureName,
  Model extends AnyModule = AnyModule,
> extends ModuleDict<Map<Name, Value>> {
  readonly #taps: Taps<any>;
  /** The model's keys that are not the kept children's, as {@link droppedKeys} writes them. */
  readonly #dropped: readonly string[];
  /** The model, until its own forward was compared: it holds the dropped children. */
  #model: AnyModule | null;
  #deviations: readonly Deviation<Name>[] = [];
  #onWarning: ((message: string) => void) | null;

  /**
   * @param returnLayers keys are direct children or dotted paths below them (`layer3.5`); of two layers with one name,
   *   the last executed wins; without any, the first child is kept
   * @throws {@link ValueError} naming the layers that aren't there, and the children that are
   */
  constructor(model: Model, returnLayers: ReturnLayers<Name, Model>, options?: GetterOptions);
  /** As above, where strings and numbers are features in one list: TypeScript infers no union of them. */
  constructor(model: Model, returnLayers: ReturnLayers<NoInfer<Name>, Model>, options?: GetterOptions);
  /** The implementation. */
  constructor(model: Model, returnLayers: unknown, options: GetterOptions = {}) {
    if (!(model instanceof Module)) {
      throw new ValueError(`IntermediateLayerGetter: expected a Module, got ${describe(model)}`);
    }
    const expected = 'IntermediateLayerGetter: expected returnLayers as { layer: feature }, a Map or entries';
    const layers = layersOf<Name>(expected, returnLayers);
    const { onWarning } = withDefaults('IntermediateLayerGetter', options, { onWarning: console.warn });
    if (onWarning !== null) callable('IntermediateLayerGetter: onWarning', onWarning);
    const children = [...model.namedChildren()];
    checkLayers(model, children, layers);
    const kept = [...upTo(layers, children)];
    super(kept);
    this.#taps = new Taps('IntermediateLayerGetter', this, layers, ([x], some, isReport) => {
      if (!isReport && x instanceof Value && !x.graph.watch?.isQuiet) this.#warn(x.shape);
      return this.#trace(x!, some);
    });
    const others = [...model.members()].filter(([name]) => !this.has(name));
    this.#dropped = [
      ...others.map(([name, member]) => (member instanceof Parameter ? name : `${name}.`)),
      ...absentIn(model),
      // `protected` is for this class alone.
      ...(model as unknown as IntermediateLayerGetter).droppedKeys(),
    ];
    this.#model = model;
    this.#onWarning = onWarning;
  }

  /** The requested paths and their features' names, as given. */
  get returnLayers(): ReadonlyMap<string, Name> {
    return this.#taps.layers;
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
  override forward<Only extends Name = Name>(
    x: Tensor,
    options?: ForwardOptions<Only>,
  ): Map<Only, Tensor<Float32Array>>;
  override forward<Only extends Name = Name>(x: Value, options?: ForwardOptions<Only>): Map<Only, Value>;
  override forward(x: Tensor | Value, options: ForwardOptions<Name> = {}): Map<Name, any> {
    return this.#taps.forward([x], options);
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
  async forwardAsync<Only extends Name = Name>(
    x: Tensor,
    options: ForwardOptions<Only> & AsyncOptions = {},
  ): Promise<Map<Only, Tensor<Float32Array>>> {
    return this.#taps.forwardAsync([x], options) as Promise<Map<any, Tensor<Float32Array>>>;
  }

  /**
   * What each feature will be for an input shape, in order of execution: nothing is computed, and no weights are
   * needed.
   *
   * @param inputShape `[N, C, H, W]`
   * @throws {@link ValueError} where a feature is a Map or an array
   */
  featureInfo(inputShape: Shape): FeatureInfo<Name>[] {
    const deviating = this.deviations(inputShape).map(({ name }) => name);
    return this.#taps.info([inputShape], deviating);
  }

  /**
   * The features that aren't what the model's own forward gives, as ResNet's `fc` without the flattening before it. The
   * model is traced once, at the first call of this function, of {@link featureInfo} or of {@link forward} with an
   * input that the model takes, and its forward runs to its end. What is found then stays: the getter lets go of the
   * model, and so of the dropped children's weights. Nothing is computed.
   *
   * @param inputShape `[N, C, H, W]`, or what else the model takes
   */
  deviations(inputShape: Shape): readonly Deviation<Name>[] {
    checkInputShape('IntermediateLayerGetter', inputShape);
    return [...this.#compared(inputShape)];
  }

  #compared(inputShape: Shape): readonly Deviation<Name>[] {
    const model = this.#model;
    if (!model) return this.#deviations;
    this.#model = null;
    const [own, models] = [new Graph([inputShape]), new Graph([inputShape])];
    own.watch = models.watch = { isQuiet: true };
    // First without the model's forward, which may leave something changed.
    const problem = problemOf(own, () => this.#run(own.inputs[0]!, this.returnLayers));
    const failure = problemOf(models, () => model.forward(models.inputs[0]));
    const numbersOf = numbered([own, models]);
    const reasonOf = (value: unknown, modelsValue: unknown): string | false => {
      if (value && modelsValue) {
        return numbersOf(value) !== numbersOf(modelsValue) && "has another value in the model's forward";
      }
      if (modelsValue) return problem ? `can't take what runs before it: ${problem.message}` : "isn't run by its child";
      // Of what neither came to, nothing is known.
      return (value || !failure) && `isn't run by the model's forward${failure ? `: ${failure.message}` : ''}`;
    };
    // A container that has no forward has no other values.
    const isContainer = failure instanceof UnsupportedError && !models.completed[0];
    this.#deviations = (isContainer ? [] : [...this.returnLayers]).flatMap(([module, name]) => {
      const layer = this.#layerOf(module) ?? this;
      const [value, modelsValue] = [own.outputOf(layer), models.outputOf(layer)];
      // Another input may come further in a forward that failed.
      if (!modelsValue && failure) this.#model = model;
      const reason = reasonOf(value, modelsValue);
      return reason ? { name, module, reason } : [];
    });
    return this.#deviations;
  }

  /** Warns of what deviates, once. */
  #warn(inputShape: Shape): void {
    const onWarning = this.#onWarning;
    const deviations = onWarning ? this.#compared(inputShape) : [];
    if (deviations.length === 0) return;
    this.#onWarning = null;
    const layers = deviations.map(({ module, reason }) => `"${module}" (it ${reason})`).join(', ');
    onWarning!(
      `IntermediateLayerGetter: expected the values of the model's forward, got others for ${layers}; ` +
        'createFeatureExtractor gives its own',
    );
  }

  /** The module of a path below the kept children, null where it was taken away. */
  #layerOf(path: string): AnyModule | null {
    return this.has(path.split('.')[0]!) ? this.getSubmodule(path) : null;
  }

  /** Runs the children up to the last of `layers`. */
  #run(x: Value, layers: ReadonlyMap<string, Name>): void {
    let y: any = x;
    for (const [, child] of upTo(layers, this.items())) y = child!.call(y);
  }

  /** Records the children up to the last of `layers`; features and their paths in order of execution. */
  #trace(x: Value, layers: ReadonlyMap<string, Name>): Traced<Name> {
    const graph = graphOf(x)!;
    const start = graph.completed.length;
    this.#run(x, layers);
    const modules = new Map<object | null, string>([...layers.keys()].map((path) => [this.#layerOf(path), path]));
    modules.delete(null);
    const features = new Map<Name, Value>();
    const paths = new Map<Name, string>();
    for (const { module, output } of graph.completed.slice(start)) {
      const path = modules.get(module);
      if (path === undefined) continue;
      const name = layers.get(path)!;
      features.set(name, output as Value);
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

/** The children up to the last that holds one of `layers`, the first one where there are none. */
function* upTo<Child>(
  layers: ReadonlyMap<string, FeatureName>,
  children: Iterable<[name: string, child: Child]>,
): Iterable<[name: string, child: Child]> {
  const names = new Set([...layers.keys()].map((path) => path.split('.')[0]!));
  for (const item of children) {
    yield item;
    names.delete(item[0]);
    if (names.size === 0) return;
  }
}

/** What the keys of children begin with that the model was built without, such as an auxiliary head. */
export function absentIn(model: AnyModule): string[] {
  return Object.keys(model).flatMap((name) => (Reflect.get(model, name) === null ? `${name}.` : []));
}

/**
 * @throws {@link ValueError} where a path is neither a child nor a module below one, a shared one counting once, with
 *   the children of the level that is wrong
 */
function checkLayers(
  model: AnyModule,
  children: readonly (readonly [string, AnyModule])[],
  layers: ReadonlyMap<string, FeatureName>,
): void {
  const present = new Map([...model.namedModules(), ...children]);
  const missing = [...layers.keys()].filter((path) => path === '' || !present.has(path));
  if (missing.length === 0) return;
  // The longest part of each path that is there: what is below it is what could have been meant.
  const levels = new Set(missing.map((path) => levelAbove(path, (level) => present.has(level))));
  const there = [...levels].map((level) => {
    const names = [...present.get(level)!.namedChildren()].map(([name]) => name);
    return `${level === '' ? 'its children' : `the children of ${describe(level)}`} are ${listed(names, 24)}`;
  });
  throw new ValueError(
    `return_layers are not present in model: ${listed(missing)}; ${there.join('; ')}${model.pathHint(missing)}`,
  );
}
