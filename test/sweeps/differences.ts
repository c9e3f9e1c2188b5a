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
    words:
      '| inputs without an axis of images | convolution, pooling and resizing take `[C, H, W]`, 1-D layers `[C, L]` |',
    in: 'errors',
    applies: ({ sweep: { layer }, inputs }) =>
      /Conv|Pool|Upsampl|InstanceNorm/.test(layer) && inputs[0]!.length === (layer.endsWith('1d') ? 2 : 3),
  },
  {
    words: '| an adaptive pool of output size 0 |',
    in: 'errors',
    applies: ({ sweep: { layer }, args }) => /^Adaptive/.test(layer) && [args[0]].flat().includes(0),
  },
  {
    words: '| `max_pool1d` of a row that is shorter than its window | an empty tensor |',
    in: 'errors',
    applies: ({ sweep: { layer }, expected }) => layer === 'MaxPool1d' && expected?.shape.at(-1) === 0,
  },
  {
    words: '| resizing by mode `area` to or from an image without pixels | an empty tensor |',
    in: 'errors',
    applies: ({ sweep: { layer }, options: { mode, scaleFactor = 1 }, inputs: [x] }) => {
      const factors = [scaleFactor].flat();
      const isEmpty = (size: number, axis: number) => Math.floor(size * (factors[axis] ?? factors[0])) === 0;
      return layer === 'interpolate' && mode === 'area' && (x!.includes(0) || x!.slice(2).some(isEmpty));
    },
  },
  {
    words: 'infinities in a 3×3 convolution',
    in: 'plan',
    applies: ({ sweep: { layer }, kind }, algorithm = '') =>
      layer === 'Conv2d' && kind === 'specials' && /^(winograd|toeplitz)/.test(algorithm),
  },
];
