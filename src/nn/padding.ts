/** Padding, and channels that become pixels or pixels that become channels. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { type PadAttrs, pad as padOp } from '../ops/pad.ts';
import { permute as permuteOp } from '../ops/permute.ts';
import { reshape as reshapeOp } from '../ops/reshape.ts';
import { whole, withDefaults } from '../options.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import { shapeOf } from './value-shape.ts';

/** Options of {@link pad}, with PyTorch's defaults. */
export interface PadOptions {
  /** What the padding shows: a number, or x mirrored, its edge, or x again. */
  readonly mode?: PadAttrs['mode'];
  /** Of mode 'constant'; 0 unless given. */
  readonly value?: number;
}

/**
 * x with padding, last axis first: `[left, right, top, bottom]` for images. Less than nothing cuts.
 *
 * @throws {@link ShapeError} where x has too few axes, or too few elements to show
 */
export function pad(x: Value, padding: readonly number[], options: PadOptions = {}): Value {
  const { mode, value } = withDefaults('pad', options, { mode: 'constant' as const, value: 0 });
  const shape = shapeOf('pad', x);
  if (!['constant', 'reflect', 'replicate', 'circular'].includes(mode)) {
    throw new ValueError(`pad: expected mode "constant", "reflect", "replicate" or "circular", got ${describe(mode)}`);
  }
  if (!Array.isArray(padding) || padding.length % 2 !== 0 || ![...padding].every(Number.isSafeInteger)) {
    throw new ValueError(`pad: expected an even number of whole numbers as padding, got ${describe(padding)}`);
  }
  const padded = padding.length / 2;
  const others = shape.length - padded;
  const isOfImages = padded > 0 && padded <= 3 && (others === 2 || (others === 1 && mode !== 'circular'));
  const fits = mode === 'constant' ? others >= 0 : isOfImages;
  if (!fits || typeof value !== 'number') {
    throw new ShapeError(
      `pad: expected padding of ${mode === 'constant' ? 'at most all axes' : 'all axes but the first two'} and a ` +
        `number as value, got padding of ${padded} axes and ${describe(value)} for x ${formatShape(shape)}`,
    );
  }
  const sides = shape.map((_, axis) => {
    const at = 2 * (shape.length - 1 - axis);
    return [padding[at] ?? 0, padding[at + 1] ?? 0] as const;
  });
  return record(padOp, [x], { sides, mode, value });
}

/** `[N, C / r², H·r, W·r]` of `[N, C, H, W]`. @throws {@link ShapeError} where r² doesn't divide the channels */
export function pixelShuffle(x: Value, upscaleFactor: number): Value {
  const r = whole('pixel_shuffle: upscaleFactor', upscaleFactor);
  const [n, c, h, w] = imageShape('pixel_shuffle', x);
  if (c % (r * r) !== 0) {
    throw new ShapeError(
      "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but " +
        `input.size(-3)=${c} is not divisible by ${r * r}`,
    );
  }
  const out = c / (r * r);
  return rearranged('pixel_shuffle', x, [n, out, r, r, h, w], [0, 1, 4, 2, 5, 3], [n, out, h * r, w * r]);
}

/** `[N, C·r², H / r, W / r]` of `[N, C, H, W]`. @throws {@link ShapeError} where r doesn't divide height and width */
export function pixelUnshuffle(x: Value, downscaleFactor: number): Value {
  const r = whole('pixel_unshuffle: downscaleFactor', downscaleFactor);
  const [n, c, h, w] = imageShape('pixel_unshuffle', x);
  if (h % r !== 0 || w % r !== 0) {
    throw new ShapeError(`pixel_unshuffle expects height and width to be divisible by ${r}, but got ${h} and ${w}`);
  }
  const shape = [n, c * r * r, h / r, w / r];
  return rearranged('pixel_unshuffle', x, [n, c, h / r, r, w / r, r], [0, 1, 3, 5, 2, 4], shape);
}

/** x in other sizes, with their axes in another order, in the sizes of `shape`: one function of that name. */
function rearranged(name: string, x: Value, sizes: Shape, dims: readonly number[], shape: Shape): Value {
  const parts = record(permuteOp, [record(reshapeOp, [x], { shape: sizes }, null)], { dims }, null);
  return record(reshapeOp, [parts], { shape }, name);
}

function imageShape(name: string, x: Value): readonly [number, number, number, number] {
  const shape = shapeOf(name, x);
  if (shape.length !== 4) throw new ShapeError(`${name}: expected x of shape [N, C, H, W], got ${formatShape(shape)}`);
  return shape as unknown as readonly [number, number, number, number];
}
