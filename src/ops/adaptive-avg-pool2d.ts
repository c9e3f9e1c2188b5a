/** Average pooling to a given size. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_avgpool2d } from '../wasm/steps.gen.ts';
import { channelRanges } from './lowering/cut.ts';
import { imageSizes } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link adaptiveAvgPool2d}; null keeps the input's size. */
export interface AdaptiveAvgPool2dAttrs {
  readonly outputSize: readonly [height: number | null, width: number | null];
}

/** @see torch.nn.functional.adaptive_avg_pool2d */
export const adaptiveAvgPool2d: Op<AdaptiveAvgPool2dAttrs> = {
  name: 'adaptive_avg_pool2d',

  inferShape([x], { outputSize }) {
    if (x!.length !== 4 || x![2] === 0 || x![3] === 0) {
      throw new ShapeError(`adaptive_avg_pool2d: expected x of shape [N, C, H, W], got ${formatShape(x!)}`);
    }
    return [x![0]!, x![1]!, outputSize[0] ?? x![2]!, outputSize[1] ?? x![3]!];
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ engine }) => ({
        phases({ inputs: [x], output }) {
          const { images, channels, height, width } = imageSizes(x!.shape);
          const out = imageSizes(output.shape);
          const steps = channelRanges(channels, engine.threads).map(({ offset, count }) =>
            f32_avgpool2d({
              images,
              channels: count,
              height,
              width,
              outHeight: out.height,
              outWidth: out.width,
              kernelHeight: height + out.height - 1,
              kernelWidth: width + out.width - 1,
              strideHeight: height,
              strideWidth: width,
              partsHeight: out.height,
              partsWidth: out.width,
              ...{ top: 0, left: 0, bottom: 0, right: 0, countIncludePad: 0, divisorOverride: 0 },
              x: x!.address + offset,
              pixelBytes: x!.pixelBytes,
              out: output.address + offset,
              outBytes: output.pixelBytes,
            }),
          );
          return [steps];
        },
      }),
    },
  ],
};

/** {@link adaptiveAvgPool2d} by plain loops. */
export const referenceAdaptiveAvgPool2d: Reference<AdaptiveAvgPool2dAttrs> = ([x], attrs) => {
  const shape = adaptiveAvgPool2d.inferShape([x!.shape], attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const ox = i % outWidth;
    const oy = Math.floor(i / outWidth) % outHeight;
    const plane = Math.floor(i / (outWidth * outHeight)) * height * width;
    const [y0, y1] = [Math.floor((oy * height) / outHeight), Math.ceil(((oy + 1) * height) / outHeight)];
    const [x0, x1] = [Math.floor((ox * width) / outWidth), Math.ceil(((ox + 1) * width) / outWidth)];
    let sum = 0;
    for (let iy = y0; iy < y1; iy++) for (let ix = x0; ix < x1; ix++) sum += x!.data[plane + iy * width + ix]!;
    y[i] = sum / ((y1 - y0) * (x1 - x0));
  }
  return new Tensor(y, shape);
};
