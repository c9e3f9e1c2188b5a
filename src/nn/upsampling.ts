/** Upsampling layers. */

import type { Value } from '../graph/graph.ts';
import type { Pair } from '../ops/rules/window.ts';
import { withDefaults } from '../options.ts';
import { interpolate } from './functional.ts';
import { Layer } from './layer.ts';
import { float, tuple } from './repr.ts';
import { INTERPOLATE_MODES, type InterpolateMode, type InterpolateOptions, resolveInterpolate } from './resolve.ts';

/** The image in another size. @see torch.nn.Upsample */
export class Upsample extends Layer {
  size: number | Pair | undefined;
  scaleFactor: number | Pair | undefined;
  mode: InterpolateMode;
  alignCorners: boolean | undefined;

  constructor(options: InterpolateOptions) {
    super();
    const resolved = resolveInterpolate(new.target.name, options, INTERPOLATE_MODES);
    const { size, scaleFactor, mode, alignCorners } = resolved.options;
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

/** Options of {@link UpsamplingNearest2d} and {@link UpsamplingBilinear2d}: one of the two. */
export interface UpsamplingOptions {
  readonly size?: number | Pair | undefined;
  readonly scaleFactor?: number | readonly [number, number] | undefined;
}

/** {@link Upsample} of mode 'nearest'. @see torch.nn.UpsamplingNearest2d */
export class UpsamplingNearest2d extends Upsample {
  constructor(options: UpsamplingOptions) {
    super({ ...withDefaults('UpsamplingNearest2d', options, NO_SIZES), mode: 'nearest' });
  }
}

/** {@link Upsample} of mode 'bilinear', corners aligned. @see torch.nn.UpsamplingBilinear2d */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: UpsamplingOptions) {
    super({ ...withDefaults('UpsamplingBilinear2d', options, NO_SIZES), mode: 'bilinear', alignCorners: true });
  }
}

const NO_SIZES = { size: undefined, scaleFactor: undefined };
