/** Flattening layers. */

import type { Value } from '../graph/graph.ts';
import { whole } from '../options.ts';
import { flatten } from './functional.ts';
import { Layer } from './layer.ts';

/** `[N, C·H·W]` of `[N, C, H, W]`. @see torch.nn.Flatten */
export class Flatten extends Layer {
  startDim: number;

  constructor(startDim = 1) {
    super();
    this.startDim = whole('Flatten: startDim', startDim);
  }

  forward(x: Value): Value {
    return flatten(x, this.startDim);
  }

  protected override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=-1`;
  }
}
