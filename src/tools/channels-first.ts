/** Layers whose channels come last, drawn as others. */

import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { stack, unstack } from './batches.ts';
import { checkTensor } from './tensors.ts';

/**
 * A feature as `[N, C, H, W]`, which {@link heatmap} and others draw. Layers between the two `Permute`s of a ConvNeXt
 * block give `[N, H, W, C]`. The sides tell which of both it is: as the input's sides are to each other, so are those
 * of a feature's pixels, within one pixel.
 *
 * @param x any shape
 * @param inputShape of the input that the feature is of, `[N, C, H, W]`
 * @returns a copy with its channels first; the feature itself where they are, or where its sides don't tell
 * @throws {@link ValueError} where x isn't a tensor
 */
export function channelsFirst(x: Tensor, inputShape: Shape): Tensor {
  checkTensor('channelsFirst', x);
  const [, second, third, fourth] = x.shape;
  if (x.shape.length !== 4 || inputShape.length !== 4) return x;
  const [height, width] = [inputShape[2]!, inputShape[3]!];
  const isOfPixels = (rows: number, columns: number) =>
    Math.abs(rows * width - columns * height) < Math.max(width, height);
  const isLast = isOfPixels(second!, third!) && !isOfPixels(third!, fourth!);
  return isLast ? stack(unstack(x, 3), 1) : x;
}
