/**
 * torchvision's weights, an entry of its own, `layertap/weights`: where the files lie, what they want of an image, what
 * is known of them, and models with them. A bundler keeps what is used of it: one model's weights, one list of classes.
 */

export * from './catalogue.ts';
export * from './categories.ts';
export * from './coco-categories.ts';
export { getModelWeights, getWeight, listWeights } from './get-weight.ts';
export * from './imagenet-categories.ts';
export * from './license-notice.ts';
export {
  type LocalFile,
  type OpenPretrainedOptions,
  openPretrained,
  type PretrainedSource,
} from './open-pretrained.ts';
export * from './pretrained.ts';
export * from './voc-categories.ts';
export type { CategoriesName, Weights, WeightsEnum, WeightsMeta, WeightsTransforms } from './weights.ts';
