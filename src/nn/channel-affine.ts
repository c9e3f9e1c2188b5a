/**
 * Numbers for each channel: those of a parameter, and those that a model's code knows, as what is done to its input
 * before the first layer.
 */

import { record, type Value } from '../graph/graph.ts';
import { batchNorm } from '../ops/batch-norm.ts';
import { normalize } from '../ops/normalize.ts';
import type { Norm } from '../ops/rules/epilogue.ts';
import { Constant, type Parameter } from '../tensor/parameter.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Numbers that no state dict holds. */
const vector = (values: readonly number[]) => new Constant(new Tensor(Float32Array.from(values), [values.length]));

/** x·scale + shift, channel by channel. It is no module: it has no place in the hierarchy nor in the state. */
export class ChannelAffine {
  readonly #norm: Norm;

  constructor(scale: readonly number[], shift: readonly number[]) {
    const filled = (value: number) => vector(scale.map(() => value));
    const [weight, bias] = [vector(scale), vector(shift)];
    this.#norm = { weight, bias, runningMean: filled(0), runningVar: filled(1), eps: 0 };
  }

  /** Records it on `[N, C, …]`. Its node is `cat`: torchvision computes channel by channel and joins the channels. */
  record(x: Value): Value {
    return record(batchNorm, [x], this.#norm, 'cat');
  }
}

/** A norm of statistics that do nothing, which convolutions take up as they do batch norm. */
export function affine(
  name: string,
  x: Value,
  own: { readonly weight: Parameter | null; readonly bias: Parameter | null },
): Value {
  const filled = (value: number) => vector(new Array<number>(x.shape[1]!).fill(value));
  return record(batchNorm, [x], { ...own, runningMean: filled(0), runningVar: filled(1), eps: 0 }, name);
}

/** Each pixel's channels by their Euclidean norm. @see torch.nn.functional.normalize */
export function normalizeChannels(x: Value): Value {
  return record(normalize, [x], null);
}
