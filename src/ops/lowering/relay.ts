/** The same value along another axis, and values of another shape in the same order: copies through planes. */

import { numel, type Shape } from '../../tensor/shape.ts';
import type { Laid, View } from '../rules/axes.ts';
import type { Algorithm } from './algorithm.ts';
import { fromPlanes, toPlanes } from './planes.ts';

/** Two values of the same numbers in PyTorch's order, whose planes are the same for that reason. */
export const throughPlanes: readonly Algorithm<unknown>[] = [
  {
    name: 'planes',
    prepare: ({ output }) => ({
      workspace: { tableBytes: 0, scratchBytes: numel(output) * 4, zeroBytes: 0 },
      phases({ inputs, output, scratch }) {
        const x = inputs[0]!;
        // The planes of each image may be a row of the output.
        if (output.shape.length === 2 && output.shape[0] === x.shape[0]) {
          return [toPlanes(x, output.address, output.pixelBytes)];
        }
        return [toPlanes(x, scratch), fromPlanes(scratch, output)];
      },
    }),
  },
];

/** Attributes of {@link relay}. */
export interface RelayAttrs {
  readonly axis: number;
}

/**
 * An op that lays a value out along another axis. It stands here since other ops bring it along.
 *
 * @see torch.Tensor.contiguous, which does so for PyTorch's memory formats
 */
export const relay = {
  name: 'contiguous',
  inferShape: ([x]: readonly Shape[]) => x!,
  view: (x: Laid, _shape: Shape, { axis }: RelayAttrs): View => ({ axis, channel: x.axis === axis ? 0 : null }),
  algorithms: throughPlanes,
};
