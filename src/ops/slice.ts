/** Some of the elements along one axis. Channels that follow each other are read where they lie. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link slice}: the elements start, start + step, … of an axis, `count` of them. */
export interface SliceAttrs {
  readonly axis: number;
  readonly start: number;
  readonly count: number;
  readonly step: number;
}

const reference: Reference<SliceAttrs> = ([x], attrs) => {
  const { axis, start, count, step } = attrs;
  const shape = slice.inferShape([x!.shape], attrs);
  const [size, run] = [x!.shape[axis]!, numel(shape.slice(axis + 1))];
  const y = new Float32Array(numel(shape));
  const outer = numel(shape.slice(0, axis));
  for (let n = 0; n < outer; n++) {
    for (let i = 0; i < count; i++) {
      const from = (n * size + start + i * step) * run;
      y.set(x!.data.subarray(from, from + run), (n * count + i) * run);
    }
  }
  return new Tensor(y, shape);
};

/** @see torch.narrow and Python's x[start:end:step] */
export const slice: Op<SliceAttrs> = {
  name: 'slice',
  inferShape: ([x], { axis, count }) => x!.map((size, i) => (i === axis ? count : size)),
  view: (x, _shape, { axis, start, step }) => ({
    axis: x.axis,
    channel: axis === x.axis && step === 1 ? start : null,
  }),
  rows: ({ axis, step }, rows) => [axis === rows ? step : 1],
  mixedAxes: ({ axis }) => [axis],
  reference,
  algorithms: [byReference(reference)],
};
