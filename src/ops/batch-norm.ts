/** Batch norm with running statistics, as PyTorch computes it in eval mode. */

import { ShapeError } from '../errors.ts';
import { formatShape } from '../tensor/shape.ts';
import { affinePhase } from './affine.ts';
import { normConstants, referenceEpilogue, type VectorForm } from './epilogue.ts';
import { type Epilogue, NO_EPILOGUE, type Norm, type Op } from './op.ts';

/** The vectors are in plain order, eight at a time as in a convolution's epilogue: one packing serves both. */
const vectorForm = ({ runningVar }: Norm): VectorForm => ({ channels: runningVar.shape[0]!, groups: 1, panel: 8 });

const withNorm = (norm: Norm, epilogue: Epilogue): Epilogue => ({ ...epilogue, norm });

/** @see torch.nn.functional.batch_norm */
export const batchNorm: Op<Norm> = {
  name: 'batch_norm',
  takes: ['residual', 'activation'],
  joins: (norm) => ({ kind: 'norm', norm }),

  inferShape([x], { runningVar }) {
    const channels = runningVar.shape[0]!;
    if (x!.length < 2 || x![1] !== channels) {
      throw new ShapeError(`batch_norm: expected x of shape [N, ${channels}, …], got ${formatShape(x!)}`);
    }
    return x!;
  },

  reference: ([x], norm) => referenceEpilogue(x!, withNorm(norm, NO_EPILOGUE), null),
  algorithms: [
    {
      name: 'direct',
      constants: ({ attrs: norm }) => normConstants(withNorm(norm, NO_EPILOGUE), vectorForm(norm)),
      bind: (binding, norm) => [affinePhase(binding, withNorm(norm, binding.epilogue))],
    },
  ],
};
