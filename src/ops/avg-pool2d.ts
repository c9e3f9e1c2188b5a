/** Average pooling. By default padding counts as zeros that are averaged too. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_avgpool2d } from '../wasm/steps.gen.ts';
import { poolingPhase } from './lowering/pooling.ts';
import type { Op, Reference } from './op.ts';
import { type Window, windowCounts } from './rules/window.ts';

/** Attributes of {@link avgPool2d}; dilation is 1. */
export interface AvgPool2dAttrs extends Window {
  readonly countIncludePad: boolean;
  /** What sums are divided by, a whole number other than 0; null for the window's size. */
  readonly divisorOverride: number | null;
}

/** @see torch.nn.functional.avg_pool2d */
export const avgPool2d: Op<AvgPool2dAttrs> = {
  name: 'avg_pool2d',
  rows: ({ stride }, axis) => [stride[axis - 2]],

  inferShape([x], attrs) {
    const counts = windowCounts('avg_pool2d', x!, attrs);
    return [x![0]!, x![1]!, ...counts];
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ attrs, engine }) => ({
        phases(binding) {
          const divisors = {
            partsHeight: 1,
            partsWidth: 1,
            countIncludePad: Number(attrs.countIncludePad),
            divisorOverride: attrs.divisorOverride ?? 0,
          };
          return [poolingPhase(binding, attrs, engine, (args) => f32_avgpool2d({ ...args, ...divisors }))];
        },
      }),
    },
  ],
};

/** {@link avgPool2d} by plain loops. */
export const referenceAvgPool2d: Reference<AvgPool2dAttrs> = ([x], attrs) => {
  const { kernelSize, stride, padding, countIncludePad, divisorOverride } = attrs;
  const shape = avgPool2d.inferShape([x!.shape], attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const x0 = (i % outWidth) * stride[1] - padding.left;
    const y0 = (Math.floor(i / outWidth) % outHeight) * stride[0] - padding.top;
    const plane = Math.floor(i / (outWidth * outHeight)) * height * width;
    const [x1, y1] = [
      Math.min(x0 + kernelSize[1], width + padding.right),
      Math.min(y0 + kernelSize[0], height + padding.bottom),
    ];
    let sum = 0;
    let inside = 0;
    for (let iy = Math.max(y0, 0); iy < Math.min(y1, height); iy++) {
      for (let ix = Math.max(x0, 0); ix < Math.min(x1, width); ix++) {
        sum += x!.data[plane + iy * width + ix]!;
        inside++;
      }
    }
    y[i] = sum / (divisorOverride ?? (countIncludePad ? (y1 - y0) * (x1 - x0) : inside));
  }
  return new Tensor(y, shape);
};
