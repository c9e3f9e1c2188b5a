/** Where a case differs from PyTorch on purpose: what docs/pytorch.md says of it, word for word. */

import type { SweepCase } from './cases.ts';

/** A difference, and the cases that it is about. */
export interface Difference {
  /** Words of docs/pytorch.md that tell of it. */
  readonly words: string;
  /** What differs: whether it is refused, or the values that a plan gives. */
  readonly in: 'errors' | 'plan';
  /** @param algorithm the one that the plan takes */
  readonly applies: (of: SweepCase, algorithm?: string) => boolean;
}

/** All of them. */
export const differences: readonly Difference[] = [
  {
    words: '| inputs without an axis of images | convolution, pooling and resizing take `[C, H, W]` |',
    in: 'errors',
    applies: ({ sweep: { layer }, inputs }) => /Conv|Pool|Upsample/.test(layer) && inputs[0]!.length === 3,
  },
  {
    words: '| an adaptive pool of output size 0 |',
    in: 'errors',
    applies: ({ sweep: { layer }, args }) => layer === 'AdaptiveAvgPool2d' && [args[0]].flat().includes(0),
  },
  {
    words: 'infinities in a 3×3 convolution',
    in: 'plan',
    applies: ({ sweep: { layer }, kind }, algorithm = '') =>
      layer === 'Conv2d' && kind === 'specials' && /^(winograd|toeplitz)/.test(algorithm),
  },
];
