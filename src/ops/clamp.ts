/** Clamping, which is also ReLU (0, ∞) and ReLU6 (0, 6). A NaN stays. */

import { bindAffine } from './affine.ts';
import { referenceEpilogue } from './epilogue.ts';
import { NO_EPILOGUE, type Op } from './op.ts';

/** Attributes of {@link clamp}. */
export interface ClampAttrs {
  readonly min: number;
  readonly max: number;
}

/** @see torch.clamp */
export const clamp: Op<ClampAttrs> = {
  name: 'clamp',
  joins: ({ min, max }) => ({ kind: 'clamp', min, max }),
  inferShape: ([x]) => x!,
  reference: ([x], { min, max }) => referenceEpilogue(x!, { ...NO_EPILOGUE, min, max }, null),
  algorithms: [{ name: 'direct', bind: (binding, { min, max }) => bindAffine(binding, { ...NO_EPILOGUE, min, max }) }],
};
