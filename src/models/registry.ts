/**
 * Every builder by its name, and what can be told of it before it has weights. Who imports this ships every family: it
 * is an entry of its own, `layertap/models`.
 */

import { describe, KeyError } from '../errors.ts';
import { type Stage, stagesOf } from '../features/stages.ts';
import { Graph, macsOf } from '../graph/graph.ts';
import type { Module } from '../nn/module.ts';
import { smallestSize } from '../nn/smallest-size.ts';
import * as models from './index.ts';
import { nearestNames, patternOf } from './names.ts';

export type { Stage } from '../features/stages.ts';

type Models = typeof models;

/** torchvision's name of a model, e.g. `'resnet18'`. */
export type ModelName = { [K in keyof Models]: K extends Lowercase<K> ? K : never }[keyof Models];

/** What a model's builder returns. */
export type ModelOf<Name extends ModelName> = Models[Name] extends (options?: any) => infer M ? M : never;

/** The options of a model's builder. */
export type ModelOptions<Name extends ModelName> = Models[Name] extends (options?: infer O) => any ? O : never;

/** What {@link modelInfo} tells. */
export interface ModelInfo {
  readonly name: ModelName;
  /** torchvision's file, e.g. `'resnet'` for `wide_resnet50_2`. */
  readonly family: string;
  /** Learned numbers, without buffers; an auxiliary head's too, where the options or their defaults ask for one. */
  readonly parameters: number;
  /** The side of the square input that torchvision's weights are made for. */
  readonly inputSize: number;
  /** Multiply-accumulates of one such input. */
  readonly macs: number;
  /** The last layer of each size. */
  readonly taps: readonly Stage[];
  /**
   * The side of the smallest square input that works. For EfficientNet v2 it is 1: torchvision's weights say 33, which
   * is what training on a batch of one needs, since batch norm takes statistics of more than one pixel there.
   */
  readonly smallestInput: number;
}

/** The sides that aren't 224. */
const INPUT_SIZES: Readonly<Record<string, number>> = {
  ...{ efficientnet_b1: 240, efficientnet_b2: 288, efficientnet_b3: 300, efficientnet_b4: 380, efficientnet_b5: 456 },
  ...{ efficientnet_b6: 528, efficientnet_b7: 600, efficientnet_v2_s: 384, efficientnet_v2_m: 480 },
  ...{ efficientnet_v2_l: 480, inception_v3: 299, regnet_y_128gf: 384 },
};

/** Of segmentation networks. */
const SEGMENTATION_SIZE = 520;

/** The class that each family's builders make, by torchvision's file. */
const families = () => ({
  ...{ alexnet: models.AlexNet, convnext: models.ConvNeXt, deeplabv3: models.DeepLabV3, densenet: models.DenseNet },
  ...{
    efficientnet: models.EfficientNet,
    fcn: models.FCN,
    googlenet: models.GoogLeNet,
    inceptionv3: models.Inception3,
  },
  ...{ lraspp: models.LRASPP, mnasnet: models.MNASNet, mobilenetv2: models.MobileNetV2 },
  ...{ mobilenetv3: models.MobileNetV3, regnet: models.RegNet, resnet: models.ResNet },
  ...{ shufflenetv2: models.ShuffleNetV2, squeezenet: models.SqueezeNet, vgg: models.VGG },
});

type Builder = (options?: object) => Module<any>;

/** Every builder by its name, in alphabetical order: the functions whose names are in lower case. */
function builders(): ReadonlyMap<string, Builder> {
  const entries = Object.entries(models).filter(([name]) => name === name.toLowerCase());
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)) as [string, Builder][]);
}

/** @throws {@link KeyError} where the name isn't known, with those that are most like it */
function builderOf(caller: string, name: string): Builder {
  const known = builders();
  const build = known.get(name);
  if (build) return build;
  const near = typeof name === 'string' ? nearestNames(name, [...known.keys()]) : [];
  const way = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; listModels() has them all';
  throw new KeyError(`${caller}: expected the name of one of ${known.size} models, got ${describe(name)}${way}`);
}

/**
 * A new model without weights, by torchvision's name: `createModel('efficientnet_b0', { numClasses: 5 })`.
 *
 * @throws {@link KeyError} where the name isn't known, with those that are most like it
 * @see torchvision.models.get_model
 */
export function createModel<Name extends ModelName>(name: Name, options?: ModelOptions<Name>): ModelOf<Name>;
/** As above, of a name that is known at run time alone: of type `string`. */
export function createModel<Name extends string>(
  name: Name & (string extends Name ? unknown : never),
  options?: object,
): Module<any>;
/** The implementation. */
export function createModel(name: string, options?: any): any {
  return builderOf('createModel', name)(options);
}

/**
 * The names of all models, or of those that a pattern fits, in alphabetical order: `listModels('res*')`.
 *
 * @param pattern `*` stands for any characters, `?` for one, `[xy]` for one of some, `[!xy]` for one of all others
 * @see torchvision.models.list_models
 */
export function listModels(pattern = '*'): ModelName[] {
  const fits = patternOf('listModels', pattern);
  return [...builders().keys()].filter((name) => fits.test(name)) as ModelName[];
}

/**
 * What a model is, from its structure: nothing is computed, and no weights are needed.
 *
 * @param options the builder's
 * @throws {@link KeyError} where the name isn't known, with those that are most like it
 */
export function modelInfo<Name extends ModelName>(name: Name, options?: ModelOptions<Name>): ModelInfo {
  const model = builderOf('modelInfo', name)(options as object | undefined);
  const isSegmentation = [...model.namedChildren()][0]![0] === 'backbone';
  const inputSize = isSegmentation ? SEGMENTATION_SIZE : (INPUT_SIZES[name] ?? 224);
  const graph = new Graph([[1, 3, inputSize, inputSize]]);
  model.call(graph.inputs[0]!);
  return {
    name,
    family: Object.entries(families()).find(([, family]) => model instanceof family)![0],
    parameters: [...model.parameters()].reduce((sum, parameter) => sum + parameter.numel(), 0),
    inputSize,
    macs: graph.nodes.reduce((sum, node) => sum + macsOf(node), 0),
    taps: stagesOf(model, graph),
    smallestInput: smallestSize((size) => model.call(new Graph([[1, 3, size, size]]).inputs[0]!))!,
  };
}
