/** Max pooling to a given size: by the kernel of max pooling where sizes divide, else by a host step. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_maxpool2d } from '../wasm/steps.gen.ts';
import type { Algorithm } from './lowering/algorithm.ts';
import { byReference } from './lowering/host.ts';
import { poolingPhase } from './lowering/pooling.ts';
import type { Op, Reference } from './op.ts';
import { NO_SIDES, type Window } from './rules/window.ts';

/** Attributes of {@link adaptiveMaxPool2d}; null keeps the input's size. */
export interface AdaptiveMaxPool2dAttrs {
  readonly outputSize: readonly [height: number | null, width: number | null];
}

function pooledShape(x: Shape, { outputSize }: AdaptiveMaxPool2dAttrs): Shape {
  if (x.length !== 4 || x[2] === 0 || x[3] === 0) {
    throw new ShapeError(`adaptive_max_pool2d: expected x of shape [N, C, H, W], got ${formatShape(x)}`);
  }
  return [x[0]!, x[1]!, outputSize[0] ?? x[2]!, outputSize[1] ?? x[3]!];
}

const reference: Reference<AdaptiveMaxPool2dAttrs> = ([x], attrs) => {
  const shape = pooledShape(x!.shape, attrs);
  const [height, width] = x!.shape.slice(2) as [number, number];
  const [outHeight, outWidth] = shape.slice(2) as [number, number];
  const y = new Float32Array(numel(shape));
  for (let i = 0; i < y.length; i++) {
    const [ox, oy] = [i % outWidth, Math.floor(i / outWidth) % outHeight];
    const plane = Math.floor(i / (outWidth * outHeight)) * height;
    const [y1, x1] = [Math.ceil(((oy + 1) * height) / outHeight), Math.ceil(((ox + 1) * width) / outWidth)];
    let most = -Infinity;
    for (let iy = Math.floor((oy * height) / outHeight); iy < y1; iy++) {
      for (let ix = Math.floor((ox * width) / outWidth); ix < x1; ix++) {
        most = Math.max(most, x!.data[(plane + iy) * width + ix]!);
      }
    }
    y[i] = most;
  }
  return new Tensor(y, shape);
};

/** Windows don't overlap where sizes divide. */
const direct: Algorithm<unknown> = {
  name: 'direct',
  prepare({ inputs: [x], output, engine }) {
    const kernelSize = [x![2]! / output[2]!, x![3]! / output[3]!] as const;
    if (!kernelSize.every(Number.isInteger)) return null;
    const window: Window = { kernelSize, stride: kernelSize, padding: NO_SIDES, dilation: [1, 1] };
    return { phases: (binding) => [poolingPhase(binding, window, engine, f32_maxpool2d)] };
  },
};

/** @see torch.nn.functional.adaptive_max_pool2d */
export const adaptiveMaxPool2d: Op<AdaptiveMaxPool2dAttrs> = {
  name: 'adaptive_max_pool2d',
  inferShape: ([x], attrs) => pooledShape(x!, attrs),
  reference,
  algorithms: [direct, byReference(reference)],
};
