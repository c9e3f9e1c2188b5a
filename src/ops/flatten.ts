/** Flattening `[N, C, H, W]` to `[N, C·H·W]`, in PyTorch's order: channels outermost. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type Op, pixelsOf, type Step, stepOf } from './op.ts';

/** @see torch.flatten with start_dim=1 */
export const flatten: Op<null> = {
  name: 'flatten',

  inferShape([x]) {
    if (x!.length !== 4 && x!.length !== 2) {
      throw new ShapeError(`flatten: expected x of shape [N, C, H, W] or [N, C], got ${formatShape(x!)}`);
    }
    return [x![0]!, numel(x!.slice(1))];
  },

  reference: ([x]) => new Tensor(x!.data, flatten.inferShape([x!.shape], null)),

  algorithms: [
    {
      name: 'direct',
      bind({ inputs, output }) {
        const x = inputs[0]!;
        const [images, channels] = x.shape as [number, number];
        const pixels = pixelsOf(x.shape) / images;
        const steps: Step[] = [];
        for (let n = 0; n < images; n++) {
          const from = x.address + n * pixels * x.pixelBytes;
          const to = output.address + n * output.pixelBytes;
          steps.push(stepOf('f32_nhwc_to_nchw', channels, pixels, from, x.pixelBytes, to));
        }
        return [steps];
      },
    },
  ],
};
