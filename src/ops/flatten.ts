/** Flattening `[N, C, H, W]` to `[N, C·H·W]`, in PyTorch's order: channels outermost. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { f32_nhwc_to_nchw } from '../wasm/steps.gen.ts';
import { pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** @see torch.flatten with start_dim=1 */
export const flatten: Op<null> = {
  name: 'flatten',

  inferShape([x]) {
    if (x!.length !== 4 && x!.length !== 2) {
      throw new ShapeError(`flatten: expected x of shape [N, C, H, W] or [N, C], got ${formatShape(x!)}`);
    }
    return [x![0]!, numel(x!.slice(1))];
  },

  algorithms: [
    {
      name: 'direct',
      prepare: () => ({
        steps({ inputs: [x], output }) {
          const [images, channels] = x!.shape as [number, number];
          const pixels = pixelsOf(x!.shape) / images;
          const steps = Array.from({ length: images }, (_, n) =>
            f32_nhwc_to_nchw({
              channels,
              pixels,
              x: x!.address + n * pixels * x!.pixelBytes,
              pixelBytes: x!.pixelBytes,
              out: output.address + n * output.pixelBytes,
            }),
          );
          return [steps];
        },
      }),
    },
  ],
};

/** {@link flatten} by plain loops. */
export const referenceFlatten: Reference<null> = ([x]) => new Tensor(x!.data, flatten.inferShape([x!.shape], null));
