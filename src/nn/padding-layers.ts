/** Layers that pad images, and that make pixels of channels. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, whole } from '../options.ts';
import { pad, pixelShuffle, pixelUnshuffle } from './functional.ts';
import { Layer } from './layer.ts';
import { tuple } from './repr.ts';

/** One number for all sides, or `[left, right, top, bottom]` as PyTorch has them; less than nothing cuts. */
export type Padding2d = number | readonly [left: number, right: number, top: number, bottom: number];

/** What layers that pad images share. */
abstract class ImagePadding extends Layer {
  padding: readonly [left: number, right: number, top: number, bottom: number];

  constructor(padding: Padding2d) {
    super();
    const sides: unknown = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
    if (!Array.isArray(sides) || sides.length !== 4 || ![...sides].every(Number.isSafeInteger)) {
      throw new ValueError(
        `${new.target.name}: expected padding as a whole number or [left, right, top, bottom], ` +
          `got ${describe(padding)}`,
      );
    }
    this.padding = sides as unknown as this['padding'];
  }

  protected override extraRepr(): string {
    return tuple(this.padding);
  }
}

/** A number around images. @see torch.nn.ConstantPad2d */
export class ConstantPad2d extends ImagePadding {
  value: number;

  constructor(padding: Padding2d, value: number) {
    super(padding);
    this.value = finite('ConstantPad2d: value', value);
  }

  forward(x: Value): Value {
    return pad(x, this.padding, { value: this.value });
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return `padding=${tuple(this.padding)}, value=${this.value}`;
  }
}

/** Zeros around images. @see torch.nn.ZeroPad2d */
export class ZeroPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding);
  }
}

/** Images mirrored at their edges. @see torch.nn.ReflectionPad2d */
export class ReflectionPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'reflect' });
  }
}

/** Images whose edges are repeated. @see torch.nn.ReplicationPad2d */
export class ReplicationPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'replicate' });
  }
}

/** `[N, C / r², H·r, W·r]` of `[N, C, H, W]`. @see torch.nn.PixelShuffle */
export class PixelShuffle extends Layer {
  upscaleFactor: number;

  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = whole('PixelShuffle: upscaleFactor', upscaleFactor);
  }

  forward(x: Value): Value {
    return pixelShuffle(x, this.upscaleFactor);
  }

  protected override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/** `[N, C·r², H / r, W / r]` of `[N, C, H, W]`. @see torch.nn.PixelUnshuffle */
export class PixelUnshuffle extends Layer {
  downscaleFactor: number;

  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = whole('PixelUnshuffle: downscaleFactor', downscaleFactor);
  }

  forward(x: Value): Value {
    return pixelUnshuffle(x, this.downscaleFactor);
  }

  protected override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}
