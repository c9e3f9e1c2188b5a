/** Padding of the last axes, by a host step. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { byReference } from './lowering/host.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link pad}. */
export interface PadAttrs {
  /** For each axis of x what comes before and after it; less than nothing cuts. */
  readonly sides: readonly (readonly [before: number, after: number])[];
  readonly mode: 'constant' | 'reflect' | 'replicate' | 'circular';
  readonly value: number;
}

/** The index of the input that an index of the output shows, −1 for none. What is cut doesn't come round again. */
function sourceOf(index: number, size: number, mode: PadAttrs['mode'], sides: readonly [number, number]): number {
  const [first, end] = [Math.max(0, -sides[0]), size + Math.min(0, sides[1])];
  if (index >= first && index < end) return index;
  if (mode === 'replicate') return Math.min(Math.max(index, 0), size - 1);
  if (mode === 'circular') return index < first ? index + end - first : index - end + first;
  if (mode === 'reflect') return index < 0 ? -index : 2 * (size - 1) - index;
  return -1;
}

const shapeOf = (x: Shape, { sides }: PadAttrs) => x.map((size, axis) => size + sides[axis]![0] + sides[axis]![1]);

const reference: Reference<PadAttrs> = ([x], attrs) => {
  const { sides, mode, value } = attrs;
  const shape = shapeOf(x!.shape, attrs);
  const y = new Float32Array(numel(shape)).fill(value);
  // For each axis what an index of the output adds to the place in the input; −1 for padding.
  const places = shape.map((size, axis) => {
    const stride = numel(x!.shape.slice(axis + 1));
    return Array.from({ length: size }, (_, i) => {
      const from = sourceOf(i - sides[axis]![0], x!.shape[axis]!, mode, sides[axis]!);
      return from < 0 ? -1 : from * stride;
    });
  });
  const fill = (axis: number, at: number, from: number): void => {
    if (axis === shape.length) {
      y[at] = x!.data[from]!;
      return;
    }
    const stride = numel(shape.slice(axis + 1));
    places[axis]!.forEach((place, i) => {
      if (place >= 0) fill(axis + 1, at + i * stride, from + place);
    });
  };
  fill(0, 0, 0);
  return new Tensor(y, shape);
};

/** @see torch.nn.functional.pad */
export const pad: Op<PadAttrs> = {
  name: 'pad',
  axis: 'each',
  rows: () => [1],
  mixedAxes: ({ sides }) => [...sides.keys()].filter((axis) => sides[axis]!.some((side) => side !== 0)),

  inferShape([x], attrs) {
    const { sides, mode } = attrs;
    const shape = shapeOf(x!, attrs);
    const most = { constant: Infinity, replicate: Infinity, reflect: -1, circular: 0 }[mode];
    const fits = x!.every((size, axis) => {
      const [before, after] = sides[axis]!;
      const larger = Math.max(before, after);
      const cut = mode === 'circular' ? Math.min(0, before) + Math.min(0, after) : 0;
      return larger <= Math.max(0, size + most + cut);
    });
    if (!fits || shape.some((size, axis) => size < (mode === 'constant' ? 0 : Math.min(1, x![axis]!)))) {
      throw new ShapeError(
        `pad: expected padding by mode "${mode}" that leaves elements and has them to show, got ` +
          `[${sides.join('; ')}] for x ${formatShape(x!)}`,
      );
    }
    return shape;
  },

  reference,
  algorithms: [byReference(reference)],
};
