/** Local response norm: each value by a power of the squares of its neighbours among the channels. */

import { ShapeError } from '../errors.ts';
import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link localResponseNorm}. */
export interface LocalResponseNormAttrs {
  /** Channels that count, the value's own in their middle. */
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

const reference: Reference<LocalResponseNormAttrs> = ([x], { size, alpha, beta, k }) => {
  const { data, shape } = x!;
  const channels = shape[1]!;
  const plane = numel(shape.slice(2));
  const y = new Float32Array(data.length);
  for (let i = 0; i < y.length; i++) {
    const c = Math.floor(i / plane) % channels;
    const first = Math.max(0, c - Math.floor(size / 2));
    const last = Math.min(channels - 1, c + Math.floor((size - 1) / 2));
    let sum = 0;
    for (let other = first; other <= last; other++) sum += data[i + (other - c) * plane]! ** 2;
    y[i] = data[i]! / (k + (alpha * sum) / size) ** beta;
  }
  return new Tensor(y, shape);
};

/** @see torch.nn.functional.local_response_norm */
export const localResponseNorm: Op<LocalResponseNormAttrs> = {
  name: 'local_response_norm',
  mixedAxes: () => [1],
  axis: 'each',
  inferShape([x]) {
    if (x!.length >= 3) return x!;
    throw new ShapeError(`Expected 3D or higher dimensionality input (got ${x!.length} dimensions)`);
  },
  reference,
  algorithms: [byReference(reference)],
};
