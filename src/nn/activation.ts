/** Activations. `inplace` is kept for printing: a plan never overwrites a value that is still read. */

import type { Value } from '../graph/graph.ts';
import { relu, relu6 } from './functional.ts';
import { Module } from './module.ts';

/** Options of activations. */
export interface ActivationOptions {
  readonly inplace?: boolean;
}

/** max(0, x). @see torch.nn.ReLU */
export class ReLU extends Module {
  readonly inplace: boolean;

  constructor({ inplace = false }: ActivationOptions = {}) {
    super();
    this.inplace = inplace;
  }

  forward(x: Value): Value {
    return relu(x);
  }

  protected override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

/** min(max(0, x), 6). @see torch.nn.ReLU6 */
export class ReLU6 extends Module {
  readonly inplace: boolean;

  constructor({ inplace = false }: ActivationOptions = {}) {
    super();
    this.inplace = inplace;
  }

  forward(x: Value): Value {
    return relu6(x);
  }

  protected override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}
