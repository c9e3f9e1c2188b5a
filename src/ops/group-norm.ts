/** Group norm: statistics of some channels of an image together. With a group for each channel it is instance norm. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link groupNorm}. Its inputs are x, and the weight and the bias where these are. */
export interface GroupNormAttrs {
  readonly groups: number;
  readonly eps: number;
  readonly hasWeight: boolean;
}

const reference: Reference<GroupNormAttrs> = ([x, ...vectors], { groups, eps, hasWeight }) => {
  const { data, shape } = x!;
  const [weight, bias] = hasWeight ? vectors : [undefined, vectors[0]];
  const channels = shape[1]!;
  const plane = numel(shape.slice(2));
  const size = (channels / groups) * plane;
  const y = new Float32Array(data.length);
  for (let first = 0; first < y.length; first += size) {
    let sum = 0;
    for (let i = first; i < first + size; i++) sum += data[i]!;
    const mean = sum / size;
    let squares = 0;
    for (let i = first; i < first + size; i++) squares += (data[i]! - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / size + eps);
    for (let i = first; i < first + size; i++) {
      const c = Math.floor(i / plane) % channels;
      y[i] = (data[i]! - mean) * scale * (weight?.data[c] ?? 1) + (bias?.data[c] ?? 0);
    }
  }
  return new Tensor(y, shape);
};

/** @see torch.nn.functional.group_norm */
export const groupNorm: Op<GroupNormAttrs> = {
  name: 'group_norm',
  mixedAxes: () => [1],
  axis: 'each',

  inferShape([x, ...vectors], { groups }) {
    const channels = x![1] ?? 0;
    if (x!.length < 2 || channels % groups !== 0) {
      throw new ShapeError(
        'Expected number of channels in input to be divisible by num_groups, but got input of shape ' +
          `${formatShape(x!)} and num_groups=${groups}`,
      );
    }
    for (const vector of vectors) {
      if (numel(vector) === channels) continue;
      throw new ShapeError(`group_norm: expected weight and bias of ${channels} elements, got ${formatShape(vector)}`);
    }
    return x!;
  },

  reference,
  algorithms: [byReference(reference)],
};
