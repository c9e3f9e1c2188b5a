/** Addition of two tensors of one shape: residual connections. Nothing is broadcast. */

import { ShapeError } from '../errors.ts';
import { formatShape, sameShape } from '../tensor/shape.ts';
import { affinePhase } from './affine.ts';
import { referenceEpilogue } from './epilogue.ts';
import { NO_EPILOGUE, type Op } from './op.ts';

/** @see torch.add */
export const add: Op<null> = {
  name: 'add',
  takes: ['activation'],
  joins: () => ({ kind: 'residual' }),

  inferShape([a, b]) {
    if (!sameShape(a!, b!)) {
      throw new ShapeError(`add: expected two tensors of one shape, got ${formatShape(a!)} and ${formatShape(b!)}`);
    }
    return a!;
  },

  reference: ([a, b]) => referenceEpilogue(a!, { ...NO_EPILOGUE, residual: true }, b!),
  algorithms: [{ name: 'direct', bind: (binding) => [affinePhase(binding, binding.epilogue, binding.inputs[1]!)] }],
};
