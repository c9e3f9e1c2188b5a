/** Upsampling layers. */

import type { Value } from '../graph/graph.ts';
import type { Pair } from '../ops/rules/window.ts';
import { interpolate } from './functional.ts';
import { Layer } from './layer.ts';
import { float, tuple } from './repr.ts';
import { type InterpolateOptions, resolveInterpolate } from './resolve.ts';

/** The image in another size. @see torch.nn.Upsample */
export class Upsample extends Layer {
  size: number | Pair | undefined;
  scaleFactor: number | Pair | undefined;
  mode: 'nearest' | 'bilinear';
  alignCorners: boolean | undefined;

  constructor(options: InterpolateOptions) {
    super();
    const { size, scaleFactor, mode, alignCorners } = resolveInterpolate('Upsample', options).options;
    this.size = size;
    this.scaleFactor = scaleFactor;
    this.mode = mode;
    this.alignCorners = alignCorners;
  }

  forward(x: Value): Value {
    const { size, scaleFactor, mode, alignCorners } = this;
    return interpolate(x, { size, scaleFactor, mode, alignCorners });
  }

  protected override extraRepr(): string {
    const { size, scaleFactor, mode } = this;
    const factors =
      typeof scaleFactor === 'number' ? float(scaleFactor) : `(${(scaleFactor ?? []).map(float).join(', ')})`;
    const sizes = typeof size === 'number' ? size : tuple(size ?? []);
    return `${size === undefined ? `scale_factor=${factors}` : `size=${sizes}`}, mode=${mode}`;
  }
}
