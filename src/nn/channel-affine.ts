/** Numbers for each channel that a model's code knows: what is done to its input before the first layer. */

import { record, type Value } from '../graph/graph.ts';
import { batchNorm } from '../ops/batch-norm.ts';
import type { Norm } from '../ops/rules/epilogue.ts';
import { Constant } from '../tensor/parameter.ts';

/** x·scale + shift, channel by channel. It is no module: it has no place in the hierarchy nor in the state. */
export class ChannelAffine {
  readonly #norm: Norm;

  constructor(scale: readonly number[], shift: readonly number[]) {
    const filled = (value: number) => new Constant(scale.map(() => value));
    const [weight, bias] = [new Constant(scale), new Constant(shift)];
    this.#norm = { weight, bias, runningMean: filled(0), runningVar: filled(1), eps: 0 };
  }

  /** Records it on `[N, C, …]`. */
  record(x: Value): Value {
    return record(batchNorm, [x], this.#norm);
  }
}
