/** What has to be told of weights before somebody uses them. */

import { checkedWeights, type Weights } from './weights.ts';

/**
 * What to tell whoever uses weights that may not be used for everything; null where there is nothing to tell. The
 * licences of their own that torchvision's weights have are SWAG's, which is CC BY-NC 4.0.
 *
 * @see https://github.com/facebookresearch/SWAG/blob/main/LICENSE
 */
export function licenseNotice(weights: Weights): string | null {
  const { license } = checkedWeights('licenseNotice', weights).meta;
  return license && `${weights} is licensed under CC BY-NC 4.0, which excludes commercial use; see ${license}`;
}
