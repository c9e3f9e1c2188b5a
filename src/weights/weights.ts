/**
 * What one of torchvision's weight files is: where it lies, what an image goes through before its network, and what is
 * known of it. The files themselves are in catalogue.ts, their classes' names in files of their own.
 */

import { describe, ValueError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import {
  IMAGENET_MEAN,
  IMAGENET_STD,
  type ImageClassificationOptions,
  imageClassification,
  type SemanticSegmentationOptions,
  semanticSegmentation,
} from '../image/presets.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Where torchvision's weight files lie. A mirror has other hosts, and the same path. */
export const WEIGHTS_ORIGIN = 'https://download.pytorch.org';

/** A list of classes. `categoriesOf` gives the list itself, which is larger than all that is known of weights. */
export type CategoriesName = 'imagenet' | 'voc';

/** What is known of a weight file, as torchvision's `meta` has it. */
export interface WeightsMeta {
  /** Which classes the scores are of; null where the file has none of use. */
  readonly categories: CategoriesName | null;
  /** Learned numbers of the model. */
  readonly numParams: number;
  /** The smallest input's height and width in pixels. */
  readonly minSize: readonly [height: number, width: number];
  /** Where the training is described. */
  readonly recipe: string;
  /** Where the weights' own licence is; null where torchvision names none but its own. */
  readonly license: string | null;
  /** Per cent by data set and measure: `metrics['ImageNet-1K']['acc@1']`. NaN where it wasn't measured. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Multiply-accumulates of one input, in units of 10⁹. */
  readonly ops: number;
  /** Of the file, in MiB. */
  readonly fileSize: number;
}

/** What an image goes through before a network: {@link imageClassification} or {@link semanticSegmentation}. */
export interface WeightsTransforms {
  /** The network's input `[1, 3, H, W]`. */
  (image: Image): Tensor<Float32Array>;
  /** Which of torchvision's presets it is. */
  readonly preset: 'imageClassification' | 'semanticSegmentation';
  /** The preset's options, all of them. */
  readonly options: Readonly<ImageClassificationOptions | SemanticSegmentationOptions>;
}

/** One of torchvision's weight files: `ResNet50_Weights.IMAGENET1K_V2`. */
export class Weights {
  /** The name among the model's weights: `IMAGENET1K_V2`. */
  readonly name: string;
  /** The builder's name: `resnet50`. */
  readonly model: string;
  /** The file's. Its name ends with the first digits of its SHA-256. */
  readonly url: string;
  /** What is known of it. */
  readonly meta: WeightsMeta;
  readonly #enum: string;
  readonly #preset: Preset;

  /**
   * @param enumName without `_Weights`
   * @param file the file's name without its end, or the digits that follow the model's name
   */
  constructor(enumName: string, name: string, { model, meta, preset }: Facts, file: string) {
    this.name = name;
    this.model = model;
    this.url = `${WEIGHTS_ORIGIN}/models/${file.includes('-') ? file : `${model}-${file}`}.pth`;
    this.meta = meta;
    this.#enum = `${enumName}_Weights`;
    this.#preset = preset;
  }

  /**
   * The preset that the weights want of an image, bit-equal to torchvision's on a PIL image:
   * `ResNet50_Weights.DEFAULT.transforms()(image)`.
   *
   * @param options in place of the weights' own, in camelCase: `{ resizeSize: 224 }`
   */
  transforms(options: ImageClassificationOptions & SemanticSegmentationOptions = {}): WeightsTransforms {
    const { name, apply, options: own } = this.#preset;
    const all = { ...own, ...options };
    return Object.assign((image: Image) => apply(image, all), { preset: name, options: all });
  }

  /** The first digits of the file's SHA-256, in hexadecimal, as the file's name has them. */
  get sha256(): string {
    return /-([a-f0-9]+)\.pth$/.exec(this.url)![1]!;
  }

  /** As `getWeight` takes it: `ResNet50_Weights.IMAGENET1K_V2`. */
  toString(): string {
    return `${this.#enum}.${this.name}`;
  }
}

/** The weights. @throws {@link ValueError} for another thing, such as a model's name or all weights of a model */
export function checkedWeights(caller: string, weights: unknown): Weights {
  if (weights instanceof Weights) return weights;
  const wayOut = "such as ResNet50_Weights.DEFAULT or getModelWeights('resnet50').DEFAULT";
  throw new ValueError(`${caller}: expected Weights, ${wayOut}, got ${describe(weights)}`);
}

/**
 * A model's weights by their names; `DEFAULT` is one of these under another name, which isn't listed by
 * `Object.values`.
 */
export type WeightsEnum<Name extends string = string> = { readonly [K in Name]: Weights } & {
  readonly DEFAULT: Weights;
};

interface Preset {
  readonly name: WeightsTransforms['preset'];
  readonly apply: (image: Image, options: any) => Tensor<Float32Array>;
  readonly options: ImageClassificationOptions | SemanticSegmentationOptions;
}

interface Facts {
  readonly model: string;
  readonly meta: WeightsMeta;
  readonly preset: Preset;
}

/** What a model's files have in common: its builder, its learned numbers, and the side of its smallest input. */
export type ModelFacts = readonly [model: string, numParams: number, minSide: number];

/**
 * What tells a model's files apart: a file is named after the model and these digits, or as a whole where there is a
 * dash in it. A recipe is a path on GitHub: `/…` of torchvision's repository, `#…` of its page on classification.
 */
export type FileRow = readonly [
  file: string,
  fileSize: number,
  ops: number,
  first: number,
  second: number,
  recipe: string,
  own?: ImageClassificationOptions & { readonly license?: string; readonly categories?: null },
];

/** The weights of a classification network: top-1 and top-5 accuracy on ImageNet. */
export function classifiers<Name extends string>(
  enumName: string,
  model: ModelFacts,
  best: NoInfer<Name>,
  rows: Readonly<Record<Name, FileRow>>,
): WeightsEnum<Name> {
  const defaults = { resizeSize: 256, cropSize: 224 };
  const preset = { name: 'imageClassification', apply: imageClassification, options: defaults } as const;
  const metrics = (first: number, second: number) => ({ 'ImageNet-1K': { 'acc@1': first, 'acc@5': second } });
  return weightsEnum({ enumName, model, best, preset, metrics, categories: 'imagenet' }, rows);
}

/** The weights of a segmentation network: mean IoU and accuracy of pixels on COCO's images of VOC's classes. */
export function segmenters<Name extends string>(
  enumName: string,
  model: ModelFacts,
  best: NoInfer<Name>,
  rows: Readonly<Record<Name, FileRow>>,
): WeightsEnum<Name> {
  const preset = { name: 'semanticSegmentation', apply: semanticSegmentation, options: { resizeSize: 520 } } as const;
  const metrics = (miou: number, accuracy: number) => ({
    'COCO-val2017-VOC-labels': { miou, pixel_acc: accuracy },
  });
  return weightsEnum({ enumName, model, best, preset, metrics, categories: 'voc' }, rows);
}

interface Kind {
  readonly enumName: string;
  readonly model: ModelFacts;
  readonly best: string;
  readonly preset: Preset;
  readonly metrics: (first: number, second: number) => WeightsMeta['metrics'];
  readonly categories: CategoriesName;
}

function weightsEnum<Name extends string>(kind: Kind, rows: Readonly<Record<Name, FileRow>>): WeightsEnum<Name> {
  const { enumName, best, preset, metrics } = kind;
  const [model, numParams, side] = kind.model;
  const members: Record<string, Weights> = {};
  for (const [name, row] of Object.entries<FileRow>(rows)) {
    const [file, fileSize, ops, first, second, recipe, own = {}] = row;
    const { license = null, categories = kind.categories, ...options } = own;
    const meta: WeightsMeta = {
      categories,
      numParams,
      minSize: [side, side],
      recipe: `https://github.com/${longRecipe(recipe)}`,
      license: license && `https://github.com/${license}`,
      metrics: metrics(first, second),
      ops,
      fileSize,
    };
    const shared = { mean: IMAGENET_MEAN, std: IMAGENET_STD, interpolation: 'bilinear' } as const;
    const all = { ...preset, options: { ...preset.options, ...shared, ...options } };
    members[name] = new Weights(enumName, name, { model, meta, preset: all }, file);
  }
  return Object.freeze(Object.defineProperty(members, 'DEFAULT', { value: members[best] })) as WeightsEnum<Name>;
}

function longRecipe(recipe: string): string {
  const path = recipe.replace(/^#/, '/tree/main/references/classification#');
  return path.startsWith('/') ? `pytorch/vision${path}` : path;
}
