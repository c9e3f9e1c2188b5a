/** Max pooling. Padding counts as −∞; a NaN in a window is its maximum. */

import { numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_maxpool2d } from '../wasm/steps.gen.ts';
import { poolingPhase } from './lowering/pooling.ts';
import type { Op, Reference } from './op.ts';
import { type Window, windowCounts } from './rules/window.ts';

/** @see torch.nn.functional.max_pool2d */
export const maxPool2d: Op<Window> = {
  name: 'max_pool2d',
  rows: ({ stride }, axis) => [stride[axis - 2]],

  inferShape([x], window) {
    const counts = windowCounts('max_pool2d', x!, window);
    return [x![0]!, x![1]!, ...counts];
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ attrs, engine }) => ({
        phases: (binding) => [poolingPhase(binding, attrs, engine, f32_maxpool2d)],
      }),
    },
  ],
};

/** {@link maxPool2d} by plain loops. */
export const referenceMaxPool2d: Reference<Window> = ([x], window) => {
  const { kernelSize, stride, padding, dilation } = window;
  const shape = maxPool2d.inferShape([x!.shape], window);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const ox = i % outWidth;
    const oy = Math.floor(i / outWidth) % outHeight;
    const plane = Math.floor(i / (outWidth * outHeight)) * height * width;
    let max = -Infinity;
    for (let ky = 0; ky < kernelSize[0]; ky++) {
      const iy = oy * stride[0] - padding.top + ky * dilation[0];
      if (iy < 0 || iy >= height) continue;
      for (let kx = 0; kx < kernelSize[1]; kx++) {
        const ix = ox * stride[1] - padding.left + kx * dilation[1];
        if (ix >= 0 && ix < width) max = Math.max(max, x!.data[plane + iy * width + ix]!);
      }
    }
    y[i] = max;
  }
  return new Tensor(y, shape);
};
