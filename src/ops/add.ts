/** Addition of two tensors of one shape: residual connections. Nothing is broadcast. */

import { ShapeError } from '../errors.ts';
import { formatShape, sameShape } from '../tensor/shape.ts';
import { affinePhase } from './lowering/affine.ts';
import { writeEpilogue } from './lowering/epilogue.ts';
import type { Slot } from './lowering/slot.ts';
import type { Op } from './op.ts';

/** @see torch.add */
export const add: Op<null> = {
  name: 'add',
  axis: 'any',
  acceptsInEpilogue: ['activation'],
  asEpiloguePart: () => ({ residual: true }),

  inferShape([a, b]) {
    if (!sameShape(a!, b!)) {
      throw new ShapeError(`add: expected two tensors of one shape, got ${formatShape(a!)} and ${formatShape(b!)}`);
    }
    return a!;
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ epilogue, engine }) => ({
        phases(binding) {
          const [a, b] = binding.inputs as [Slot, Slot];
          return [affinePhase(a, binding.output, writeEpilogue(binding, epilogue, null, b), engine)];
        },
      }),
    },
  ],
};
