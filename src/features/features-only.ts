/** timm's view of a model: the last layer of each size, by index or by how much smaller it is. */

import { describe, listed, UnsupportedError, ValueError } from '../errors.ts';
import { dilated } from '../graph/dilated.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { withDefaults } from '../options.ts';
import type { Shape } from '../tensor/shape.ts';
import { FeatureExtractor, type Run } from './feature-extractor.ts';
import { nodeOf } from './needs.ts';
import { type Stage, timmStagesOf } from './stages.ts';
import type { FeatureInfo } from './taps.ts';
import { tracedModel, usualShape } from './traced-model.ts';

/** Options of {@link featuresOnly}. */
export interface FeaturesOnlyOptions<Names extends readonly number[]> {
  /** Stages by index, negative ones from the end; or a number, for so many at the end; all unless given. */
  readonly outIndices?: Names | number | null;
  /** Stages by how many of the input's rows one of theirs stands for, without `outputStride`: 4, 8, 16, 32. */
  readonly reductions?: Names | null;
  /**
   * 8, 16, 32 or 64: no stage is smaller, since convolutions are dilated in the place of their strides. Unless given,
   * or with null, the model is as it was built.
   */
  readonly outputStride?: number | null;
  /** What the model is traced with to find its stages: as for createFeatureExtractor. */
  readonly inputShape?: Shape;
}

/** What timm tells of a stage. */
export interface StageInfo {
  readonly index: number;
  readonly numChs: number;
  readonly reduction: number;
  /** The path of its layer, or the name of its node. */
  readonly module: string;
}

/**
 * What {@link featuresOnly}'s module tells of its features, in their order; or of stages by index, whether they are
 * features or not. Called with an input's shape it is as an extractor's `featureInfo`.
 *
 * @see timm.models.FeatureInfo
 */
export interface StagesInfo<Name extends number = number> {
  (inputShape: Shape): FeatureInfo<Name>[];
  /** The channels of each stage that was asked for. */
  channels(): number[];
  /** The channels of any stage, by its index. */
  channels(index: number): number;
  /** How many of the input's rows one row stands for, of each stage that was asked for. */
  reduction(): number[];
  /** How many of the input's rows one row stands for, of any stage by its index. */
  reduction(index: number): number;
  /** The path of the layer of each stage that was asked for. */
  moduleName(): string[];
  /** The path of the layer of any stage, by its index. */
  moduleName(index: number): string;
  /** All of these of each stage that was asked for. */
  getDicts(): StageInfo[];
}

/**
 * A module that returns the last layer of each size of a model, which detection and segmentation build on, as timm's
 * `features_only=True`:
 *
 *     const net = featuresOnly(resnet50(), { outIndices: [1, -1] });
 *     net.featureInfo.channels(); // [256, 2048]
 *     const features = net.forward(x); // Map { 1 → Tensor, -1 → Tensor }
 *
 * It is a {@link FeatureExtractor} whose features have the numbers that asked for them as names: indices, or
 * reductions. Features are in order of execution, and so is what `featureInfo` tells of them. Stages are timm's of a
 * family; of a model that timm lacks, they are those that `modelInfo` tells.
 *
 * @throws {@link ValueError} for a stage that isn't there, with those that are
 * @throws {@link UnsupportedError} where `outputStride` would take something else than a convolution's stride, or where
 *   neighbours of a dilated stage's pixels are read by something else, such as padding, pooling or resizing
 */
