/** Dropout, which does nothing in inference. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { flag, withDefaults } from '../options.ts';
import { Layer } from './layer.ts';
import { bool, float } from './repr.ts';

/** Returns what it gets, as PyTorch's does in eval mode. @see torch.nn.Dropout */
export class Dropout extends Layer {
  p: number;
  inplace: boolean;

  /** @throws {@link ValueError} where `p` isn't a probability */
  constructor(p = 0.5, options: { readonly inplace?: boolean } = {}) {
    super();
    if (typeof p !== 'number' || !(p >= 0 && p <= 1)) {
      throw new ValueError(`dropout probability has to be between 0 and 1, but got ${describe(p)}`);
    }
    this.p = p;
    this.inplace = flag('Dropout: inplace', withDefaults('Dropout', options, { inplace: false }).inplace);
  }

  forward(x: Value): Value {
    return x;
  }

  protected override extraRepr(): string {
    return `p=${Number.isInteger(this.p) ? this.p : float(this.p)}, inplace=${bool(this.inplace)}`;
  }
}
