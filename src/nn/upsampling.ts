/** Upsampling layers. */

import type { Value } from '../graph/graph.ts';
import { withDefaults } from '../options.ts';
import { type InterpolateOptions, interpolate } from './functional.ts';
import { Module } from './module.ts';
import { float, tuple } from './repr.ts';

/** The image in another size. @see torch.nn.Upsample */
export class Upsample extends Module {
  readonly options: InterpolateOptions;

  constructor(options: InterpolateOptions) {
    super();
    const defaults = { size: undefined, scaleFactor: undefined, mode: 'nearest', alignCorners: undefined };
    withDefaults('Upsample', options, defaults);
    this.options = { ...options };
  }

  forward(x: Value): Value {
    return interpolate(x, this.options);
  }

  protected override extraRepr(): string {
    const { size, scaleFactor, mode = 'nearest' } = this.options;
    const factors =
      typeof scaleFactor === 'number' ? float(scaleFactor) : `(${(scaleFactor ?? []).map(float).join(', ')})`;
    const sizes = typeof size === 'number' ? size : tuple(size ?? []);
    return `${size === undefined ? `scale_factor=${factors}` : `size=${sizes}`}, mode=${mode}`;
  }
}
