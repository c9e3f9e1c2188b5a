/** Activations, element by element: clamping, which is also ReLU and ReLU6, and PyTorch's curves. A NaN stays. */

import { affinePhase } from './lowering/affine.ts';
import { writeEpilogue } from './lowering/epilogue.ts';
import type { Op } from './op.ts';
import type { Activation } from './rules/epilogue.ts';

function activationOp<A>(name: string, activationOf: (attrs: A) => Activation): Op<A> {
  return {
    name,
    axis: 'any',
    asEpiloguePart: (attrs) => ({ activation: activationOf(attrs) }),
    inferShape: ([x]) => x!,
    algorithms: [
      {
        name: 'direct',
        prepare: ({ attrs, engine }) => ({
          phases(binding) {
            const record = writeEpilogue(binding, { activation: activationOf(attrs) }, null, null);
            return [affinePhase(binding.inputs[0]!, binding.output, record, engine)];
          },
        }),
      },
    ],
  };
}

/** Attributes of {@link clamp}. */
export interface ClampAttrs {
  readonly min: number;
  readonly max: number;
}

/** @see torch.clamp */
export const clamp = activationOp<ClampAttrs>('clamp', ({ min, max }) => ({ kind: 'clamp', min, max }));

/** x·min(max(x + 3, 0), 6) / 6. @see torch.nn.functional.hardswish */
export const hardswish = activationOp<null>('hardswish', () => ({ kind: 'hardswish' }));

/** min(max(x + 3, 0), 6) / 6. @see torch.nn.functional.hardsigmoid */
export const hardsigmoid = activationOp<null>('hardsigmoid', () => ({ kind: 'hardsigmoid' }));

/** 1 / (1 + e⁻ˣ). @see torch.sigmoid */
export const sigmoid = activationOp<null>('sigmoid', () => ({ kind: 'sigmoid' }));

/** x / (1 + e⁻ˣ). @see torch.nn.functional.silu */
export const silu = activationOp<null>('silu', () => ({ kind: 'silu' }));

/** x·Φ(x). @see torch.nn.functional.gelu */
export const gelu = activationOp<null>('gelu', () => ({ kind: 'gelu' }));
