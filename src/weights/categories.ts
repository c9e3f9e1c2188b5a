/** The list of classes that weights' scores are of. Who imports this ships the lists of all weights. */

import { IMAGENET_CATEGORIES } from './imagenet-categories.ts';
import { VOC_CATEGORIES } from './voc-categories.ts';
import { checkedWeights, type Weights } from './weights.ts';

/**
 * The names of the classes, by the index of their score: torchvision's `weights.meta['categories']`. Null where the
 * weights have no use for scores.
 */
export function categoriesOf(weights: Weights): readonly string[] | null {
  const { meta } = checkedWeights('categoriesOf', weights);
  return meta.categories && { imagenet: IMAGENET_CATEGORIES, voc: VOC_CATEGORIES }[meta.categories];
}
