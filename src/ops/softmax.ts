/** Softmax along an axis, and its logarithm, by a host step in float64. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link softmax}. */
export interface SoftmaxAttrs {
  readonly axis: number;
}

function softmaxOp(name: string, isLog: boolean): Op<SoftmaxAttrs> {
  const reference: Reference<SoftmaxAttrs> = ([x], { axis }) => {
    const { data, shape } = x!;
    const size = shape[axis] ?? 1;
    const stride = numel(shape.slice(axis + 1));
    const y = new Float32Array(data.length);
    for (let i = 0; i < y.length / Math.max(size, 1); i++) {
      const first = Math.floor(i / stride) * stride * size + (i % stride);
      let most = -Infinity;
      for (let k = 0; k < size; k++) most = Math.max(most, data[first + k * stride]!);
      let sum = 0;
      for (let k = 0; k < size; k++) sum += Math.exp(data[first + k * stride]! - most);
      for (let k = 0; k < size; k++) {
        const less = data[first + k * stride]! - most;
        y[first + k * stride] = isLog ? less - Math.log(sum) : Math.exp(less) / sum;
      }
    }
    return new Tensor(y, shape);
  };
  return {
    name,
    axis: 'each',
    mixedAxes: ({ axis }) => [axis],
    inferShape: ([x]) => x!,
    reference,
    algorithms: [byReference(reference)],
  };
}

/** @see torch.nn.functional.softmax */
export const softmax = softmaxOp('softmax', false);

/** @see torch.nn.functional.log_softmax */
export const logSoftmax = softmaxOp('log_softmax', true);
