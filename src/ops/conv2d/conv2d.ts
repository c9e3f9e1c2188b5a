/**
 * 2-D convolution (cross-correlation, as in PyTorch): zero padding for each side, stride, dilation, groups.
 *
 * The ways to compute it are in files of their own. Most add up the same products; the transforms of minimal filtering
 * (transforms.ts) multiply less, and round differently.
 */

import { ShapeError } from '../../errors.ts';
import { formatShape, numel } from '../../tensor/shape.ts';
import { Tensor } from '../../tensor/tensor.ts';
import type { Op, Reference } from '../op.ts';
import { windowCounts } from '../rules/window.ts';
import { type Conv2dAttrs, weightSizes, windowOf } from './attrs.ts';
import { depthwise } from './depthwise.ts';
import { indirect } from './indirect.ts';
import { rows } from './rows.ts';
import { splitTaps } from './split-taps.ts';
import { TRANSFORMS } from './transforms.ts';
import { winograd } from './winograd.ts';

/** @see torch.nn.functional.conv2d */
export const conv2d: Op<Conv2dAttrs> = {
  name: 'conv2d',
  acceptsInEpilogue: ['norm', 'residual', 'activation'],
  parameters: ({ weight, bias }) => [weight, bias],
  rows: ({ stride }, axis) => [stride[axis - 2]],
  // Calls, without a spread: bundlers leave out calls that nothing uses.
  algorithms: [depthwise, rows].concat(TRANSFORMS.map(winograd), splitTaps, indirect),

  inferShape([x], attrs) {
    const { weight, groups } = attrs;
    const [out, inGroup] = weight.shape as [number, number];
    if (x!.length !== 4) throw new ShapeError(`conv2d: expected x of shape [N, C, H, W], got ${formatShape(x!)}`);
    if (x![1] !== inGroup * groups) {
      const isChannelsLast = x![3] === inGroup * groups;
      throw new ShapeError(
        `conv2d: expected x with ${inGroup * groups} channels ` +
          `(weight ${formatShape(weight.shape)}, groups ${groups}), got ${x![1]} in x ${formatShape(x!)}` +
          `${isChannelsLast ? '; it looks like [N, H, W, C], not [N, C, H, W]' : ''}`,
      );
    }
    const counts = windowCounts('conv2d', x!, windowOf(attrs));
    return [x![0]!, out, ...counts];
  },

  macs(_inputs, output, { weight }) {
    return (numel(output) * weight.numel()) / weight.shape[0]!;
  },
};

/** {@link conv2d} by plain loops. */
export const referenceConv2d: Reference<Conv2dAttrs> = ([x], attrs) => {
  const { weight, bias, stride, padding, dilation, groups } = attrs;
  const shape = conv2d.inferShape([x!.shape], attrs);
  const [images, out, outHeight, outWidth] = shape as [number, number, number, number];
  const [, channels, height, width] = x!.shape as [number, number, number, number];
  const { inGroup, kernelHeight, kernelWidth } = weightSizes(attrs);
  const w = weight.values();
  const b = bias?.values();
  const y = new Float32Array(numel(shape));
  let at = 0;
  for (let n = 0; n < images; n++) {
    for (let o = 0; o < out; o++) {
      const first = n * channels + Math.floor(o / (out / groups)) * inGroup;
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          let sum = b ? b[o]! : 0;
          for (let c = 0; c < inGroup; c++) {
            for (let ky = 0; ky < kernelHeight; ky++) {
              const iy = oy * stride[0] - padding.top + ky * dilation[0];
              if (iy < 0 || iy >= height) continue;
              for (let kx = 0; kx < kernelWidth; kx++) {
                const ix = ox * stride[1] - padding.left + kx * dilation[1];
                if (ix < 0 || ix >= width) continue;
                const weightAt = ((o * inGroup + c) * kernelHeight + ky) * kernelWidth + kx;
                sum += x!.data[((first + c) * height + iy) * width + ix]! * w[weightAt]!;
              }
            }
          }
          y[at++] = sum;
        }
      }
    }
  }
  return new Tensor(y, shape);
};
