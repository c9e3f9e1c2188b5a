/**
 * What IntermediateLayerGetter and FeatureExtractor share: names of features, subsets of them, runs and reports. How a
 * model is run up to its features is each one's own.
 */

import { describe, listed, ValueError } from '../errors.ts';
import { macsOf, parametersOf, reductionsOf, Value } from '../graph/graph.ts';
import { prune } from '../graph/passes/prune.ts';
import { type AsyncOptions, checkedAsyncOptions, type Recording } from '../nn/execution.ts';
import type { AnyModule } from '../nn/module.ts';
import { graphOf, valuesOf } from '../nn/output.ts';
import { traced } from '../nn/traced.ts';
import { pairsOf, withDefaults } from '../options.ts';
import { checkInputShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';

/** What a feature is returned as. */
export type FeatureName = string | number;

/** The names of a model's direct children, in so far as its type tells. */
export type ChildName<Model> = {
  [K in keyof Model & string]: NonNullable<Model[K]> extends AnyModule ? K : never;
}[keyof Model & string];

/** Layers and the names of their features: a Map, entries, or a plain object. */
export type ReturnLayers<Name extends FeatureName = FeatureName, Model = AnyModule> =
  | ReadonlyMap<string, Name>
  | Iterable<readonly [string, Name]>
  | (Readonly<Record<string, Name>> & { readonly [K in ChildName<Model>]?: Name });

/** Options of a getter's or an extractor's `forward`. */
export interface ForwardOptions<Name extends FeatureName = FeatureName> {
  /** The features to return, all unless given; what none of them needs isn't run. */
  readonly only?: readonly Name[];
}

/** What a feature will be for an input shape. */
export interface FeatureInfo<Name extends FeatureName = FeatureName> {
  readonly name: Name;
  /** The path of its layer, or the name of its node. */
  readonly module: string;
  readonly shape: Shape;
  /** Of its axis 1; 1 where it has none. */
  readonly channels: number;
  /** How many of the input's rows one of the feature's stands for, by the strides between them: 8, 16, 32. */
  readonly reduction: number;
  /** Multiply-accumulates from the input to this feature. */
  readonly macs: number;
  /** Bytes of the feature as float32. */
  readonly bytes: number;
  /** True where the model's own forward gives another value: see {@link IntermediateLayerGetter.deviations}. */
  readonly deviates: boolean;
}

/** @internal Features and the paths that they come from, in order of execution. */
export interface Traced<Name> {
  readonly features: Map<Name, Value>;
  readonly paths: ReadonlyMap<Name, string>;
  /** What to ask for in the place of a feature of several tensors. */
  readonly partsOf?: (feature: unknown) => string;
}

/** @internal Records what gives the features of some layers, for a run or for a report. */
export type Trace<Name> = (
  inputs: readonly Value[],
  layers: ReadonlyMap<string, Name>,
  isReport?: boolean,
) => Traced<Name>;

/** @internal The features that a module returns. */
export class Taps<Name extends FeatureName> {
  readonly layers: ReadonlyMap<string, Name>;
  readonly #owner: string;
  readonly #root: AnyModule;
  readonly #trace: Trace<Name>;

  /** @param owner the public name of `root`, whose features they are */
  constructor(owner: string, root: AnyModule, layers: ReadonlyMap<string, Name>, trace: Trace<Name>) {
    this.layers = layers;
    this.#owner = owner;
    this.#root = root;
    this.#trace = trace;
  }

  /** The features of tensors, computed, or of values, recorded. All inputs are of the first one's kind. */
  forward(inputs: readonly (Tensor | Value)[], options: ForwardOptions<Name>): Map<Name, any> {
    const recording = this.#recording(withDefaults('forward', options, { only: undefined }).only);
    const [x] = inputs;
    if (x instanceof Tensor) return this.#root.execution().run(inputs as Tensor[], recording);
    if (graphOf(x)) return recording.record(inputs as Value[]);
    throw new ValueError(`${this.#owner}: expected a Tensor or a Value, got ${describe(x)}`);
  }

  /** The features of tensors, with turns of the event loop. */
  async forwardAsync(inputs: readonly Tensor[], options: ForwardOptions<Name> & AsyncOptions): Promise<Map<Name, any>> {
    const defaults = { only: undefined, onProgress: undefined, signal: undefined };
    const { only, ...known } = withDefaults('forwardAsync', options, defaults);
    checkedAsyncOptions(known, 'forwardAsync');
    const [x] = inputs;
    if (!(x instanceof Tensor)) throw new ValueError(`${this.#owner}: expected a Tensor, got ${describe(x)}`);
    return this.#root.execution().runAsync(inputs, known, this.#recording(only));
  }

  /**
   * What each feature will be for inputs of these shapes.
   *
   * @param deviating the names of those that aren't the model's own
   */
  info(inputShapes: readonly Shape[], deviating: readonly Name[]): FeatureInfo<Name>[] {
    for (const shape of inputShapes) checkInputShape(this.#owner, shape);
    const { graph, output } = traced(this.#root, inputShapes, (values) => this.#trace(values, this.layers, true));
    const { features, paths, partsOf } = output;
    const reductions = reductionsOf(graph.program([]));
    const all = [...features.values()].flatMap(valuesOf);
    this.#root.strangersIn(graph, parametersOf(prune(graph.program(all))));
    return [...features].map(([name, value]) => {
      if (!(value instanceof Value)) {
        throw new ValueError(
          `${this.#owner}: expected features that are single tensors, got ${describe(value)} for ` +
            `"${paths.get(name)}"; ${partsOf?.(value) ?? 'name its children, or call forward'}`,
        );
      }
      const { shape } = value;
      const { nodes } = prune(graph.program([value]));
      return {
        name,
        module: paths.get(name)!,
        shape,
        channels: shape[1] ?? 1,
        reduction: Math.max(1, Math.round(reductions.get(value)![0])),
        macs: nodes.reduce((sum, node) => sum + macsOf(node), 0),
        bytes: numel(shape) * 4,
        deviates: deviating.includes(name),
      };
    });
  }

  /** The layers of the features that `only` names: all unless given. */
  #subset(only: readonly Name[] | null | undefined): ReadonlyMap<string, Name> {
    if (only === undefined || only === null) return this.layers;
    if (!Array.isArray(only)) {
      throw new ValueError(`${this.#owner}: expected only as an array of features' names, got ${describe(only)}`);
    }
    const names = new Set(this.layers.values());
    const unknown = [...only].filter((name) => !names.has(name));
    if (unknown.length > 0) {
      throw new ValueError(
        `${this.#owner}: expected only to name features of ${listed(names, 24)}, got ${listed(unknown)}`,
      );
    }
    return new Map([...this.layers].filter(([, name]) => only.includes(name)));
  }

  /** What is recorded for the features that `only` names. */
  #recording(only: readonly Name[] | null | undefined): Recording<Map<Name, Value>> {
    const layers = this.#subset(only);
    const name = JSON.stringify([...layers]);
    return { name, record: (values) => this.#trace(values, layers).features };
  }
}

/**
 * Layers and the names of their features.
 *
 * @throws {@link ValueError} where it isn't one of the forms of {@link ReturnLayers}
 */
export function layersOf<Name extends FeatureName>(expected: string, given: unknown): Map<string, Name> {
  const pairs = pairsOf(given);
  if (!pairs) throw new ValueError(`${expected}, got ${describe(given)}`);
  const layers = new Map(pairs as [string, Name][]);
  for (const [layer, name] of layers) {
    if (typeof layer === 'string' && (typeof name === 'string' || typeof name === 'number')) continue;
    throw new ValueError(
      `${expected}, with strings for layers and strings or numbers for features, got ${describe(name)} for ` +
        describe(layer),
    );
  }
  return layers;
}
