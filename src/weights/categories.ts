/** The list of classes that weights' scores are of. Who imports this ships the lists of all weights. */

import { IMAGENET_CATEGORIES } from './imagenet-categories.ts';
import { VOC_CATEGORIES } from './voc-categories.ts';
import type { Weights } from './weights.ts';

/**
 * The names of the classes, by the index of their score: torchvision's `weights.meta['categories']`. Null where the
 * weights have no use for scores.
 */
export function categoriesOf({ meta }: Weights): readonly string[] | null {
  return meta.categories && { imagenet: IMAGENET_CATEGORIES, voc: VOC_CATEGORIES }[meta.categories];
}
