/** Linear layers, and the one that does nothing. */

import { record, type Value } from '../graph/graph.ts';
import { linear } from '../ops/linear.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { Layer } from './layer.ts';
import { bool } from './repr.ts';

/** x·Wᵀ + b on `[N, inFeatures]`. @see torch.nn.Linear */
export class Linear extends Layer {
  /** `[outFeatures, inFeatures]` */
  weight: Parameter;
  bias: Parameter | null;
  inFeatures: number;
  outFeatures: number;

  constructor(inFeatures: number, outFeatures: number, options: { readonly bias?: boolean } = {}) {
    super();
    const { bias } = withDefaults('Linear', options, { bias: true });
    flag('Linear: bias', bias);
    this.inFeatures = whole('Linear: inFeatures', inFeatures);
    this.outFeatures = whole('Linear: outFeatures', outFeatures);
    this.weight = new Parameter([outFeatures, inFeatures]);
    this.bias = bias ? new Parameter([outFeatures]) : null;
  }

  forward(x: Value): Value {
    return record(linear, [x], { weight: this.weight, bias: this.bias });
  }

  protected override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${bool(this.bias !== null)}`;
  }
}

/** Returns what it gets. @see torch.nn.Identity */
export class Identity extends Layer {
  forward(x: Value): Value {
    return x;
  }
}
