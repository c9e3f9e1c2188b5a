/** Batch norm with running statistics, as PyTorch computes it in eval mode. */

import { ShapeError } from '../errors.ts';
import { formatShape } from '../tensor/shape.ts';
import { PANEL } from '../wasm/kernels.gen.ts';
import { affinePhase } from './lowering/affine.ts';
import { normConstant, writeEpilogue } from './lowering/epilogue.ts';
import type { Op } from './op.ts';
import { type Norm, parametersOfNorm } from './rules/epilogue.ts';

/** @see torch.nn.functional.batch_norm */
export const batchNorm: Op<Norm> = {
  name: 'batch_norm',
  acceptsInEpilogue: ['residual', 'activation'],
  parameters: parametersOfNorm,
  asEpiloguePart: (norm) => ({ norm }),

  inferShape([x], { runningVar }) {
    const channels = runningVar.shape[0]!;
    if (x!.length < 2 || x![1] !== channels) {
      throw new ShapeError(`batch_norm: expected x of shape [N, ${channels}, …], got ${formatShape(x!)}`);
    }
    return x!;
  },

  algorithms: [
    {
      name: 'direct',
      prepare({ attrs: norm, epilogue, engine }) {
        // The vectors are in panels, as in a convolution's epilogue, so that one packing serves both.
        const constant = normConstant(norm, { channels: norm.runningVar.shape[0]!, groups: 1, multiple: PANEL });
        return {
          constants: [constant],
          phases(binding) {
            const record = writeEpilogue(binding, epilogue, constant, binding.residual);
            return [affinePhase(binding.inputs[0]!, binding.output, record, engine)];
          },
        };
      },
    },
  ],
};