export function featuresOnly<const Names extends readonly number[] = readonly number[]>(
  model: AnyModule,
  options: FeaturesOnlyOptions<Names> = {},
): FeatureListNet<Names[number]> {
  const { outIndices, reductions, outputStride, inputShape } = withDefaults('featuresOnly', options, {
    ...{ outIndices: null, reductions: null, outputStride: null, inputShape: undefined },
  });
  if (!(model instanceof Module)) throw new ValueError(`featuresOnly: expected a Module, got ${describe(model)}`);
  const most = outputStride ?? Infinity;
  if (![8, 16, 32, 64, Infinity].includes(most)) {
    throw new ValueError(`featuresOnly: outputStride: expected 8, 16, 32 or 64, got ${describe(outputStride)}`);
  }
  const shape = inputShape ?? usualShape(model);
  const { graph, names: nodeNames } = tracedModel('featuresOnly', model, [shape]);
  const stages = timmStagesOf(model, graph);
  if (stages.length === 0) {
    throw new ValueError(`featuresOnly: expected a model with layers of [N, C, H, W], got ${describe(model)}`);
  }
  const names = namesOf(outIndices, reductions, stages.length);
  const sizes = stages.map(({ reduction }) => reduction);
  const indices = names.map((name) => {
    const index = reductions ? sizes.indexOf(name) : name < 0 ? stages.length + name : name;
    if (index in stages) return index;
    const expected = reductions
      ? `reductions of ${listed(sizes)}`
      : `outIndices from ${-stages.length} to ${stages.length - 1}, for layers of reduction ${listed(sizes)}`;
    throw new ValueError(`featuresOnly: expected ${expected}, got ${describe(name)}`);
  });
  if (new Set(indices).size < names.length) {
    throw new ValueError(`featuresOnly: expected each stage once, got ${describe([...names])}`);
  }
  const modules = new Map(model.namedModules());
  /** What to ask for to get a layer's output: the layer, unless that means another node. */
  const queryFor = (layer: string) => {
    const module = modules.get(layer);
    const output = module && graph.outputOf(module);
    if (!output || nodeOf(nodeNames, layer)?.output === output) return layer;
    return [...nodeNames.nodes].reverse().find((node) => node.output === output)?.name ?? layer;
  };
  const layers = new Map(names.map((name, i) => [queryFor(stages[indices[i]!]!.layer), name] as const));
  // Also where nothing needs it yet: strides may change, and inputs be others.
  const run = outputStride === null ? undefined : dilated(most);
  const infoOf = (some: readonly Stage[]) => {
    const asked = new Map(some.map((stage) => [queryFor(stage.layer), stages.indexOf(stage)] as const));
    return new FeatureExtractor(model, asked, { inputShape, run, inputCount: 1 }).featureInfo(shape);
  };
  const dense = run && denseInfo(infoOf, stages, indices);
  const infos = stages.map(({ layer, channels, reduction }, index) => {
    const found = dense?.find(({ name }) => name === index)?.reduction;
    if (found !== undefined && found > most) {
      throw new UnsupportedError(
        `featuresOnly: expected a model that outputStride ${most} can dilate, got ${describe(layer)} of reduction ` +
          `${found}, which is no convolution's stride`,
      );
    }
    return { index, numChs: channels, reduction: found ?? Math.min(reduction, most), module: layer };
  });
  const own = new Map(names.map((name, i) => [name, infos[indices[i]!]!] as const));
  return new FeatureListNet<any>(model, layers, { inputShape, run }, infos, own);
}

/**
 * What is known of dilated stages: of all, or of those that are asked for, where one of the others can't be dilated.
 *
 * @throws {@link UnsupportedError} where one that is asked for can't be
 */
function denseInfo<T>(infoOf: (some: readonly Stage[]) => T, stages: readonly Stage[], indices: readonly number[]): T {
  try {
    return infoOf(stages);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return infoOf(indices.map((index) => stages[index]!));
  }
}

/** The numbers that ask for stages: as given, or the indices of so many stages at the end. */
function namesOf(outIndices: unknown, reductions: unknown, count: number): readonly number[] {
  if (outIndices !== null && reductions !== null) {
    throw new ValueError('featuresOnly: expected outIndices or reductions, got both');
  }
  const given = outIndices ?? reductions ?? count;
  if (typeof given === 'number' && reductions === null) {
    if (Number.isInteger(given) && given >= 1 && given <= count) {
      return Array.from({ length: given }, (_, i) => count - given + i);
    }
    throw new ValueError(
      `featuresOnly: outIndices: expected a number of stages from 1 to ${count}, or an array of indices, ` +
        `got ${describe(given)}`,
    );
  }
  if (Array.isArray(given) && given.length > 0 && [...given].every(Number.isInteger)) return given;
  const name = reductions === null ? 'outIndices' : 'reductions';
  throw new ValueError(`featuresOnly: ${name}: expected an array of whole numbers, got ${describe(given)}`);
}

/** What {@link featuresOnly} returns. @see timm.models.FeatureListNet */
export class FeatureListNet<Name extends number = number> extends FeatureExtractor<Name> {
  override readonly featureInfo: StagesInfo<Name>;

  /** @internal @param own those of the stages that were asked for, by their features' names */
  constructor(
    model: AnyModule,
    layers: ReadonlyMap<string, Name>,
    tracing: { readonly inputShape: Shape | undefined; readonly run: Run | undefined },
    stages: readonly StageInfo[],
    own: ReadonlyMap<Name, StageInfo>,
  ) {
    super(model, layers, { ...tracing, inputCount: 1 });
    const infoOf = (shape: Shape): FeatureInfo<Name>[] =>
      FeatureExtractor.prototype.featureInfo.call(this, shape) as never;
    // The model may have changed. Features come in order of execution.
    const current = (): StageInfo[] =>
      infoOf(tracing.inputShape ?? usualShape(model)).map(({ name, channels, reduction }) => {
        return { ...own.get(name)!, numChs: channels, reduction };
      });
    const accessor = (key: keyof StageInfo) => (index?: number) => {
      if (index === undefined) return current().map((stage) => stage[key]);
      const found = Number.isInteger(index) ? stages.at(index) : undefined;
      const stage = found && (current().find((one) => one.index === found.index) ?? found);
      if (stage) return stage[key];
      throw new ValueError(
        `featureInfo: expected an index from ${-stages.length} to ${stages.length - 1}, got ${describe(index)}`,
      );
    };
    this.featureInfo = Object.assign(infoOf, {
      channels: accessor('numChs'),
      reduction: accessor('reduction'),
      moduleName: accessor('module'),
      getDicts: current,
    }) as unknown as StagesInfo<Name>;
  }
}
