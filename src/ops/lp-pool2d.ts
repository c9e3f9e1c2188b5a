/** Power-average pooling, by a host step in float64. */

import { numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';
import { type Window, windowCounts } from './rules/window.ts';

/** Attributes of {@link lpPool2d}: a window without padding or dilation. */
export interface LPPool2dAttrs extends Window {
  /** p of (Σ xᵖ)^(1/p). */
  readonly normType: number;
}

const shapeOf = (x: Shape, attrs: LPPool2dAttrs) => [x[0]!, x[1]!, ...windowCounts('lp_pool2d', x, attrs)];

/** As PyTorch has it: of −∞ a square root is NaN, and other roots are ∞. */
const power = (v: number, p: number) => (p === 0.5 ? Math.sqrt(v) : v ** p);

const reference: Reference<LPPool2dAttrs> = ([x], attrs) => {
  const { kernelSize, stride, normType } = attrs;
  const shape = shapeOf(x!.shape, attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const [x0, y0] = [(i % outWidth) * stride[1], (Math.floor(i / outWidth) % outHeight) * stride[0]];
    const [x1, y1] = [Math.min(x0 + kernelSize[1], width), Math.min(y0 + kernelSize[0], height)];
    const plane = Math.floor(i / (outWidth * outHeight)) * height;
    let sum = 0;
    for (let iy = y0; iy < y1; iy++) {
      for (let ix = x0; ix < x1; ix++) sum += power(x!.data[(plane + iy) * width + ix]!, normType);
    }
    // As PyTorch has it: the mean over what is inside, times the pixels of a whole window.
    const whole = (kernelSize[0] * kernelSize[1]) / ((y1 - y0) * (x1 - x0));
    y[i] = power(sum * whole, 1 / normType);
  }
  return new Tensor(y, shape);
};

/** @see torch.nn.functional.lp_pool2d */
export const lpPool2d: Op<LPPool2dAttrs> = {
  name: 'lp_pool2d',
  axis: 'each',
  rows: ({ stride }, axis) => [stride[axis - 2]],
  inferShape: ([x], attrs) => shapeOf(x!, attrs),
  reference,
  algorithms: [byReference(reference)],
};
