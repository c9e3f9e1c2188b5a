/** Each pixel's channels by their norm, by a host step: sums are in float64, and each result rounds once. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** The least norm that is divided by. */
const EPS = 1e-12;

const reference: Reference<null> = ([x]) => {
  const { data, shape } = x!;
  const channels = shape[1]!;
  const plane = numel(shape.slice(2));
  const y = new Float32Array(data.length);
  for (let image = 0; image < data.length; image += channels * plane) {
    for (let pixel = image; pixel < image + plane; pixel++) {
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += data[pixel + c * plane]! ** 2;
      const norm = Math.max(Math.sqrt(squares), EPS);
      for (let c = 0; c < channels; c++) y[pixel + c * plane] = data[pixel + c * plane]! / norm;
    }
  }
  return new Tensor(y, shape);
};

/** Over axis 1, with p = 2. @see torch.nn.functional.normalize */
export const normalize: Op<null> = {
  name: 'normalize',
  inferShape: ([x]) => x!,
  reference,
  algorithms: [byReference(reference)],
};
